package docker

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"example.com/harden/checks/facts"
)

// TestOpenRC reads what scripts of OpenRC pass to dockerd, as OpenRC's own shell would.
func TestOpenRC(t *testing.T) {
	const script = "#!/sbin/openrc-run\nsupervisor=supervise-daemon\ncommand=\"${DOCKERD_BINARY:-/usr/bin/dockerd}\"\n"
	const alpine = script + "command_args=\"${DOCKER_OPTS}\"\n"
	for _, test := range []struct{ name, script, conf, rc, want string }{
		{"nothing", alpine, "DOCKER_OPTS=\"\"\n", "", ""},
		{"one variable", alpine, "DOCKER_OPTS=\"--icc=true -H fd://\"", "",
			"--icc=true|conf.d/docker|DOCKER_OPTS -H|conf.d/docker|DOCKER_OPTS fd://|conf.d/docker|DOCKER_OPTS"},
		{"a comment", alpine, "#DOCKER_OPTS=\"--icc=true\"\nDOCKER_OPTS='--debug' # more", "",
			"--debug|conf.d/docker|DOCKER_OPTS"},
		{"the system's settings win", alpine, "DOCKER_OPTS=--a", "DOCKER_OPTS=--b", "--b|rc.conf|DOCKER_OPTS"},
		{"an export", alpine, "export DOCKER_OPTS=--a OTHER=1", "", "--a|conf.d/docker|DOCKER_OPTS"},
		{"a default", alpine, ": ${DOCKER_OPTS:=--a}", "", "--a|conf.d/docker|DOCKER_OPTS"},
		{"one in another", alpine, "X=--a\nDOCKER_OPTS=\"$X --b\"", "", "--a|conf.d/docker|X --b|conf.d/docker|DOCKER_OPTS"},
		{"another name", script + "command_args=\"-p /run/docker.pid ${DOCKERD_OPTS}\"", "DOCKERD_OPTS=--a", "",
			"-p|init.d/docker| /run/docker.pid|init.d/docker| --a|conf.d/docker|DOCKERD_OPTS"},
		{"in the foreground", alpine + "command_args_foreground=--f\ncommand_args_background=--b", "", "",
			"--f|init.d/docker|"},
		{"in the background", strings.Replace(alpine, "supervisor=supervise-daemon", "", 1) + "command_args_background=--b",
			"", "", "--b|init.d/docker|"},
		{"over two lines", alpine, "DOCKER_OPTS=\"--a \\\n --b\"", "",
			"--a|conf.d/docker|DOCKER_OPTS --b|conf.d/docker|DOCKER_OPTS"},
		{"quoted twice", alpine, "DOCKER_OPTS=\"--label='a b'\"", "", "--label=a b|conf.d/docker|DOCKER_OPTS"},
		{"a function", alpine + "start_pre() {\n\tDOCKER_OPTS=--late\n}\n", "DOCKER_OPTS=--a", "",
			"--a|conf.d/docker|DOCKER_OPTS"},
		{"a function that changes the command", alpine + "start_pre() {\n\tcommand_args=--late\n}\n", "", "",
			"error: command_args: set in a function"},
		{"a condition", alpine, "if [ -e /x ]; then\n\tDOCKER_OPTS=--a\nfi", "",
			"error: command_args: set in a function or under a condition in /etc/conf.d/docker"},
		{"a short condition", alpine, "[ -e /x ] && DOCKER_OPTS=--a", "", "error: command_args: set"},
		{"taken away again", alpine, "DOCKER_OPTS=--a; unset DOCKER_OPTS", "", ""},
		{"taken away under a condition", alpine, "DOCKER_OPTS=--a\n[ -e /x ] && unset DOCKER_OPTS", "",
			"error: command_args: unset in /etc/conf.d/docker"},
		{"evaluated", alpine, "eval DOCKER_OPTS=--a", "", "error: command: eval in /etc/conf.d/docker"},
		{"evaluated, and then set", script + "command=/usr/bin/dockerd\ncommand_args=$DOCKER_OPTS\n",
			"eval X=--a\nDOCKER_OPTS=--b", "", "error: command_args_foreground: eval in"},
		{"read", alpine, "read -r DOCKER_OPTS </etc/opts", "", "error: command_args: read in /etc/conf.d/docker"},
		{"a function that evaluates", alpine + "start_pre() {\n\teval \"$X\"\n}\n", "DOCKER_OPTS=--a", "",
			"--a|conf.d/docker|DOCKER_OPTS"},
		{"a program", alpine, "DOCKER_OPTS=\"$(cat /x)\"", "", "error: command_args: made from"},
		{"another program", strings.Replace(alpine, "/usr/bin/dockerd", "/usr/bin/wrapper", 1), "", "", "error: command is"},
		{"what a shell would run", alpine, "DOCKER_OPTS='--a; rm'", "", "error: the shell would take"},
		{"without end", alpine, "A=x" + strings.Repeat("\nA=\"$A$A$A$A$A$A$A$A\"", 30) + "\nDOCKER_OPTS=$A", "",
			"error: /etc/init.d/docker: too large or too complex"},
		{"cut off", alpine, "DOCKER_OPTS=${", "", "error: command_args: made from ${ in /etc/conf.d/docker"},
		{"cut off in a default", alpine, "DOCKER_OPTS=${X:-${", "", "error: command_args: made from ${X:-${ in"},
		{"open", alpine, "DOCKER_OPTS=\"--a", "", "--a|conf.d/docker|DOCKER_OPTS"},
	} {
		h := facts.New(t.Context(), written{files: map[string]string{sysvScript: test.script, "/etc/conf.d/docker": test.conf,
			"/etc/rc.conf": test.rc}}, facts.Choices{})
		d := new(Daemon)
		err := openrc(h, d, facts.File{Info: facts.Info{Path: sysvScript}, Data: []byte(test.script)})
		var told []string
		if err == nil {
			told = origins(t, h)
		}
		got := strings.Join(told, " ")
		if err != nil {
			got = "error: " + strings.TrimPrefix(err.Error(), "/etc/init.d/docker: the arguments of dockerd are not known: ")
		}
		if want, failure := strings.CutPrefix(test.want, "error: "); failure && !strings.HasPrefix(got, "error: "+want) ||
			!failure && got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if d.Unit != sysvScript && !strings.Contains(got, "too large") {
			t.Errorf("%s: the service is %q", test.name, d.Unit)
		}
	}
}

// origins tells each argument with the file and the variable that it is written in.
func origins(t *testing.T, h *facts.Host) (told []string) {
	t.Helper()
	s, _, err := scripts(h)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := s.arguments()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range tokens {
		told = append(told, w.Text+"|"+strings.TrimPrefix(w.File, "/etc/")+"|"+w.Variable)
	}
	return told
}

// written is a host that has these files alone.
type written struct {
	facts.Source
	files map[string]string
}

func (w written) Stat(_ context.Context, p string) (facts.Info, error) {
	if _, ok := w.files[p]; !ok {
		return facts.Info{}, fs.ErrNotExist
	}
	return facts.Info{Path: p, Mode: 0o644, Size: int64(len(w.files[p]))}, nil
}

func (w written) Read(_ context.Context, p string) ([]byte, error) { return []byte(w.files[p]), nil }
