package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"example.com/harden/remediate/apply"
)

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		given, want string // want is an error, or what the arguments have become
	}{
		{`{}`, `apply run="" dry=false diff=false only=[] level=0 fail=false`},
		{`{"_ansible_check_mode": true, "_ansible_diff": true, "_ansible_new": {"a": 1}}`,
			`apply run="" dry=true diff=true only=[] level=0 fail=false`},
		{`{"_ansible_check_mode": "True", "_ansible_diff": true, "_ansible_no_log": "on"}`,
			`apply run="" dry=true diff=false only=[] level=0 fail=false`},
		{`{"only": "docker/icc, 3.20", "level": "2", "fail_on_findings": "off"}`,
			`apply run="" dry=false diff=false only=[docker/icc 3.20] level=2 fail=false`},
		{`{"only": ["docker/icc", 3], "level": 1, "fail_on_findings": 1}`,
			`apply run="" dry=false diff=false only=[docker/icc 3] level=1 fail=true`},
		{`{"level": null, "fail_on_findings": "T", "skip": []}`,
			`apply run="" dry=false diff=false only=[] level=0 fail=true`},
		{`{"only": ""}`, `only: the value is empty; omit it, or give it a value`},
		{`{"only": []}`, `only: the value is empty; omit it, or give it a value`},
		{`{"only": ["docker/icc", ""]}`, `only: the value is empty; omit it, or give it a value`},
		{`{"only": "docker/icc,,3.20"}`,
			`only: "docker/icc,,3.20" has an empty element between its commas; omit it, or give it a value`},
		{`{"root": "", "config": "", "allow": ""}`,
			`allow: the value is empty; omit it, or give it a value; config: the value is empty; omit it, or give it a value; ` +
				`root: the value is empty; omit it, or give it a value`},
		{`{"mode": "check", "allow": "restart", "wait_lock": "5m"}`,
			`allow: mode check plans and applies nothing; remove it; wait_lock: mode check plans and applies nothing; remove ` +
				`it`},
		{`{"mode": "check", "restart_timeout": "10m"}`, `restart_timeout: mode check plans and applies nothing; remove it`},
		{`{"mode": "rollback", "run": "newest", "restart_timeout": "10m"}`,
			`rollback run="newest" dry=false diff=false only=[] level=0 fail=false`},
		{`{"restart_timeout": 600}`, `restart_timeout: must be text, and is 600`},
		{`{"mode": "rollback", "run": "0001-20260101T000000Z"}`,
			`rollback run="0001-20260101T000000Z" dry=false diff=false only=[] level=0 fail=false`},
		{`{"_ansible_check_mode": "perhaps"}`, `_ansible_check_mode: must be yes or no, and is text`},
		{`{"fail_on_findings": 2}`, `fail_on_findings: must be yes or no, and is 2`},
		{`{"fail_on_findings": []}`, `fail_on_findings: must be yes or no, and is a list`},
		{`{"deep": "perhaps"}`, `deep: must be yes or no, and is text`},
		{`{"mode": "rollback", "run": "newest", "deep": true}`, `deep: mode rollback rolls a whole run back`},
		{`{"level": 1.5}`, `level: must be a number, and is 1.5`},
		{`{"level": true}`, `level: must be a number, and is true`},
		{`{"only": [3.20]}`, `only: 3.20 is a number, of which YAML drops a last 0: put items into quotes`},
		{`{"only": 3.2}`, `only: 3.2 is a number, of which YAML drops a last 0: put items into quotes`},
		{`{"only": {"a": 1}}`, `only: must be a list of words, and has a dictionary`},
		{`{"root": 1}`, `root: must be text, and is 1`},
		{`{"settings": []}`, `settings: must be a dictionary, and is a list`},
		{`{"settings": {"skip": [3.2]}}`,
			`settings.skip: 3.2 is a number, of which YAML drops a last 0: put items into quotes`},
		{`{"settings": {}, "config": "/x"}`, `settings: can't be combined with config`},
		{`{"mode": "fix"}`, `mode: unknown mode "fix"; valid: apply, check, rollback`},
		{`{"mode": "rollback"}`, `run: mode rollback needs the ID of a run, or newest`},
		{`{"mode": "rollback", "run": "newest", "only": "docker/icc"}`, `only: mode rollback rolls a whole run back`},
		{`{"run": "newest"}`, `run: only mode rollback has it`},
		{`{"state": "present", "yes": true}`, `unknown option "state"; valid: ` + optionNames() +
			`; unknown option "yes"; valid: ` + optionNames()},
	} {
		d := json.NewDecoder(strings.NewReader(tt.given))
		d.UseNumber()
		var given map[string]any
		if err := d.Decode(&given); err != nil {
			t.Fatal(err)
		}
		a, cmd, err := parseArguments(given)
		var got string
		if err != nil {
			answer := newAnswer()
			answer.failWith(usageError{err})
			got = strings.TrimPrefix(answer.Msg, "wrong arguments: ")
		} else {
			only, _ := cmd.Flags().GetStringSlice("only")
			level, _ := cmd.Flags().GetInt("level")
			got = fmt.Sprintf("%s run=%q dry=%v diff=%v only=%v level=%d fail=%v", a.mode, a.run, a.dry, a.differs, only, level,
				a.failOnFindings)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.given, diff)
		}
	}
}

// TestReturnsAreDocumented holds the documentation of what the module returns to what it does, field by field. What
// Ansible itself knows of every module is not repeated there.
func TestReturnsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../scripts/ansible/plugins/modules/harden.yml")
	if err != nil {
		t.Fatal(err)
	}
	type returned struct {
		Description string
		Type        string
		Returned    string
		Contains    map[string]returned
	}
	var doc struct {
		Return map[string]returned `yaml:"RETURN"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	fields := func(of reflect.Type) map[string]reflect.Type {
		all := map[string]reflect.Type{}
		for i := range of.NumField() {
			if name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
				all[name] = of.Field(i).Type
			}
		}
		return all
	}
	names := func(all map[string]returned) []string { return slices.Sorted(maps.Keys(all)) }
	is := fields(reflect.TypeFor[answer]())
	for _, own := range []string{"changed", "failed", "warnings", "diff", "exception"} {
		delete(is, own)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(is)), names(doc.Return)); diff != "" {
		t.Errorf("what is returned, and what is documented (-want +got)\n%s", diff)
	}
	for name, of := range is {
		if of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.Struct {
			in := fields(of.Elem())
			if name == "pending" { // what the journal and the history alone have
				for _, own := range []string{"record", "reads", "diff"} {
					delete(in, own)
				}
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(in)), names(doc.Return[name].Contains)); diff != "" {
				t.Errorf("%s: what is in it, and what is documented (-want +got)\n%s", name, diff)
			}
		}
		if doc.Return[name].Description == "" || doc.Return[name].Type == "" || doc.Return[name].Returned == "" {
			t.Errorf("%s: no description, type, or when it is returned", name)
		}
	}
}

// TestOptionsHaveFlags holds the module's options to the command line's: what is a flag there has its type here.
func TestOptionsHaveFlags(t *testing.T) {
	_, cmd, err := parseArguments(nil)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{"str": "string", "path": "string", "int": "int", "list": "stringSlice", "bool": "bool"}
	durations := []string{"wait_lock"} // Ansible has no type for them; restart_timeout is text to the command line too
	for _, o := range moduleOptions {
		if o.flag == "" {
			continue
		}
		kind := types[o.kind]
		if slices.Contains(durations, o.name) {
			kind = "duration"
		}
		if f := cmd.Flags().Lookup(o.flag); f == nil || f.Value.Type() != kind {
			t.Errorf("%s is %s, and --%s is %+v", o.name, o.kind, o.flag, f)
		}
	}
}

func TestAnswersAnything(t *testing.T) {
	for _, tt := range []struct {
		ends func() error
		msg  string
		code int
	}{
		{func() error { panic("boom") }, "internal error: boom; this is a bug in harden", exitInternal},
		{func() error { return errors.New("token=hunter2hunter2 \x1b") }, `"token=‹redacted 14 bytes`, exitError},
		{func() error { return &apply.LockedError{PID: 7} }, "another harden is running: another run is active: PID 7",
			exitLocked},
		{func() error { return context.Canceled }, "interrupted: context canceled", exitError},
	} {
		a := newAnswer()
		a.guard(tt.ends)
		if !a.Failed || a.ExitCode != tt.code || !strings.HasPrefix(a.Msg, tt.msg) {
			t.Errorf("failed %v, exit code %d, %q; want %d, %q", a.Failed, a.ExitCode, a.Msg, tt.code, tt.msg)
		}
		if (a.Exception != "") != (tt.code == exitInternal) {
			t.Errorf("%q has the exception %q", a.Msg, a.Exception)
		}
	}
}
