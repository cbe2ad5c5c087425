package stride_test

import (
	"strings"
	"testing"

	"example.com/harden/checks/stride"
)

// TestModel holds the model to what it promises: each threat is told in full and once, its ID says where it belongs,
// and each platform has a threat for every letter.
func TestModel(t *testing.T) {
	seen := map[stride.ID]bool{}
	letters := map[string]string{}
	for _, threat := range stride.All {
		if seen[threat.ID] {
			t.Errorf("%s: twice", threat.ID)
		}
		seen[threat.ID] = true
		letter := threat.ID.Category().Letter()
		if letter == "?" || threat.ID.Surface() == "" {
			t.Errorf("%s: no platform/surface/category", threat.ID)
		}
		letters[threat.ID.Platform()] += letter
		for what, text := range map[string]string{"title": threat.Title, "attack": threat.Attack, "answer": threat.Answer,
			"rest": threat.Rest} {
			if text == "" {
				t.Errorf("%s: no %s", threat.ID, what)
			}
		}
	}
	for platform, have := range letters {
		for _, c := range stride.Categories {
			if !strings.Contains(have, c.Letter()) {
				t.Errorf("%s: no threat of %s", platform, c)
			}
		}
	}
	if len(letters) == 0 {
		t.Error("no threats at all")
	}
}

func TestGet(t *testing.T) {
	got, err := stride.Get(stride.DockerHostTampering)
	if err != nil || got.ID != stride.DockerHostTampering {
		t.Errorf("got %q, %v", got.ID, err)
	}
	if _, err := stride.Get("docker/host/dampening"); err == nil {
		t.Error("a threat that does not exist was found")
	}
}

// TestLetters tells denial-of-service and disclosure by the letters of STRIDE and not by their own.
func TestLetters(t *testing.T) {
	got := ""
	for _, c := range stride.Categories {
		got += c.Letter()
	}
	if got != "STRIDE" {
		t.Errorf("letters %s", got)
	}
}
