package secret

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"example.com/harden/checks/budget"
)

// TestWindows finds the same in a long text, of which a rule sees what is around its keywords, as in all of it.
func TestWindows(t *testing.T) {
	pat, pem := "ghp_"+"x7Kq2LmZ9vBt4RyWs8NdPf3Gh6JcTa1Ue5Xo", "-----BEGIN RSA PRIVATE "+"KEY-----\n"+
		strings.Repeat("MIIEpAIBAAKCAQEAx7Kq2LmZ9vBt4RyWs8NdPf3Gh6JcTa1Ue5Xo\n", 60)+"-----END RSA PRIVATE "+"KEY-----\n"
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "%s\nENV T%d=%s https://u:%d-hunter2@h/\n%s%s", strings.Repeat("RUN echo token\n", 400), i, pat, i,
			pem, strings.Repeat("x", 3000))
	}
	text := []byte(b.String())
	var all []Hit
	for _, r := range rules() {
		if r.mayMatch(lowered(text)) {
			for _, span := range r.find(text) {
				all = append(all, Hit{Rule: r.id, Start: span[0], End: span[1]})
			}
		}
	}
	want, got := locate(text, all), Find(text)
	if len(want) != 120 || fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("%d and %d hits", len(want), len(got))
	}
	for _, h := range got {
		if h.Line != 1+bytes.Count(text[:h.Start], []byte("\n")) ||
			h.Column != h.Start-bytes.LastIndexByte(text[:h.Start], '\n') {
			t.Errorf("%+v", h)
		}
	}
}

// TestFindWithin gives up on a text that has something for every rule in every place, and says so.
func TestFindWithin(t *testing.T) {
	var words []string
	for _, r := range rules() {
		for _, k := range r.keywords {
			words = append(words, string(k))
		}
	}
	text := strings.Repeat(strings.Join(words, " ")+"\n", 200)
	if hits, err := FindWithin([]byte(text), budget.New("f", nil)); !errors.Is(err, budget.Err) || hits != nil {
		t.Errorf("%d hits, %v", len(hits), err)
	}
	if _, err := FindWithin([]byte(strings.Join(words, " ")), budget.New("f", nil)); err != nil {
		t.Error(err)
	}
}
