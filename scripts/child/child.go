// Package child starts the programs that tests need, so that none outlives the test's process however that ends.
package child

import (
	"os/exec"
	"syscall"
)

// Start starts cmd, which the kernel kills when this process ends. The channel is closed when the program has ended;
// how it ended is then in cmd.ProcessState.
func Start(cmd *exec.Cmd) (ended <-chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return StartIn(cmd, func() error { return nil })
}

// StartIn starts cmd on a thread that enter has first moved into other namespaces, and that is used for nothing else.
// It asks for no death signal: in another process namespace a program cannot see its parent and takes it for dead.
// There it ends with the namespace's first process.
func StartIn(cmd *exec.Cmd, enter func() error) (ended <-chan struct{}, err error) {
	started, done := make(chan error), make(chan struct{})
	Thread(func() { // the death signal comes when the thread ends that started the program
		err := enter()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			cmd.Wait() // how it ends is the caller's business
		}
		close(done)
	})
	return done, <-started
}
