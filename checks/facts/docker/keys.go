package docker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf16"

	"example.com/harden/checks/facts"
	"github.com/tailscale/hujson"
)

// ParseKeys reads a daemon.json as strictly as ParseObject does.
func ParseKeys(data []byte) (*Keys, error) {
	top, err := facts.ParseObject(data)
	if err != nil {
		return nil, err
	}
	keys := &Keys{Values: map[string]json.RawMessage{}}
	for _, m := range top.Value.(*hujson.Object).Members {
		name := m.Name.Value.(hujson.Literal).String()
		keys.Order = append(keys.Order, name)
		keys.Values[name] = bytes.Clone(data[m.Value.StartOffset:m.Value.EndOffset])
	}
	return keys, nil
}

// parseDaemonKeys reads a daemon.json as the Engine of this host does. From 23.0 on dockerd takes an empty file for one
// that says nothing and goes by a byte order mark; before, it does not start with either. Where its version is not
// known, what only some take is an error. Source: moby daemon/config/config.go, getConflictFreeConfiguration.
func parseDaemonKeys(data []byte, engine *EngineFacts) (*Keys, error) {
	text, odd := decoded(data)
	if odd == "" {
		return ParseKeys(data)
	}
	if engine == nil {
		return nil, fmt.Errorf("%s, which dockerd takes from 23.0 on only; write the file without it", odd)
	}
	if !engine.AtLeast(23, 0) {
		return nil, fmt.Errorf("%s, with which dockerd %s does not start; write the file without it", odd,
			engine.ServerVersion)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return &Keys{Values: map[string]json.RawMessage{}}, nil
	}
	return ParseKeys(text)
}

// decoded is a daemon.json without its byte order mark, in UTF-8, and what it has that old dockerds do not take.
func decoded(data []byte) (text []byte, odd string) {
	order := map[string]binary.ByteOrder{"\xff\xfe": binary.LittleEndian, "\xfe\xff": binary.BigEndian}
	for mark, o := range order {
		rest, ok := bytes.CutPrefix(data, []byte(mark))
		if !ok {
			continue
		}
		var units []uint16
		for ; len(rest) > 1; rest = rest[2:] {
			units = append(units, o.Uint16(rest))
		}
		return []byte(string(utf16.Decode(units))), "it is in UTF-16"
	}
	if text, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return text, "it begins with a byte order mark"
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, "it is empty"
	}
	return data, ""
}

// Keys are the top-level members of a daemon.json.
type Keys struct {
	Order  []string
	Values map[string]json.RawMessage
}
