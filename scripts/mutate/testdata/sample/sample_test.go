package sample

import "testing"

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
