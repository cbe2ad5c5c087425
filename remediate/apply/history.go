package apply

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A record is one line of the history: {"hash":…,"record":…}. The hash is SHA-256 over the record's bytes as they
// stand there, and each record holds the hash of the one before it, so none can be changed, taken out or put in
// without every later one telling. Whoever is root can still rewrite them all, or cut off the end: that is what the
// head in the system log is for.
type record struct {
	Seq    int       `json:"seq"`
	Prev   string    `json:"prev"` // empty in the first
	Time   time.Time `json:"time"`
	Boot   string    `json:"boot"`
	Uptime int64     `json:"uptime_ns"` // since boot, suspend included: clocks can be set, this cannot
	Run    string    `json:"run,omitempty"`
	Event  string    `json:"event"`
	Path   []byte    `json:"path,omitempty"`
	Before *Image    `json:"before,omitempty"`
	After  *Image    `json:"after,omitempty"`
	What   string    `json:"what,omitempty"` // a reason, an activation, an error
	Runs   []string  `json:"runs,omitempty"` // of restart: of which nothing is in the history any more
	Actor  *Actor    `json:"actor,omitempty"`
	By     string    `json:"version,omitempty"`
}

type line struct {
	Hash   string          `json:"hash"`
	Record json.RawMessage `json:"record"`
}

// Events of the history: of a run, what is intended and then what came of it; of a file likewise.
const (
	hiApply    = "apply"
	hiRollback = "rollback"
	hiResume   = "resume"
	hiNothing  = "nothing-done" // intended, and given up before anything was changed
	hiWrite    = "write"
	hiWritten  = "written"
	hiRestore  = "restore"
	hiRestored = "restored"
	hiConfirm  = "confirm"
	hiExpire   = "expire"         // nobody has confirmed the run in time: it is about to be taken back
	hiTheirs   = "left-theirs"    // what somebody has changed since stays as it is
	hiOurs     = "overwrite-ours" // it is about to be written over; Before is what it was, kept in the journal
	hiAbandon  = "abandon"
	hiRepair   = "repair"   // What is damaged and about to be set aside, and where
	hiRepaired = "repaired" // and was
	hiRemark   = "remark"   // What was done by who has a journal of his own
	hiRestart  = "restart"  // the records after the one before this were set aside; What says where, with their SHA-256
	hiTorn     = "torn"     // the line before this one was cut off by a crash; What is its SHA-256
)

// A history is the open history file. Only who holds the lock has one.
type history struct {
	store *store
	name  string
	seq   int
	head  string
	bad   bool // what is in the file has to be looked at: it was not yet, or a write failed
}

const tailSize = 256 << 10 // more than any one record takes

func newHistory(s *store) *history { return &history{store: s, name: s.historyFile(), bad: true} }

// open finds the end of the chain, unless it is known. Only what will change something does: looking leaves no trace.
func (h *history) open() error {
	if h.bad {
		return h.recover()
	}
	return nil
}

// recover finds the end of the chain. What crashes have cut off behind it stays where it is, since a history is only
// ever appended to, and a record that names its hash says that it is known.
func (h *history) recover() error {
	f, err := openState(h.name, os.O_RDONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, min(end, tailSize))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	h.seq, h.head = 0, ""
	if len(tail) > 0 && tail[len(tail)-1] != '\n' {
		tail = append(tail, '\n')
		if err := h.write([]byte("\n")); err != nil {
			return err
		}
	}
	whole := 0 // bytes of tail up to the end of the last good record
	for at := 0; at < len(tail); {
		n := bytes.IndexByte(tail[at:], '\n') + 1
		r, hash, err := parseLine(tail[at : at+n])
		if err == nil {
			h.seq, h.head, whole = r.Seq, hash, at+n
		} else if json.Valid(tail[at : at+n]) {
			return broken(h.name, err)
		}
		at += n
	}
	if whole == 0 && int64(len(tail)) < end {
		return broken(h.name, fmt.Errorf("no record in its last %d bytes", len(tail)))
	}
	h.bad = false
	if whole < len(tail) {
		err = h.append(record{Event: hiTorn, What: sum(tail[whole:])})
		h.bad = err != nil
	}
	return err
}

// append writes one record to the end and flushes it.
func (h *history) append(r record) error {
	if ok, err := h.store.still(); !ok {
		return err
	}
	if err := h.open(); err != nil {
		return err
	}
	up, err := h.store.sys.uptime()
	if err != nil {
		return err
	}
	r.Seq, r.Prev, r.Time, r.Boot, r.Uptime = h.seq+1, h.head, time.Now().UTC(), h.store.sys.boot, up.Nanoseconds()
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	hash := sum(body)
	if err := h.write(fmt.Appendf(nil, "{\"hash\":%q,\"record\":%s}\n", hash, body)); err != nil {
		h.bad = true
		return err
	}
	h.seq, h.head = r.Seq, hash
	return nil
}

func (h *history) write(text []byte) error {
	f, err := openState(h.name, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		if err = h.store.sys.fsync(int(f.Fd())); err != nil {
			err = &fs.PathError{Op: "fsync", Path: h.name, Err: err}
		}
	}
	return together(err, f.Close())
}

// broken says that the history's chain does not hold, where, and what to do.
func broken(where string, why error) error {
	return fmt.Errorf("%s: %w: %w; `harden repair` shows what is lost and restarts it", where, ErrHistory, why)
}

// parseLine checks one line by itself: that it is a record and that its hash is right.
func parseLine(text []byte) (r record, hash string, err error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return r, "", err
	}
	if l.Hash != sum(l.Record) {
		return r, "", errors.New("its hash is of another record")
	}
	return r, l.Hash, json.Unmarshal(l.Record, &r)
}

// readHistory checks the chain from its first record on and hands each to see.
func readHistory(name string, see func(r record, hash string)) error {
	_, err := scanHistory(name, see)
	return err
}

// A chain is how far the history holds.
type chain struct {
	size int64 // bytes up to the end of the last record that holds
	line int   // the line after that
	seq  int
	head string
}

func scanHistory(name string, see func(r record, hash string)) (c chain, err error) {
	c.line = 1
	f, err := openState(name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var torn []byte
	at := int64(0)
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF {
			return c, nil // what has no end, or was torn and not marked yet, a crash has left: the next run marks it
		}
		if err != nil {
			return c, err
		}
		at += int64(len(text))
		r, hash, err := parseLine(text)
		where := fmt.Sprintf("%s:%d", name, n)
		switch {
		case err != nil && json.Valid(text): // the beginning of a record is never valid JSON
			return c, broken(where, err)
		case err != nil:
			torn = append(torn, text...)
			continue
		case r.Seq != c.seq+1 || r.Prev != c.head:
			return c, broken(where, fmt.Errorf("record %d does not follow record %d", r.Seq, c.seq))
		case torn != nil && (r.Event != hiTorn || r.What != sum(torn)):
			return c, broken(where, errors.New("the line before it is not a record"))
		}
		torn = nil
		c = chain{at, n + 1, r.Seq, hash}
		see(r, hash)
	}
}

// announce tells the system log a run's outcome and the head of the history, so that rewriting the history needs the
// log rewritten too. Nobody may be listening, and nothing waits for them.
func (h *history) announce(text string) {
	c, err := net.DialTimeout("unixgram", h.store.sys.devlog, time.Second)
	if err != nil {
		return
	}
	defer c.Close()
	const notice = 10<<3 | 5 // LOG_AUTHPRIV, LOG_NOTICE
	if c.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		fmt.Fprintf(c, "<%d>%s harden[%d]: %s", notice, time.Now().Format(time.Stamp), os.Getpid(), text)
	}
}

// bootID names this boot; empty where the kernel does not say.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// actor is who runs this.
func actor() Actor {
	a := Actor{UID: os.Getuid(), SudoUser: os.Getenv("SUDO_USER"), PID: os.Getpid()}
	const unset = 1<<32 - 1
	if text, err := os.ReadFile("/proc/self/loginuid"); err == nil {
		if id, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && id != unset {
			a.LoginUID = &id
		}
	}
	for fd := range 3 {
		if name, err := os.Readlink(procFD(fd)); err == nil &&
			(strings.HasPrefix(name, "/dev/pts/") || strings.HasPrefix(name, "/dev/tty")) {
			a.TTY = strings.TrimPrefix(name, "/dev/")
			break
		}
	}
	return a
}
