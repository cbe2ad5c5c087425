package facts_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
	"golang.org/x/tools/txtar"
)

// A machine has real files, below a temporary directory, and whatever processes and rules a test gives it.
type machine struct {
	*live.Source
	dir       string // that stands for /
	processes []facts.Process
	listeners map[int][]facts.Listener
	audit     facts.AuditState
	auditErr  error
	engine    facts.Engine
	endpoint  facts.Endpoint
	engineErr error
}

// newMachine writes the files of an archive. Of a file whose name ends in @ the content is where a link leads.
func newMachine(t *testing.T, archive string) *machine {
	t.Helper()
	root := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name, link := strings.CutSuffix(f.Name, "@")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if link {
			err = os.Symlink(strings.TrimSpace(string(f.Data)), path)
		} else {
			err = os.WriteFile(path, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return &machine{Source: live.New(root, live.DockerOptions{}), dir: root,
		auditErr: facts.ErrAbsent, engineErr: facts.ErrAbsent}
}

func (m *machine) host() *facts.Host { return facts.New(context.Background(), m, facts.Choices{}) }

// Census stands before that of the files' Source.
func (m *machine) Census(ctx context.Context) (func(name string) ([]facts.Process, error), error) {
	return func(name string) ([]facts.Process, error) { return m.Processes(ctx, name) }, nil
}

func (m *machine) Processes(_ context.Context, name string) ([]facts.Process, error) {
	var ps []facts.Process
	for _, p := range m.processes {
		if filepath.Base(p.Exe) == name {
			ps = append(ps, p)
		}
	}
	return ps, nil
}

func (m *machine) Contained(context.Context, ...string) (map[string]string, error) { return nil, nil }

func (m *machine) Listeners(_ context.Context, pid int) ([]facts.Listener, error) {
	if ls, ok := m.listeners[pid]; ok {
		return ls, nil
	}
	return nil, fs.ErrNotExist
}

func (m *machine) Audit(context.Context) (facts.AuditState, error) { return m.audit, m.auditErr }

func (m *machine) Engine(context.Context) (facts.API, facts.Endpoint, error) {
	return m.engine, m.endpoint, m.engineErr
}
