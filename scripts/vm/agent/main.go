// Agent runs inside a test's virtual machine, as root, and does what the test asks for over a serial port.
package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"example.com/harden/scripts/vm/wire"
)

// The port's name is the one that the machine's command line gives it; udev makes the link.
const port = "/dev/virtio-ports/agent"

func main() {
	for {
		if p, err := os.OpenFile(port, os.O_RDWR, 0); err == nil {
			serve(p)
			p.Close()
		}
		time.Sleep(100 * time.Millisecond) // no port yet, or nobody at its other end
	}
}

func serve(p io.ReadWriter) {
	for {
		var req wire.Request
		if wire.Receive(p, &req) != nil {
			return
		}
		reply := answer(req)
		reply.ID = req.ID
		if wire.Send(p, reply) != nil {
			return
		}
	}
}

func answer(req wire.Request) wire.Reply {
	switch {
	case req.Write != "":
		return wire.Reply{Err: text(write(req))}
	case req.Read != "":
		data, err := os.ReadFile(req.Read)
		return wire.Reply{Out: data, Err: text(err)}
	}
	cmd := exec.Command("/bin/bash", "-c", req.Script)
	cmd.Dir = "/root"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root",
		"LC_ALL=C.UTF-8"}
	// what a script leaves in the background must not hold its reply back
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code := exit.ExitCode()
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			code = 128 + int(s.Signal())
		}
		return wire.Reply{Out: out, Code: code}
	case errors.Is(err, exec.ErrWaitDelay):
		return wire.Reply{Out: out}
	}
	return wire.Reply{Out: out, Err: text(err)}
}

// write makes the file with exactly the mode asked for, whatever the umask and whatever was there before.
func write(req wire.Request) error {
	if err := os.WriteFile(req.Write, req.Data, 0o600); err != nil {
		return err
	}
	return os.Chmod(req.Write, req.Mode)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
