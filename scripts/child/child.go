// Package child starts the programs that tests need, so that none outlives the test's process however that ends.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts cmd, which the kernel kills when this process ends. The channel is closed when the program has ended; how
// it ended is then in cmd.ProcessState.
func Start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the death signal comes when the thread ends that started the program, so keep it
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() // how it ends is the caller's business
		}
		close(done)
	}()
	return done, <-started
}
