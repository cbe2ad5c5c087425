package edit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/want"
	"example.com/harden/remediate/edit"
)

const composeHead = "services:\n  db:\n    cap_add: [A, B]\n  web:\n"

// compose makes the one service hold what is wanted; it gives back nothing where that cannot be.
func compose(data []byte, w want.Compose) ([]byte, error) {
	after, errs := edit.Composes(data, []want.Compose{w})
	if errs[0] != nil {
		return nil, errs[0]
	}
	return after, nil
}

func TestCompose(t *testing.T) {
	element := func(was string, index string, value any) want.Compose {
		return want.Compose{Service: "web", Key: []string{"cap_add", index}, Was: was, Value: value}
	}
	for _, tt := range []struct {
		name, in  string
		want      want.Compose
		out, fail string
	}{
		{"a key", "    image: x\n", want.Compose{Service: "web", Key: []string{"read_only"}, Value: true},
			"    image: x\n    read_only: true\n", ""},
		{"a new last element", "    cap_add: [A]\n", element("", "-", "B"), "    cap_add: [A, B]\n", ""},
		{"an element by its index", "    cap_add: [A, B, C]\n", element("", "1", "X"), "    cap_add: [A, X, C]\n",
			""},
		{"an element that has moved", "    cap_add:\n    - B # b\n    - A # a\n", element("A", "0", "X"),
			"    cap_add:\n    - B # b\n    - X # a\n", ""},
		{"an element that has moved goes", "    cap_add: [B, A, C]\n", element("A", "0", nil),
			"    cap_add: [B, C]\n", ""},
		{"the first of two goes", "    cap_add: [A, B]\n", element("A", "0", nil), "    cap_add: [B]\n", ""},
		{"the second of two goes", "    cap_add: [A, B]\n", element("B", "1", nil), "    cap_add: [A]\n", ""},
		{"the only one goes, and its list", "    image: x\n    cap_add:\n    - A\n", element("A", "0", nil),
			"    image: x\n", ""},
		{"the only one is another", "    cap_add: [A]\n", element("A", "0", "X"), "    cap_add: [X]\n", ""},
		{"an element of another form", "    cap_add: [{A: 1}, A]\n", element("A", "0", "X"),
			"    cap_add: [{A: 1}, X]\n", ""},
		{"gone already", "    cap_add: [B]\n", element("A", "0", nil), "",
			"services.web.cap_add: the element to change is not there"},
		{"no list", "    cap_add: A\n", element("A", "0", nil), "", "services.web.cap_add: no list"},
		{"a mapping", "    cap_add: {A: 1}\n", element("A", "0", nil), "", "services.web.cap_add: no list"},
		{"no such key", "    image: x\n", element("A", "0", nil), "", "services.web.cap_add: no list"},
		{"not YAML", "    image: [\n", element("A", "0", nil), "", "line 5: did not find expected node content"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := tt.out
			if tt.fail == "" {
				out = composeHead + tt.out
			}
			got, err := compose([]byte(composeHead+tt.in), tt.want)
			said := ""
			if err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff([2]string{out, tt.fail}, [2]string{string(got), said}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if got, err := compose(nil, element("A", "0", nil)); got != nil || err == nil {
		t.Errorf("no file became %q, %v", got, err)
	}
}
