package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// members goes through an object. take reads the value of the member of a name, or leaves it to be passed over.
func (rd *gistReader) members(take func(name string) (bool, error)) error {
	if rd.d.PeekKind() != '{' {
		return cmp.Or(rd.skip(), errors.New("not an object"))
	}
	if _, err := rd.d.ReadToken(); err != nil {
		return err
	}
	var all []string
	for rd.d.PeekKind() != '}' {
		name, err := rd.d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		taken, err := take(key)
		switch {
		case err == nil && !taken:
			err = rd.d.SkipValue()
		case err == nil && slices.Contains(all, key):
			err = fmt.Errorf("%q is there twice", key)
		case err == nil:
			all = append(all, key)
		}
		if err != nil {
			return err
		}
	}
	_, err := rd.d.ReadToken()
	return err
}

// elements goes through an array.
func (rd *gistReader) elements(take func() error) error {
	if rd.d.PeekKind() != '[' {
		return cmp.Or(rd.skip(), errors.New("not a list"))
	}
	if _, err := rd.d.ReadToken(); err != nil {
		return err
	}
	for rd.d.PeekKind() != ']' {
		if err := take(); err != nil {
			return err
		}
	}
	_, err := rd.d.ReadToken()
	return err
}

// skip passes over a value that is of the wrong type, so that the error is what is wrong with the file, if anything is.
func (rd *gistReader) skip() error { return rd.d.SkipValue() }

func (rd *gistReader) string(into *string) error {
	t, err := rd.d.ReadToken()
	switch {
	case err != nil:
		return err
	case t.Kind() != '"':
		return fmt.Errorf("%s: not a string", rd.d.StackPointer())
	}
	*into = t.String()
	return nil
}

// brief reads a text of which the beginning is enough.
func (rd *gistReader) brief(into *string) error {
	err := rd.string(into)
	*into = clipped(*into)
	return err
}

// number reads a number from 0 to 100.
func (rd *gistReader) number(into *int) error {
	t, err := rd.d.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '0' {
		return fmt.Errorf("%s: not a number", rd.d.StackPointer())
	}
	if f, err := t.Float(); err == nil && f >= 0 && f <= 100 {
		*into = int(f)
	}
	if t.String() != strconv.Itoa(*into) {
		return fmt.Errorf("%s: not a whole number from 0 to 100", rd.d.StackPointer())
	}
	return nil
}

func (rd *gistReader) time(into *time.Time) error {
	var text string
	if err := rd.string(&text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("time: %q is not a time", text)
	}
	*into, err = dated(t)
	return err
}

// dated is a time in UTC, if JSON has a way to write it there.
func dated(t time.Time) (time.Time, error) {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return t, errors.New("time: the year is out of range")
	}
	return t, nil
}
