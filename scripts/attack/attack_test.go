package attack

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(inputsVariable); dir != "" {
		writeInputs(dir)
		return
	}
	code := m.Run()
	Clean()
	os.Exit(code)
}
