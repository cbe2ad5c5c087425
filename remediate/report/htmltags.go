package report

import (
	"bufio"
	"html"
	"slices"
)

// tags writes HTML. All that is not the name of an element or an attribute goes through it as text, and so is inert.
type tags struct{ *bufio.Writer }

// open begins an element; attributes are pairs of a name and a value, and one without a name is left out.
func (w tags) open(element string, attributes ...string) {
	w.WriteString("<" + element)
	for pair := range slices.Chunk(attributes, 2) {
		if pair[0] != "" {
			w.WriteString(" " + pair[0] + `="` + html.EscapeString(pair[1]) + `"`)
		}
	}
	w.WriteString(">")
}

func (w tags) close(elements ...string) {
	for _, e := range elements {
		w.WriteString("</" + e + ">")
	}
	w.WriteString("\n")
}

// say writes what a host may have said, on one line.
func (w tags) say(s string) { w.WriteString(html.EscapeString(Clean(s))) }

// element writes a whole element with nothing but text in it.
func (w tags) element(name, text string, attributes ...string) {
	w.open(name, attributes...)
	w.say(text)
	w.WriteString("</" + name + ">")
}

// row writes a row of a table's head or body, each cell the text that it shows.
func (w tags) row(cell string, texts ...string) {
	w.open("tr")
	for _, t := range texts {
		if cell == "th" {
			w.element(cell, t, "scope", "col")
		} else {
			w.element(cell, t)
		}
	}
	w.close("tr")
}

// table begins a table with a caption and a head, in a region; closing tbody, table and div ends it.
func (w tags) table(label, caption string, columns []string, attributes ...string) {
	w.region(label)
	w.open("table", attributes...)
	w.element("caption", caption)
	w.open("thead")
	w.row("th", columns...)
	w.close("thead")
	w.open("tbody")
}

// region begins a part of the page that scrolls by itself where it is too wide, by keyboard too.
func (w tags) region(label string) {
	w.open("div", "class", "scroll", "role", "region", "tabindex", "0", "aria-label", label)
}
