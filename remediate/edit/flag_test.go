package edit

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
)

func TestFlag(t *testing.T) {
	for _, tt := range []struct{ name, in, flag, value, want string }{
		{"nothing yet", "", "icc", "false", "--icc=false"},
		{"append", "/usr/bin/dockerd -H fd:// $DOCKER_OPTS", "icc", "false",
			"/usr/bin/dockerd -H fd:// $DOCKER_OPTS --icc=false"},
		{"append before blanks at the end", "dockerd\t-D ", "icc", "false", "dockerd\t-D --icc=false "},
		{"append before what ends the flags", "dockerd -- x", "icc", "false", "dockerd --icc=false -- x"},
		{"after the end of the flags it is none", "d -- --icc=true", "icc", "false", "d --icc=false -- --icc=true"},
		{"replace", "dockerd  --icc=true\t-D", "icc", "false", "dockerd  --icc=false\t-D"},
		{"a bare boolean is true", "dockerd --icc -D", "icc", "false", "dockerd --icc=false -D"},
		{"a bare boolean is true already", "dockerd --icc -D", "icc", "true", "dockerd --icc -D"},
		{"a boolean takes no word", "dockerd --icc false", "icc", "false", "dockerd --icc=false false"},
		{"value in the next word", "dockerd --log-driver json-file -D", "log-driver", "journald",
			"dockerd --log-driver journald -D"},
		{"value after an equals sign", "dockerd --log-driver=json-file", "log-driver", "journald",
			"dockerd --log-driver=journald"},
		{"repeated", "d --icc=true -D --icc -H x --icc=true y", "icc", "false", "d -D -H x --icc=false y"},
		{"repeated, right already", "d --icc=true -D --icc=false", "icc", "false", "d -D --icc=false"},
		{"repeated, both forms", "d --log-level=x --log-level y z", "log-level", "info", "d --log-level info z"},
		{"repeated in options", "--icc --a --icc", "icc", "false", "--a --icc=false"},
		{"repeated at the very beginning", "--port=0 --port=10255", "port", "0", "--port=0"},
		{"repeated three times at the beginning", "--port=1 --port=2 --port=3 -D", "port", "0", "--port=0 -D"},
		{"repeated with a value in the next word", "--port 1 --port 2", "port", "0", "--port 0"},
		{"quoted", `d "--icc=true" '--log-opt=a b' x`, "icc", "false", `d --icc=false '--log-opt=a b' x`},
		{"quoted within", `d --log-level="info" x`, "log-level", "warn", `d --log-level=warn x`},
		{"value quoted", `d --log-level 'info' x`, "log-level", "warn", `d --log-level warn x`},
		{"value with a blank", "d", "tlscacert", "/etc/my ca.pem", `d "--tlscacert=/etc/my ca.pem"`},
		{"a quoted flag is one", `d "--i"cc=true`, "icc", "false", `d --icc=false`},
		{"a name that goes on", "d --icc-x=true --iccc", "icc", "false", "d --icc-x=true --iccc --icc=false"},
		{"in another's value", `d --label "x --icc=true"`, "icc", "false", `d --label "x --icc=true" --icc=false`},
		{"same", `d  "--icc=false"`, "icc", "false", `d  "--icc=false"`},
		{"prefixes", "@-/usr/bin/dockerd docker -D", "icc", "false", "@-/usr/bin/dockerd docker -D --icc=false"},
		{"empty value", "d --x=1", "x", "", "d --x="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Flag(tt.in, tt.flag, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRemoveFlag(t *testing.T) {
	for _, tt := range []struct {
		in, flag string
		boolean  bool
		want     string
	}{
		{"d --icc=true -D --icc x", "icc", true, "d -D x"},
		{"d -D --log-level info", "log-level", false, "d -D"},
		{"--log-level=info -D", "log-level", false, "-D"},
		{"--port=0 --port=10255", "port", false, ""},
		{"--port 0 --port=10255 -D --port=1", "port", false, "-D"},
		{"  --icc ", "icc", true, "   "},
		{"d 'a  b'", "icc", true, "d 'a  b'"},
	} {
		if got, err := RemoveFlag(tt.in, tt.flag, tt.boolean); err != nil || got != tt.want {
			t.Errorf("RemoveFlag(%q, %q) = %q, %v; want %q", tt.in, tt.flag, got, err, tt.want)
		}
	}
}

func TestFlagRefuses(t *testing.T) {
	for _, tt := range []struct{ in, flag, value, want string }{
		{`é "a`, "icc", "false", "column 3: a quote that is not closed"},
		{`d \`, "icc", "false", "column 3: a backslash with nothing after it"},
		{"d --log-level", "log-level", "info", "column 3: --log-level has no value"},
		{"d ; e", "icc", "false", "column 3: several commands on one line: edit it yourself"},
		{"-/bin/sh -c 'dockerd'", "icc", "false", "the command is run by sh: edit it yourself"},
		{"d", "x", "$HOME", "the value of --x holds '$', which cannot be written there safely"},
		{"d", "x", "a\nb", `the value of --x holds '\n', which cannot be written there safely`},
		{"d", "--icc", "true", `"--icc" is not the name of a flag`},
		{"d", "i c", "true", `"i c" is not the name of a flag`},
	} {
		if got, err := Flag(tt.in, tt.flag, tt.value); got != "" || err == nil || err.Error() != tt.want {
			t.Errorf("Flag(%q, %q, %q) = %q, %v; want %s", tt.in, tt.flag, tt.value, got, err, tt.want)
		}
	}
}

func TestEnvFlag(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"double quotes", "DOCKER_OPTS=\"--icc=true -H fd://\"\n", "DOCKER_OPTS=\"--icc=false -H fd://\"\n"},
		{"single quotes, CRLF", "A=1\r\nDOCKER_OPTS='-D --icc'\r\n", "A=1\r\nDOCKER_OPTS='-D --icc=false'\r\n"},
		{"bare", "DOCKER_OPTS = --icc=true \n", "DOCKER_OPTS = --icc=false \n"},
		{"bare of several words", "DOCKER_OPTS=-D -H x", "DOCKER_OPTS=-D -H x --icc=false"},
		{"bare gets a second word", "DOCKER_OPTS=-D\n", "DOCKER_OPTS=\"-D --icc=false\"\n"},
		{"empty", "DOCKER_OPTS=\nA=b", "DOCKER_OPTS=--icc=false\nA=b"},
		{"empty quotes", "DOCKER_OPTS=\"\"\n", "DOCKER_OPTS=\"--icc=false\"\n"},
		{"none", "# DOCKER_OPTS=x\nA=b", "# DOCKER_OPTS=x\nA=b\nDOCKER_OPTS=\"--icc=false\""},
		{"none, CRLF", "A=b\r\n", "A=b\r\nDOCKER_OPTS=\"--icc=false\"\r\n"},
		{"the last counts", "DOCKER_OPTS=--icc\nDOCKER_OPTS=\"--icc=true\"\n",
			"DOCKER_OPTS=--icc\nDOCKER_OPTS=\"--icc=false\"\n"},
		{"others may be written as they like", "A=\"x\"'y'\\ z\nDOCKER_OPTS=--icc\n",
			"A=\"x\"'y'\\ z\nDOCKER_OPTS=--icc=false\n"},
		{"same", "\tDOCKER_OPTS=\t\"--icc=false\"\t\n", "\tDOCKER_OPTS=\t\"--icc=false\"\t\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := EnvFlag([]byte(tt.in), "DOCKER_OPTS", "icc", "false")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if again, err := EnvFlag(got, "DOCKER_OPTS", "icc", "false"); err != nil || &again[0] != &got[0] {
				t.Errorf("the second edit gave %q, %v; want the very bytes of the first", again, err)
			}
		})
	}
	if got, err := EnvFlag(nil, "DOCKER_OPTS", "icc", "false"); err != nil ||
		string(got) != "DOCKER_OPTS=\"--icc=false\"\n" {
		t.Errorf("no file: %q, %v", got, err)
	}
}

func TestEnvFlagRefuses(t *testing.T) {
	const goesOn = "the line goes on in the next: edit it yourself"
	for _, tt := range []struct{ in, variable, value, want string }{
		{"A=1\nDOCKER_OPTS=-D \\\n -H x\n", "DOCKER_OPTS", "1", "line 2, column 1: " + goesOn},
		{"A=b\nA=\"x", "DOCKER_OPTS", "1", "line 2, column 1: " + goesOn},
		{"A=\"x\ny\"\n", "DOCKER_OPTS", "1", "line 1, column 1: " + goesOn},
		{"# x \\\nA=b\n", "DOCKER_OPTS", "1", "line 1, column 1: " + goesOn},
		{"É=1\nO=\"a\"'b'\n", "O", "1",
			"line 2, column 3: the value is written with backslashes or in several quoted pieces"},
		{"O=\"a\"\n", "O", "b c", "line 1, column 3: the value would need escaping"},
		{"O=\"'a\"\n", "O", "1", "line 1, column 3: column 1: a quote that is not closed"},
		{"", "0O", "1", `"0O" is not the name of an environment variable`},
		{"", "O O", "1", `"O O" is not the name of an environment variable`},
	} {
		got, err := EnvFlag([]byte(tt.in), tt.variable, "x", tt.value)
		if got != nil || err == nil || err.Error() != tt.want {
			t.Errorf("EnvFlag(%q) = %q, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}

// FuzzFlag: an edit that is not refused can be repeated to no effect and taken back to a line without the flag.
func FuzzFlag(f *testing.F) {
	for _, s := range []string{"", "d --icc", `d "--icc=1" --icc '2' -- --icc`, `d\ e --i"c"c=\x41`, "--icc --icc x",
		"d;e ; f"} {
		f.Add(s, "icc", "false")
		f.Add(s, "icc", "a b")
	}
	f.Fuzz(func(t *testing.T, line, name, value string) {
		after, err := Flag(line, name, value)
		if refused(t, err) {
			return
		}
		if again, err := Flag(after, name, value); err != nil || again != after {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		boolean := value == "true" || value == "false"
		gone, err := RemoveFlag(after, name, boolean)
		if err != nil {
			t.Fatalf("%q: %v", after, err)
		}
		never, err := RemoveFlag(line, name, boolean)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		a, _ := tokens(gone)
		b, _ := tokens(never)
		if diff := cmp.Diff(rest(b, nil), rest(a, nil)); diff != "" {
			t.Fatalf("%q became %q; the other words (-before +after)\n%s", line, after, diff)
		}
	})
}

// FuzzEnvFlag: an edit that is not refused changes one line, and systemd's reading of one variable.
func FuzzEnvFlag(f *testing.F) {
	for _, s := range []string{"", "O=\"--icc -D\"\n", "O='--icc'\r\nA=b", "O=--icc -D # x\n;c\nB=\"\n", "O=a\\\nb",
		"O=\nO=\"\"x"} {
		f.Add([]byte(s), "O", "icc", "false")
		f.Add([]byte(s), "A", "x", "1")
	}
	f.Fuzz(func(t *testing.T, data []byte, variable, flag, value string) {
		after, err := EnvFlag(data, variable, flag, value)
		if refused(t, err) {
			return
		}
		if again, err := EnvFlag(after, variable, flag, value); err != nil || !bytes.Equal(again, after) {
			t.Fatalf("%q, edited again, became %q, %v", after, again, err)
		}
		oneLineChanged(t, data, after)
		others := func(all []facts.Assignment) (others []facts.Assignment) {
			for _, a := range all {
				if a.Name != variable {
					others = append(others, a)
				}
			}
			return others
		}
		if diff := cmp.Diff(others(facts.ParseEnv(data)), others(facts.ParseEnv(after))); diff != "" {
			t.Fatalf("%q became %q (-before +after)\n%s", data, after, diff)
		}
	})
}

func TestRemoveEnvFlag(t *testing.T) {
	for _, tt := range []struct {
		name, in, flag string
		boolean        bool
		want           string
	}{
		{"kubeadm's", "KUBELET_KUBEADM_ARGS=\"--node-ip=192.0.2.1 --read-only-port=10255 --v=2\"\n", "read-only-port", false,
			"KUBELET_KUBEADM_ARGS=\"--node-ip=192.0.2.1 --v=2\"\n"},
		{"in two words", "KUBELET_KUBEADM_ARGS='--read-only-port 10255 --v=2'\n", "read-only-port", false,
			"KUBELET_KUBEADM_ARGS='--v=2'\n"},
		{"a boolean", "# c\nKUBELET_KUBEADM_ARGS=--anonymous-auth --v=2", "anonymous-auth", true,
			"# c\nKUBELET_KUBEADM_ARGS=--v=2"},
		{"the only one", "KUBELET_KUBEADM_ARGS=\"--v=2\"\n", "v", false, "KUBELET_KUBEADM_ARGS=\"\"\n"},
		{"not there", "KUBELET_KUBEADM_ARGS=\"--v=2\"\n", "x", false, "KUBELET_KUBEADM_ARGS=\"--v=2\"\n"},
		{"no such variable", "X=1\n", "x", false, "X=1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := RemoveEnvFlag([]byte(tt.in), "KUBELET_KUBEADM_ARGS", tt.flag, tt.boolean)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
