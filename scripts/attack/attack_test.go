package attack

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if err := Begin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	Clean()
	os.Exit(code)
}
