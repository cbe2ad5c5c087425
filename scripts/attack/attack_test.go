package attack

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(inputsVariable); dir != "" {
		writeInputs(dir)
		return
	}
	if err := Begin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	Clean()
	os.Exit(code)
}
