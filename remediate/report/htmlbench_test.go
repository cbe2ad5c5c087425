package report_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// painted tells a server how long after the start of the page a browser had drawn it.
const painted = `<script>addEventListener("load", () => requestAnimationFrame(() => setTimeout(() =>
fetch("%s/" + Math.round(performance.now()), {mode: "no-cors"}))));</script></body>`

// BenchmarkHTMLBrowser is how long a real browser takes from the start of a page with 10,000 findings until it has
// drawn it, in ms/page.
func BenchmarkHTMLBrowser(b *testing.B) {
	exe, err := exec.LookPath("chromium")
	if err != nil {
		b.Skip("needs chromium")
	}
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("container c%d of project p%d", i, i/10)
	}
	took := make(chan int, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if ms, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); err == nil {
			took <- ms
		}
	}))
	defer s.Close()
	page := policy.ReplaceAllString(formatted(b, "html", findings(b, names)), "")
	page = strings.Replace(page, "</body>", fmt.Sprintf(painted, s.URL), 1)
	file := filepath.Join(b.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		b.Fatal(err)
	}
	total := 0
	for b.Loop() {
		cmd := exec.Command(exe, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1280,800",
			"--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
			"--user-data-dir="+b.TempDir(), "file://"+file)
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		total += <-took
		cmd.Process.Kill()
		cmd.Wait()
	}
	b.ReportMetric(float64(total)/float64(b.N), "ms/page")
}
