package sample

import (
	"syscall"
	"testing"
)

func TestWithin(t *testing.T) {
	for n, want := range map[int]bool{0: false, 1: true, 9: true, 10: false} {
		if Within(n) != want {
			t.Errorf("Within(%d) = %v", n, !want)
		}
	}
}

func TestMode(t *testing.T) {
	if !Mode(0o777) {
		t.Error("0777")
	}
}

func TestSum(t *testing.T) {
	if Sum(3) != 6 {
		t.Errorf("Sum(3) = %d", Sum(3))
	}
}

// TestQuiet lets nothing write a file: that a mutant is come by must be told by other means.
func TestQuiet(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	none := was
	none.Cur = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &none); err != nil {
		t.Fatal(err)
	}
	got := []bool{Quiet(-1), Quiet(0), Quiet(1)}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if got[0] || !got[1] || got[2] {
		t.Error(got)
	}
}
