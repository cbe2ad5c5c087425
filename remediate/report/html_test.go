package report_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/harden/checks"
	"example.com/harden/remediate/report"
)

var (
	inPage    = regexp.MustCompile(`(?s)<(style|script)>.*?</(style|script)>`)
	anyTag    = regexp.MustCompile(`<[^>]*>`)
	goodTag   = regexp.MustCompile(`^</?([a-z0-9]+)((?: [a-z-]+="[^"<]*")*)>$`)
	attribute = regexp.MustCompile(` ([a-z-]+)="([^"]*)"`)
	policy    = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	row       = regexp.MustCompile(`<tr data-`)
)

// TestHTML holds the page to elements and attributes of its own, each closed, whatever a host is called: no link leads
// out of it, nothing in it runs but its script, and every finding has its row.
func TestHTML(t *testing.T) {
	reading(t, "html", func(t *testing.T, rs report.Reports, text string) {
		if n := len(inPage.FindAllString(text, -1)); n != 2 {
			t.Errorf("%d styles and scripts, want one of each", n)
		}
		var open []string
		for _, tag := range anyTag.FindAllString(inPage.ReplaceAllString(text, ""), -1) {
			m := goodTag.FindStringSubmatch(tag)
			switch {
			case tag == "<!DOCTYPE html>":
				continue
			case m == nil:
				t.Fatalf("not a tag of the page's own: %.200s", tag)
			case slices.Contains([]string{"img", "iframe", "object", "embed", "link", "base", "svg", "script"}, m[1]):
				t.Errorf("%s in it", m[1])
			case tag[1] == '/':
				if len(open) == 0 || open[len(open)-1] != m[1] {
					t.Fatalf("%s closes nothing; open are %q", tag, open)
				}
				open = open[:len(open)-1]
				continue
			case !slices.Contains([]string{"meta", "input", "br"}, m[1]):
				open = append(open, m[1])
			}
			for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
				if strings.HasPrefix(a[1], "on") || a[1] == "style" || a[1] == "src" ||
					a[1] == "href" && !strings.HasPrefix(a[2], "#") {
					t.Errorf("%s: %s=%q", m[1], a[1], a[2])
				}
			}
		}
		if len(open) > 0 {
			t.Errorf("left open: %q", open)
		}
		findings, waived, unclear := counted(rs)
		n := len(row.FindAllString(text, -1))
		if total := findings + waived + unclear; n > total || len(rs) == 1 && n != total {
			t.Errorf("%d rows, want %d", n, total)
		}
		for _, r := range rs {
			for _, res := range r.Results {
				for _, f := range res.Findings {
					shown := html.EscapeString(report.Clean(cmp.Or(f.Place, f.Subject)))
					if !strings.Contains(text, "<td>"+shown+"</td>") {
						t.Fatalf("no row for %.100q", f.Subject)
					}
				}
			}
		}
	})
}

// TestHTMLChanged shows an earlier report of the same host as what has changed since, and not as another host.
func TestHTMLChanged(t *testing.T) {
	before, now := findings(t, hostile[:12]), findings(t, hostile[2:14])
	now.Host, now.Time = before.Host, before.Time.Add(time.Hour)
	text := formatted(t, "html", report.Reports{now, before})
	for _, want := range []string{"What has changed", "<b>new</b>", "<b>fixed</b>"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in it", want)
		}
	}
	if strings.Contains(text, "Hosts and checks") {
		t.Error("one host is shown as two")
	}
}

// TestHTMLFleet has hosts that are alike share a row, and a check in which they differ a column.
func TestHTMLFleet(t *testing.T) {
	var rs report.Reports
	for i := range 5 {
		r := findings(t, hostile[:12])
		r.Host.Name = fmt.Sprintf("node%d", i)
		if i == 3 {
			r.Results[3].Status, r.Results[3].State = checks.Fail, report.Fail
		}
		rs = append(rs, r)
	}
	text := formatted(t, "html", rs)
	_, matrix, _ := strings.Cut(text, `class="matrix"`)
	matrix, _, _ = strings.Cut(matrix, "</table>")
	for _, want := range []string{`<th scope="row">node0, node1, node2`, `<th scope="row">node3</th>`, "1 check that"} {
		if !strings.Contains(matrix, want) {
			t.Errorf("no %s in\n%s", want, matrix)
		}
	}
}

// chromium loads a page from its file and gives what became of it.
func chromium(t *testing.T, file string) string {
	t.Helper()
	exe, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium: not found; run scripts/setup")
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), exe, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=120000", "--dump-dom", "file://"+file)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, said.String())
	}
	return out.String()
}

// driver uses the page as a person does, and says what it saw.
const driver = `<script>addEventListener("load", () => {
const q = s => document.querySelector(s), f = q("#filter"), rows = [...document.querySelectorAll("#all tbody tr")];
const shown = () => rows.filter(r => !r.hidden).length, seen = {all: shown(), filter: !f.hidden};
const set = (name, value) => { f.elements[name].value = value; f.dispatchEvent(new Event("input", {bubbles: true})); };
set("text", "c99 "); seen.text = shown(); set("text", "");
set("state", "unknown"); seen.unknown = shown(); set("state", "");
const cell = q("button[data-threat]"); cell.focus(); cell.click();
seen.threat = shown(); seen.pressed = cell.getAttribute("aria-pressed"); seen.focus = document.activeElement.id;
cell.click(); seen.again = shown(); q("#theme").click(); seen.theme = document.documentElement.dataset.theme;
seen.mouse = [...document.querySelectorAll("[tabindex],a,button,input,select,summary")].filter(e => e.tabIndex < 0 &&
  !["findings"].includes(e.id) && e.tagName !== "ARTICLE").length;
document.body.textContent = "SEEN" + JSON.stringify(seen) + "NEES";
});</script></body>`

// TestHTMLBrowser opens the page in a real browser: its own policy lets its script run, nothing that a host is called
// runs or is fetched, and its filter, its map of threats and its theme do what they say.
func TestHTMLBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var asked atomic.Int64
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	trap := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { asked.Add(1) })}}
	trap.Start()
	t.Cleanup(trap.Close)
	names := slices.Clone(hostile)
	for _, lure := range []string{`<img src="%s/i">`, `"><script src="%s/s"></script>`, `<link rel=stylesheet href=%s/c>`,
		`' onfocus='fetch("%s/f")' autofocus x='`, `</style><style>@import "%s/m"</style>`, `</script><script>fetch("%s")`} {
		names = append(names, fmt.Sprintf(lure, trap.URL))
	}
	for i := range 300 {
		names = append(names, fmt.Sprintf("c%d ", i))
	}
	page := formatted(t, "html", findings(t, names))
	file := filepath.Join(t.TempDir(), "report.html")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(page)
	if dom := chromium(t, file); strings.Contains(dom, `<form id="filter" hidden`) || !strings.Contains(dom, "<form") {
		t.Error("the page's own script does not run under its policy")
	}
	write(strings.Replace(policy.ReplaceAllString(page, ""), "</body>", driver, 1))
	_, said, _ := strings.Cut(chromium(t, file), "SEEN{")
	said, _, _ = strings.Cut(said, "NEES")
	var seen struct {
		All, Text, Unknown, Threat, Again, Mouse int
		Filter                                   bool
		Pressed, Focus, Theme                    string
	}
	if err := json.Unmarshal([]byte("{"+said), &seen); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	all := len(names) + 3 // one is waived, one unknown, one for a person
	if seen.All != all || !seen.Filter || seen.Text != 1 || seen.Unknown != 1 || seen.Threat != len(names) ||
		seen.Again != all || seen.Pressed != "true" || seen.Focus != "findings" || seen.Theme == "" || seen.Mouse != 0 {
		t.Errorf("of %d rows: %+v", all, seen)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests left the page", n)
	}
}
