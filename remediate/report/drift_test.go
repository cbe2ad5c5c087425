package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/report"
)

// TestDrift holds the whole text of a drift, and its JSON to the published schema with every object closed.
func TestDrift(t *testing.T) {
	d := &report.Drift{Schema: report.DriftSchema, Version: "1", Time: now, Runs: 2, Files: 3, Containers: 1, Checks: 2,
		Unconfirmed: "0002-x", Notes: []string{"a note"}, Drifted: []report.Drifted{
			{Path: "/etc/a", Run: "0001-x", Diff: "# /etc/a\n# mode 0644 -> 0666\n", Differences: []apply.Difference{
				{What: "mode", Was: "0644", Now: "0666"}, {What: "xattr user.\x1b", Was: "none", Now: "sha256 0"}}},
			{Path: "/etc/b", Run: "0002-x", Missing: true, Diff: "# /etc/b\n",
				Differences: []apply.Difference{{What: "existence", Was: "there", Now: "gone"}}},
			{Path: "/etc/c", Run: "0002-x", Replaced: true, Diff: "# /etc/c\n",
				Differences: []apply.Difference{{What: "content", Was: "sha256 0", Now: "sha256 1"}}},
		}, Live: []report.DriftedLive{
			{Kind: report.LiveContainer, ID: "abc", Subject: "container web", Run: "0001-x",
				Diff:        "# container web (abc)\n-restart no\n+restart always\n",
				Differences: []apply.Difference{{What: "restart", Was: "no", Now: "always"}}},
			{Kind: report.LiveContainer, ID: "abd", Subject: "container db", Run: "0001-x",
				Differences: []apply.Difference{{What: "existence", Was: "there", Now: "gone"}}},
			{Kind: report.LiveCheck, ID: "docker/icc", Subject: "daemon icc", Run: "0002-x",
				Differences: []apply.Difference{{What: "verdict", Was: "pass", Now: "fail: true, must be false"}}},
		}, Unknown: []report.NotCompared{{Subject: "/etc/d", Run: "0001-x", Reason: "denied"}}}
	d.Host.Name, d.Host.Root = "h", "/"
	var text, doc bytes.Buffer
	if err := report.Views[0].Write(&text, d, report.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `Drift: 6 changes since harden ran (compared: 3 files, 1 container and 2 checks of 2 runs); 1 could
not be compared

/etc/a
  changed since run 0001-x
  differs "xattr user.\x1b": none -> sha256 0
# /etc/a
# mode 0644 -> 0666

/etc/b
  gone    since run 0002-x
# /etc/b

/etc/c
  changed since run 0002-x
  content replaced by somebody else; harden has set only mode and owner
  differs content: sha256 0 -> sha256 1
# /etc/c

container web
  changed since run 0001-x
# container web (abc)
-restart no
+restart always

container db
  changed since run 0001-x
  differs existence: there -> gone

daemon icc
  changed since run 0002-x
  check   docker/icc
  differs verdict: pass -> fail: true, must be false

Not compared
  unknown /etc/d (run 0001-x): denied

Run 0002-x is not confirmed yet; its changes are compared too.

a note
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := report.JSON(&doc, d); err != nil {
		t.Fatal(err)
	}
	said, err := jsonschema.UnmarshalJSON(&doc)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := compiler(t).Compile("urn:harden:v1#/$defs/drift")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(said); err != nil {
		t.Error(err)
	}
	for _, none := range []*report.Drift{{Runs: 1, Files: 1, Unknown: d.Unknown}, {Runs: 1, Files: 1}} {
		var text bytes.Buffer
		if err := report.Views[0].Write(&text, none, report.Style{}); err != nil {
			t.Fatal(err)
		}
		want := "No drift: nothing has changed since harden ran (1 file, 0 containers and 0 checks of 1 run).\n"
		if len(none.Unknown) > 0 {
			want = "Unknown: 1 could not be compared; the rest is unchanged (1 file, 0 containers and 0 checks of 1\nrun).\n"
		}
		if got, _, _ := strings.Cut(text.String(), "\n\n"); strings.TrimSuffix(got, "\n")+"\n" != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	delete(said.(map[string]any)["drifted"].([]any)[0].(map[string]any), "differences")
	if schema.Validate(said) == nil {
		t.Error("the schema takes a file of which nothing differs")
	}
}
