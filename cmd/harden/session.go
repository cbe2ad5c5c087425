package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"example.com/harden/checks/want"
	"example.com/harden/remediate"
	"example.com/harden/remediate/apply"
	"example.com/harden/remediate/gate"
	"example.com/harden/remediate/report"
)

// A session is one command at work on one host.
type session struct {
	*Config
	teller
	ctx       context.Context
	now       time.Time
	selection *catalog.Selection
	host      *facts.Host
	results   []checks.Result
	validate  func(context.Context, remediate.Change, *facts.Host) error // asks the dockerd of this machine
	// where the state's lock is held for the whole command
	held *apply.Options
	wait time.Duration // for a package manager to be done
	// how long a run may stay unconfirmed; zero where it need not be confirmed
	within   time.Duration
	progress func(steps int) *progress
	resumed  bool          // an interrupted run was settled first, which has changed the host
	images   imageProgress // of --deep
	resolve  apply.Resolution
	// the fixes that a review has chosen, by check: of which classes; nil where there was none
	picked map[string][]want.Class
	// somebody has chosen them here, fix by fix
	reviewed bool
	asked    func(context.Context) (*remediate.Cluster, error) // the cluster, once for many plans; nil asks each time
}

// open reads the configuration and chooses the checks; the host is not looked at yet.
func open(cmd *cobra.Command) (*session, error) {
	config, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return newSession(cmd, config)
}

// openToChange is open for a command that changes the host: dry to show only, yes to do it without asking.
func openToChange(cmd *cobra.Command) (s *session, dry, yes bool, err error) {
	dry, _ = cmd.Flags().GetBool("dry-run")
	yes, _ = cmd.Flags().GetBool("yes")
	s, err = open(cmd)
	switch {
	case err != nil:
	case !live.Here && (!dry || len(s.Sources) == 0):
		err = usageError{errElsewhere}
	case s.refused(dry) != nil:
		err = usageError{s.refused(dry)}
	case !dry && len(s.Sources) > 0 && s.Stateless != nil:
		err = usageError{s.Stateless}
	case !s.View.Talks() && !dry && !yes:
		err = usageError{fmt.Errorf("--format %s cannot ask; use --dry-run or --yes", s.View.Name())}
	}
	return s, dry, yes, err
}

// openOnly is open for these checks alone, whatever the configuration selects.
func openOnly(cmd *cobra.Command, specs []string) (*session, error) {
	config, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	config.Query = catalog.Query{Only: specs, Benchmark: config.Query.Benchmark}
	return newSession(cmd, config)
}

func newSession(cmd *cobra.Command, config *Config) (*session, error) {
	wait, _ := cmd.Flags().GetDuration("wait-lock") // zero where there is no such flag
	if wait < 0 {
		return nil, usageError{fmt.Errorf("--wait-lock: %s is negative", wait)}
	}
	s := &session{Config: config, teller: teller{config, cmd.OutOrStdout(), redactor()}, wait: wait,
		ctx: cmd.Context(), now: time.Now(), validate: gate.Validate, progress: newProgress}
	if config.Root == "/" {
		s.validate = gate.ValidateHere
	}
	if err := procHere("/proc"); err != nil {
		return nil, err
	}
	var err error
	if s.selection, err = catalog.Select(catalog.All, s.Query); err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// look returns the host as it is now, nothing of it remembered from before.
func (s *session) look(ctx context.Context) *facts.Host {
	var machine facts.Source = live.New(s.Root, live.DockerOptions{Host: s.DockerHost, From: s.DockerFrom})
	if len(s.Sources) > 0 {
		machine = live.Beneath(s.Sources)
	}
	h := facts.New(ctx, machine, s.Choices)
	if h.SourceDirs = s.Sources; len(s.Sources) > 0 {
		return h
	}
	h.Earlier = func(path string) []facts.Version {
		versions, _ := apply.Earlier(s.options(), path) // without them what runs is not known, which is said
		return versions
	}
	return h
}

// errElsewhere says what harden can do where it is built for another system than Linux.
var errElsewhere = errors.New("this is " + runtime.GOOS +
	", and harden audits and changes Linux hosts; here use `harden " +
	"check --source DIR`, or `harden --source DIR --dry-run --format patch` for a patch")

// audit looks at the host and judges it.
func (s *session) audit() error {
	if !live.Here && len(s.Sources) == 0 {
		return usageError{errElsewhere}
	}
	if info, err := os.Stat(s.Root); err != nil {
		return usageError{fmt.Errorf("--root: %w", err)}
	} else if !info.IsDir() {
		return usageError{fmt.Errorf("--root: %s is not a directory", s.Root)}
	}
	s.host = s.look(s.ctx)
	if s.Deep && len(s.Sources) == 0 { // once: no fix is of what it tells
		s.host.Deep = s.reading
	}
	if len(s.Sources) == 0 {
		checks.Prefetch(s.host, len(s.Query.Only) == 0) // who asks for some checks may need no container at all
	}
	defer s.read()
	s.results = s.judge(s.ctx, s.host, s.selection.Checks)
	return s.ctx.Err()
}

// audited is the report of an audit, with every state decided.
func (s *session) audited() (*report.Report, error) {
	if err := s.audit(); err != nil {
		return nil, err
	}
	r := s.report("check")
	r.Settle()
	return r, nil
}

func (s *session) judge(ctx context.Context, h *facts.Host, cs []*checks.Check) []checks.Result {
	return checks.Waive(checks.Run(ctx, h, cs), s.Waivers, s.now)
}

// identity tells this host from others.
func (s *session) identity() report.Identity {
	if len(s.Sources) > 0 { // wherever the plan is applied from
		return report.Identity{Name: s.Sources[0].Path}
	}
	id := report.Identity{Name: s.hostname()}
	id.Machine = report.MachineID(s.host)
	return id
}

// hostname is the name of the host that is looked at, which is not this one's with --root.
func (s *session) hostname() string {
	if len(s.Sources) > 0 {
		return strings.Join(s.sources(), ", ")
	}
	if s.Root == "/" {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	if f, err := s.host.File("/etc/hostname"); err == nil {
		if name := strings.TrimSpace(string(f.Data)); name != "" {
			return name
		}
	}
	return s.Root
}

// sources are the directories of --source as they were named.
func (s *session) sources() []string {
	var names []string
	for _, d := range s.Sources {
		names = append(names, d.As)
	}
	return names
}

// options are what apply is to be called with.
func (s *session) options() apply.Options {
	if s.held != nil {
		return *s.held
	}
	if len(s.Sources) > 0 {
		return apply.Options{State: s.State, Root: s.Sources[0].Path, Version: version(), Source: true}
	}
	return apply.Options{State: s.State, Root: s.Root, Version: version(), Guard: s.guard()}
}

// agreed is nil when whoever is at the terminal says yes to the question, or has said so with --yes, and else the error
// that otherwise describes.
func (s *session) agreed(yes bool, question, otherwise string) error {
	if yes {
		return nil
	}
	if !isTerminal(os.Stdin) {
		return usageError{fmt.Errorf("%s: stdin is not a terminal; use --yes, or --dry-run to change nothing", otherwise)}
	}
	ok, err := s.confirm(question)
	if err != nil || ok {
		return err
	}
	return errors.New(otherwise)
}

// confirm asks on the terminal; anything but yes means no. Its error is that of an interruption, which the question
// does not outlast.
func (s *session) confirm(question string) (bool, error) {
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no answer is no
		answer <- line
	}()
	select {
	case a := <-answer:
		return isYes(a), nil
	case <-s.ctx.Done():
		fmt.Fprintln(os.Stderr)
		return false, s.ctx.Err()
	}
}

// isYes reports whether an answer is yes; anything else means no.
func isYes(answer string) bool {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
