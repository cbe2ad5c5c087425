package remediate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/diff"
)

// Example takes one check from the catalogue to a written file: docker/no-add, on a Dockerfile below a directory.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	repo := filepath.Join(dir, "repo")
	file := filepath.Join(repo, "Dockerfile")
	for name, text := range map[string]string{file: "FROM debian:12\nADD server.conf /etc/\n",
		filepath.Join(repo, "server.conf"): "listen 80\n"} {
		if err := os.MkdirAll(repo, 0o755); err != nil {
			fmt.Println(err)
			return
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := harden(dir, repo); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(file)
	fmt.Print(string(text))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// docker/no-add fail
	//  FROM debian:12
	// -ADD server.conf /etc/
	// +COPY server.conf /etc/
	// applied
	// FROM debian:12
	// COPY server.conf /etc/
}

// harden judges, plans, shows and applies.
func harden(dir, repo string) error {
	ctx := context.Background()
	selection, err := catalog.Select(catalog.All, catalog.Query{Only: []string{"docker/no-add"}, Sources: true})
	if err != nil {
		return err
	}
	sources := []facts.SourceDir{{Path: repo, As: "repo"}}
	host := facts.New(ctx, live.Beneath(sources), facts.Choices{})
	host.SourceDirs = sources

	results := checks.Run(ctx, host, selection.Checks)
	fmt.Println(results[0].Check, results[0].Status)

	everything := func(*checks.Check, want.Class) bool { return true }
	plan, err := remediate.Propose(ctx, host, results, remediate.Policy{Allow: everything})
	if err != nil {
		return err
	}
	if len(plan.Left) > 0 {
		return fmt.Errorf("left: %s", plan.Left[0].Reason)
	}
	shown := diff.Unified(plan.Changes[0], diff.NewRedactor(nil))
	_, hunk, _ := strings.Cut(shown, "@@\n")
	fmt.Print(hunk)

	for i := range plan.Changes { // apply opens nothing above repo, whose owner has said that it may be changed
		c := &plan.Changes[i]
		c.Path, c.Warrants = strings.TrimPrefix(c.Path, repo), []want.Warrant{want.Mine}
	}
	run, err := apply.Apply(ctx, plan, apply.Options{Root: repo, State: filepath.Join(dir, "state"), Source: true})
	if err != nil {
		return err
	}
	fmt.Println(run.Outcome)
	return nil
}
