//go:build linux && !portable

package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"example.com/harden/checks/facts"
	"golang.org/x/sys/unix"
)

// auditTimeout is how long the kernel may take for one answer, in seconds. It answers from memory.
const auditTimeout = 5

// Audit asks the kernel over its audit socket, as auditctl does. Without CAP_AUDIT_CONTROL it is fs.ErrPermission;
// in a user namespace, or of a kernel built without auditing, facts.ErrAbsent.
func (s *Source) Audit(ctx context.Context) (facts.AuditState, error) {
	if err := s.running(); err != nil {
		return facts.AuditState{}, err
	}
	return bounded(ctx, "audit", "kernel", readAudit)
}

func readAudit() (facts.AuditState, error) {
	var state facts.AuditState
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return state, auditError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: auditTimeout}); err != nil {
		return state, auditError("socket option", err)
	}
	err = ask(fd, unix.AUDIT_GET, func(kind uint16, body []byte) (done bool, err error) {
		if kind != unix.AUDIT_GET || len(body) < 8 {
			return false, nil
		}
		state.Enabled = int(binary.NativeEndian.Uint32(body[4:])) // struct audit_status: mask, enabled, …
		return true, nil
	})
	if err != nil {
		return state, auditError("status", err)
	}
	err = ask(fd, unix.AUDIT_LIST_RULES, func(kind uint16, body []byte) (done bool, err error) {
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.AUDIT_LIST_RULES:
			rule, err := ruleText(body)
			state.Rules = append(state.Rules, rule)
			return false, err
		}
		return false, nil
	})
	if err != nil {
		return facts.AuditState{}, auditError("rules", err)
	}
	return state, nil
}

func auditError(what string, err error) error {
	err = fmt.Errorf("kernel audit %s: %w", what, os.NewSyscallError("netlink", err))
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("%w: %w", facts.ErrAbsent, err)
	}
	return err
}

// ask sends one request without a body and hands each answer to take until that is done.
func ask(fd int, kind uint16, take func(kind uint16, body []byte) (done bool, err error)) error {
	request := make([]byte, unix.SizeofNlMsghdr)
	binary.NativeEndian.PutUint32(request, unix.SizeofNlMsghdr)
	binary.NativeEndian.PutUint16(request[4:], kind)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(request[8:], uint32(kind)) // the sequence number, which answers repeat
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 {
			continue // anybody may send to our socket
		}
		for msg := buf[:n]; len(msg) >= unix.SizeofNlMsghdr; {
			size := int(binary.NativeEndian.Uint32(msg))
			if size < unix.SizeofNlMsghdr || size > len(msg) {
				return fmt.Errorf("message of %d bytes in %d", size, len(msg))
			}
			body := msg[unix.SizeofNlMsghdr:size]
			answer, sequence := binary.NativeEndian.Uint16(msg[4:]), binary.NativeEndian.Uint32(msg[8:])
			msg = msg[min((size+3)&^3, len(msg)):]
			if sequence != uint32(kind) {
				continue
			}
			if answer == unix.NLMSG_ERROR && len(body) >= 4 {
				if errno := int32(binary.NativeEndian.Uint32(body)); errno != 0 {
					return unix.Errno(-errno)
				}
				continue
			}
			if done, err := take(answer, body); done || err != nil {
				return err
			}
		}
	}
}
