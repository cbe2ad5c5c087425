package facts

import (
	"bufio"
	"bytes"
	"strings"
)

// Stanza finds a field of the paragraph that has a line, in the database of a package manager; empty where there is
// none.
func Stanza(h *Host, file, line, field string) string {
	f, err := h.File(file)
	if err != nil {
		return ""
	}
	found, value := false, ""
	lines := bufio.NewScanner(bytes.NewReader(f.Data))
	lines.Buffer(nil, MaxFile)
	for lines.Scan() {
		switch text := lines.Text(); {
		case text == "":
			if found {
				return value
			}
			value = ""
		case text == line:
			found = true
		case strings.HasPrefix(text, field):
			value = strings.TrimPrefix(text, field)
		}
	}
	if !found {
		return ""
	}
	return value
}
