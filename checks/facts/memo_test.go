package facts_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
)

// reads counts how often a fact has been read, by the host's number of restarted services.
type reads []int

func (r *reads) fact(fate facts.Fate[string]) func(*facts.Host) string {
	return func(h *facts.Host) string {
		s, err := facts.Once(h, "what a test counts", fate, func(h *facts.Host) (string, error) {
			*r = append(*r, len(h.Plan().Restarted))
			return fmt.Sprint(len(*r)), nil
		})
		if err != nil {
			s = err.Error()
		}
		return s
	}
}

// TestFates follows one fact of each fate through two plans, the second made on top of the first.
func TestFates(t *testing.T) {
	plan := func(names ...string) facts.Overlay {
		o := facts.Overlay{Restarted: map[string]bool{}}
		for _, n := range names {
			o.Restarted[n] = true
		}
		return o
	}
	updated := func(before, _ func() (string, error), o facts.Overlay) (string, error) {
		s, err := before()
		return s + strings.Repeat("+", len(o.Restarted)), err
	}
	for name, test := range map[string]struct {
		fate  facts.Fate[string]
		want  []string
		reads []int
	}{
		"kept":              {facts.Kept[string], []string{"1", "1", "1"}, []int{0}},
		"anew":              {facts.Anew[string], []string{"3", "2", "1"}, []int{2, 1, 0}},
		"made of the other": {updated, []string{"1", "1+", "1+++"}, []int{0}},
	} {
		var r reads
		fact := r.fact(test.fate)
		h := facts.New(context.Background(), nil, facts.Choices{})
		first := h.With(plan("a"))
		second := first.With(plan("a", "b"))
		for range 2 { // the second time nothing is read
			after := fact(second)
			between := fact(first)
			if got := []string{fact(h), between, after}; !slices.Equal(got, test.want) || !slices.Equal(r, test.reads) {
				t.Errorf("%s: %q, read on %v", name, got, r)
			}
		}
	}
}

// TestFateless holds each fact to state its fate: that of the zero value is refused wherever the fact is asked for.
func TestFateless(t *testing.T) {
	defer func() {
		if why := fmt.Sprint(recover()); !strings.Contains(why, "what a test counts") {
			t.Error(why)
		}
	}()
	new(reads).fact(nil)(facts.New(context.Background(), nil, facts.Choices{}))
	t.Error("a fact without a fate was read")
}

// TestInstead keeps what a view says otherwise from the host itself, and from what is read for both.
func TestInstead(t *testing.T) {
	var r reads
	fact := r.fact(facts.Anew[string])
	h := facts.New(context.Background(), nil, facts.Choices{})
	made := func(h *facts.Host) string {
		s, _ := facts.Once(h, "made of it", facts.Anew[string], func(h *facts.Host) (string, error) {
			return fact(h) + "!", nil
		})
		return s
	}
	view := facts.Instead(h, "what a test counts", "other")
	if got := []string{fact(view), made(view), fact(h), made(h)}; !slices.Equal(got, []string{"other", "1!", "1", "1!"}) {
		t.Errorf("%q", got)
	}
	if got := fact(view.With(facts.Overlay{})); got != "2" {
		t.Errorf("after a plan a view says %s", got)
	}
}

// TestHostIsTheMachine keeps what is known of a platform out of Host, of whose methods there are few.
func TestHostIsTheMachine(t *testing.T) {
	if n := reflect.TypeFor[*facts.Host]().NumMethod(); n > 29 { // and one that is not exported
		t.Errorf("Host has %d methods; make a new fact a function that reads by Once, in its platform's package", n)
	}
}
