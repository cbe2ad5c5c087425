package gate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
)

func flags(pairs ...string) facts.Flags {
	f := facts.Flags{}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = facts.Flag{Name: pairs[i], Values: []string{pairs[i+1]}, Origin: "docker.service"}
	}
	return f
}

var jsonCases = []struct {
	name, file string
	next       facts.Flags
	want       string
	later      bool // dockerd complains later in its start, or not at all and harden is stricter
}{
	{"empty object", `{}`, nil, "", false},
	{"many keys",
		`{"icc":false,"mtu":1400,"log-driver":"json-file","log-opts":{"max-size":"10m","max-file":"3"},"hosts":["fd://"],
		"default-ulimits":{"nofile":{"Name":"nofile","Hard":64000,"Soft":64000}},"labels":["a=b"],"log-level":"info"}`, nil, "", false},
	{"null says nothing", `{"icc":null}`, nil, "", false},
	{"flags beside keys", `{"icc":false}`, flags("host", "fd://", "containerd", "/run/containerd/containerd.sock"), "",
		false},
	{"runtimes may be in both", `{"runtimes":{"x":{"path":"/x"}}}`, flags("add-runtime", "y=/y"), "", false},
	{"trailing comma", `{"icc":false,}`, nil, "line 1, column 13: trailing comma", false},
	{"empty", ``, nil, "the file is empty", false},
	{"duplicate", `{"icc":false,"icc":true}`, nil, `duplicate key "icc"`, true},
	{"unknown key", `{"ICC":false}`, nil, `unknown key "ICC"`, false},
	{"text for a boolean", `{"icc":"false"}`, nil, `the value of "icc" must be true or false`, false},
	{"fraction for a number", `{"mtu":1500.0}`, nil, `the value of "mtu" must be a whole number`, false},
	{"number for a text", `{"log-level":1}`, nil, `the value of "log-level" must be a string`, false},
	{"text for a list", `{"hosts":"fd://"}`, nil, `the value of "hosts" must be a list of strings`, false},
	{"number in log-opts", `{"log-opts":{"max-file":3}}`, nil, `the value of "log-opts" must be an object of strings`,
		false},
	{"flag and key", `{"icc":false}`, flags("icc", "false"), `"icc" is also set by the flag --icc in docker.service`,
		false},
	{"hosts and -H", `{"hosts":["fd://"]}`, flags("host", "fd://"), `"hosts" is also set by the flag --host`, false},
	{"labels and --label", `{"labels":["a=b"]}`, flags("label", "a=b"), `"labels" is also set by the flag --label`, false},
	{"log-opts and --log-opt", `{"log-opts":{}}`, flags("log-opt", "max-size=1m"),
		`"log-opts" is also set by the flag --log-opt`, false},
	{"insecure-registries", `{"insecure-registries":[]}`, flags("insecure-registry", "r"),
		`is also set by the flag --insecure-registry`, false},
	{"a level that is none", `{"log-level":"loud"}`, nil,
		`the value of "log-level" must be one of debug, info, warn, error, fatal`, false},
	{"a log driver that is none", `{"log-driver":"kafka"}`, nil, `unknown log driver "kafka"`, true},
	{"a label that is none", `{"labels":["production"]}`, nil, `each of "labels" must be name=value`, false},
	{"an option of another driver", `{"log-driver":"local","log-opts":{"labels":"a"}}`, nil,
		`log driver local: unknown option "labels"`, true},
	{"an option of the driver of a flag", `{"log-opts":{"max-sice":"1m"}}`, flags("log-driver", "json-file"),
		`json-file: unknown option "max-sice"`, true},
	{"max-file", `{"log-opts":{"max-file":"none"}}`, nil, `log option max-file: "none"; minimum 1`, true},
	{"secrets stay", `{"log-opts":{"splunk-token":"hunter2"}}`, nil, `json-file: unknown option "splunk-token"`, true},
	{"two names of one key", `{"graph":"/a","data-root":"/b"}`, nil, `"graph" and "data-root" are the same setting`, true},
}

// validateDaemonJSON judges a daemon.json without a host.
func validateDaemonJSON(candidate []byte, next facts.Flags) error {
	keys, err := docker.ParseKeys(candidate)
	if err != nil {
		return err
	}
	return validateKeys(keys, next, nil, nil)
}

func TestValidateDaemonJSON(t *testing.T) {
	for _, tt := range jsonCases {
		t.Run(tt.name, func(t *testing.T) {
			err := validateDaemonJSON([]byte(tt.file), tt.next)
			mentions(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

// What harden lets through, dockerd 20.10 must start with, or at least not refuse for its configuration; what harden
// refuses as a type, a key or a conflict, that dockerd refuses too. It is told apart by what a start complains of.
func TestValidateAgreesWithDockerd(t *testing.T) {
	exe, err := exec.LookPath("dockerd")
	if err != nil || os.Getuid() != 0 {
		t.Skipf("the judge is a real dockerd, which needs root: %v", err)
	}
	for _, tt := range jsonCases {
		if tt.later {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "daemon.json")
			write(t, file, tt.file)
			// A pid file that cannot be made ends every dockerd right after it has accepted its configuration.
			args := []string{"--config-file", file, "--pidfile", "/proc/none/docker.pid", "--data-root", t.TempDir(),
				"--exec-root", t.TempDir()}
			for name, f := range tt.next {
				args = append(args, "--"+name+"="+f.Values[0])
			}
			cmd := exec.Command(exe, args...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // it leaves its data root mounted
			out, _ := cmd.CombinedOutput()
			refused := strings.Contains(string(out), "unable to configure the Docker daemon") ||
				strings.Contains(string(out), "unable to parse logging level")
			if refused != (tt.want != "") {
				t.Errorf("dockerd refuses: %v; harden: %q\n%s", refused, tt.want, out)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	change := func(path, content string) remediate.Change {
		return remediate.Change{Path: path, After: facts.File{Info: facts.Info{Path: path}, Data: []byte(content)}}
	}
	started := `{"future-key": 1, "log-driver": "kafka"}`
	tests := []struct {
		name    string
		machine machine
		change  remediate.Change
		want    string
	}{
		{"a good file", machine{}, change(daemonJSON, `{"icc":false}`), ""},
		{"another file is none of its business", machine{}, change("/etc/environment", `{`), ""},
		{"an attribute of another file", machine{}, change("/etc/docker/key.json", ``), ""},
		{"a broken file", machine{}, change(daemonJSON, `{"icc":false`), "/etc/docker/daemon.json: line 1, column 13"},
		{"a flag of the process", machine{args: []string{"--icc=false"}}, change(daemonJSON, `{"icc":false}`),
			`"icc" is also set by the flag --icc`},
		{"what a dockerd has started with is not judged again", machine{files: map[string]string{daemonJSON: started}},
			change(daemonJSON, `{"future-key": 1, "log-driver": "kafka", "icc": false}`), ""},
		{"but what changes is", machine{files: map[string]string{daemonJSON: started}},
			change(daemonJSON, `{"future-key": 2, "log-driver": "kafka"}`), `unknown key "future-key"`},
		{"a missing seccomp profile", machine{}, change(daemonJSON, `{"seccomp-profile":"/etc/docker/none.json"}`),
			"seccomp-profile: "},
		{"a seccomp profile that is none", machine{}, change(daemonJSON, `{"seccomp-profile":"unconfined"}`), ""},
		{"live-restore in a Swarm", machine{info: system.Info{Swarm: swarm.Info{LocalNodeState: swarm.LocalNodeStateActive}}},
			change(daemonJSON, `{"live-restore":true}`), "part of a Swarm"},
		{"TLS without a key", machine{files: map[string]string{"/c.pem": ""}},
			change(daemonJSON, `{"tls":true,"tlscert":"/c.pem","tlskey":"/k.pem"}`), "tlskey: stat /k.pem"},
		{"TLS without verification needs no CA", machine{files: map[string]string{"/c.pem": "", "/k.pem": ""}},
			change(daemonJSON, `{"tls":true,"tlscert":"/c.pem","tlskey":"/k.pem"}`), ""},
		{"TLS with verification needs one", machine{files: map[string]string{"/c.pem": "", "/k.pem": ""}},
			change(daemonJSON, `{"tlsverify":true,"tlscert":"/c.pem","tlskey":"/k.pem"}`),
			"tlscacert: stat /root/.docker/ca.pem"},
		{"a flag put into the unit that is a key already",
			machine{stopped: true, files: map[string]string{daemonJSON: `{"icc":true}`, "/usr/sbin/dockerd": "",
				"/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n"}},
			change("/etc/systemd/system/docker.service.d/zz-harden.conf",
				"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --icc=false\n"),
			`"icc" is also set by the flag --icc in /etc/systemd/system/docker.service.d/zz-harden.conf`},
		{"no Docker", machine{stopped: true}, change(daemonJSON, `{`), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mentions(t, Validate(t.Context(), tt.change, tt.machine.host(t)), tt.want)
		})
	}
}

// dockerd 20.10, which is installed here, has no --validate; this program answers as later ones do, so that what it
// is given can be looked at.
const stub = `#!/bin/sh
case "$*" in
--help) echo "      --validate  Validate daemon configuration and exit"; exit;;
esac
dir=$(dirname "$0")
for a; do
	case $a in
	--config-file=*) file=${a#*=}; cp "$file" "$dir/file"; stat -c %a "$file" >"$dir/mode";;
	*) echo "$a" >>"$dir/args";;
	esac
done
env | sort >"$dir/env"
grep -q bad "$file" && echo "unable to configure the Docker daemon with file $file: token: (from flag: hunter2, from file: x)" >&2 && exit 1
echo "configuration OK"
`

func TestAskDockerd(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only a program of root's is run")
	}
	t.Setenv("SECRET", "hunter2")
	tests := []struct {
		name, file string
		mode       os.FileMode
		want       string
		asked      bool
	}{
		{"accepted", `{"icc":false}`, 0o755, "", true},
		{"refused", `{"group":"bad"}`, 0o755, "--validate: unable to configure the Docker daemon with file the file: token",
			true},
		{"never with userns-remap", `{"userns-remap":"default"}`, 0o755, "", false},
		{"never a program that others can write", `{"icc":false}`, 0o777, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			exe := filepath.Join(dir, "dockerd")
			write(t, exe, stub)
			if err := os.Chmod(exe, tt.mode); err != nil {
				t.Fatal(err)
			}
			m := machine{exe: exe, args: []string{"-H", "fd://", "--log-opt", "a b", "--log-opt=c"}}
			err := Validate(t.Context(), remediate.Change{Path: daemonJSON,
				After: facts.File{Info: facts.Info{Path: daemonJSON}, Data: []byte(tt.file)}}, m.host(t))
			mentions(t, err, tt.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a value is shown: %v", err)
			}
			got := map[string]string{}
			for _, name := range []string{"file", "mode", "args", "env"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if os.IsNotExist(err) {
					continue
				}
				got[name] = string(data)
			}
			want := map[string]string{}
			if tt.asked {
				want = map[string]string{"file": tt.file, "mode": "600\n",
					"args": "--validate\n--host=fd://\n--log-opt=a b\n--log-opt=c\n",
					"env":  "LC_ALL=C\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("what dockerd was given (-want +got):\n%s", diff)
			}
			if left, _ := filepath.Glob("/run/harden-*.json"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mentions(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q", err, want)
	}
}
