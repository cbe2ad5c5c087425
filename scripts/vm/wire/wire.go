// Package wire is how a test and the agent inside its virtual machine talk: one request, one reply, over a serial
// port. Every message stands alone, so that a machine resumed from a snapshot needs no memory of an earlier peer.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"io"
	"io/fs"
)

// A Request asks for one thing: to run Script with bash, to write Data to Write, or to read the file Read.
type Request struct {
	ID          uint64 // the reply carries it back
	Script      string
	Write, Read string // absolute paths
	Mode        fs.FileMode
	Data        []byte
}

// A Reply answers the request of the same ID. Err is about the request itself, not about what the script did.
type Reply struct {
	ID   uint64
	Out  []byte // what the script wrote to its standard output and error, or what was read
	Code int    // how the script exited; 128 and the signal's number when a signal ended it
	Err  string
}

// limit bounds a message: the largest that is sent is a Go binary.
const limit = 1 << 28

// Send writes one message.
func Send(w io.Writer, message any) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	if err := gob.NewEncoder(&b).Encode(message); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(b.Len()-4))
	_, err := w.Write(b.Bytes())
	return err
}

// Receive reads one message into the pointer message.
func Receive(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > limit {
		return fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return gob.NewDecoder(bytes.NewReader(body)).Decode(message)
}
