package main

import (
	"bufio"
	"cmp"
	"io"

	"example.com/harden/remediate/report"
)

// deliver writes what saved reports say to the files that are named, all or, where a format cannot tell it, none, and
// prints it. It holds no document as a whole: that of many hosts is large.
func (t *teller) deliver(d report.Document) error {
	var printing error // what is printed cannot be taken back, and is no reason to take the files back
	err := t.writeFiles(t.config.Outputs, d, func() error {
		if t.config.Out != "" {
			return writeFileFrom(t.config.Out, 0o600, func(w io.Writer) error {
				return t.stream(w, t.config.View, d, (&teller{t.config, w, t.redactor}).style())
			})
		}
		out := &printed{Writer: t.stdout}
		err := t.stream(out, t.config.View, d, t.style())
		if out.some {
			printing, err = err, nil
		}
		return err
	})
	return cmp.Or(err, printing)
}

// stream writes a document in one format, bit by bit.
func (t *teller) stream(w io.Writer, v report.View, d report.Document, style report.Style) error {
	out := bufio.NewWriterSize(w, 1<<16)
	if err := t.write(out, v, d, style); err != nil {
		return err
	}
	return out.Flush()
}

// writeFiles writes a document to files, and puts them in place if then succeeds too.
func (t *teller) writeFiles(files []output, d report.Document, then func() error) error {
	if len(files) == 0 {
		return then()
	}
	return writeFileFrom(files[0].file, 0o600, func(w io.Writer) error {
		if err := t.stream(w, files[0].view, d, report.Style{}); err != nil {
			return err
		}
		return t.writeFiles(files[1:], d, then)
	})
}

// A printed notes whether anything was written.
type printed struct {
	io.Writer
	some bool
}

func (p *printed) Write(text []byte) (int, error) {
	p.some = true
	return p.Writer.Write(text)
}
