package budget

import "bytes"

// marksPerValue is how many marks a text may have for each value that it may have: not every mark begins one.
const marksPerValue = 3

// YAML refuses a text that may hold more values than the limit before a parser makes them: it takes a thousand bytes
// for some texts of two. What may begin a value, or a comment, counts, text in quotes and in blocks included.
func (b *Budget) YAML(data []byte) error {
	if err := b.size(data); err != nil {
		return err
	}
	marks := 0
	for i, c := range data {
		switch c {
		case '[', '{', ',', '#':
			marks++
		case '-', ':', '?':
			if i+1 == len(data) || bytes.IndexByte([]byte(" \t\r\n"), data[i+1]) >= 0 {
				marks++
			}
		}
		if marks > marksPerValue*b.limits[Values] {
			return b.exceed(Values, lineOf(data, i))
		}
	}
	return nil
}

// JSON refuses a text with more values than the limit, or deeper than it. What is no JSON is left to the parser.
func (b *Budget) JSON(data []byte) error {
	if err := b.size(data); err != nil {
		return err
	}
	values, depth, quoted := 1, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			values++
		case c == ']' || c == '}':
			depth--
		case c == ',' || c == ':':
			values++
		}
		if depth > b.limits[Depth] {
			return b.exceed(Depth, lineOf(data, i))
		}
		if values > b.limits[Values] {
			return b.exceed(Values, lineOf(data, i))
		}
	}
	return b.Spend(Values, values, 0)
}

// Lines spends the lines of a text, and refuses one with too many words.
func (b *Budget) Lines(data []byte) error {
	if err := b.size(data); err != nil {
		return err
	}
	line, words, blank := 1, 0, true
	for _, c := range data {
		switch {
		case c == '\n':
			line++
			blank = true
		case c == ' ' || c == '\t':
			blank = true
		case blank || c == ',':
			words++
			blank = false
		}
		if line > b.limits[Values] || words > marksPerValue*b.limits[Values] {
			return b.exceed(Values, line)
		}
	}
	return b.Spend(Values, line, 0)
}

// size refuses a text that is too long, and any once all files together have had their values.
func (b *Budget) size(data []byte) error {
	if err := b.Err(); err != nil {
		return err
	}
	if err := b.spent(Values); err != nil {
		return err
	}
	if len(data) > b.limits[Bytes] {
		return b.exceed(Bytes, 0)
	}
	return nil
}

func lineOf(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte("\n")) }
