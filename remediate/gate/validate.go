package gate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/remediate"
	"example.com/harden/remediate/program"
	"example.com/harden/remediate/scratch"
)

// validateKeys judges the keys of a daemon.json as a dockerd with these flags would: known keys with values of their
// types, nothing both in the file and on the command line. Errors quote keys, and values only where those are names
// from a fixed list. proven are keys that a dockerd has started with: of the same value it is not asked again whether
// it is known or fits, since that dockerd knows better. drivers are the log drivers it has.
func validateKeys(keys *docker.Keys, next facts.Flags, proven *docker.Keys, drivers []string) error {
	for _, key := range keys.Order {
		value := keys.Values[key]
		flag := docker.FlagName(key)
		if _, ok := next[flag]; ok && key != "runtimes" {
			return fmt.Errorf("%q is also set by the flag --%s in %s; dockerd does not start with both",
				key, flag, cmp.Or(next[flag].Origin, "its command line"))
		}
		if proven != nil && bytes.Equal(proven.Values[key], value) {
			continue
		}
		k, ok := known()[key]
		if !ok {
			return fmt.Errorf("unknown key %q for dockerd", key)
		}
		if !k.fits(value) {
			return fmt.Errorf("the value of %q must be %s", key, k)
		}
		if err := validValue(key, value, drivers); err != nil {
			return err
		}
	}
	for _, pair := range [][2]string{{"graph", "data-root"}, {"host-gateway-ip", "host-gateway-ips"}} {
		if keys.Values[pair[0]] != nil && keys.Values[pair[1]] != nil {
			return fmt.Errorf("%q and %q are the same setting", pair[0], pair[1])
		}
	}
	if proven != nil && bytes.Equal(keys.Values["log-opts"], proven.Values["log-opts"]) &&
		bytes.Equal(keys.Values["log-driver"], proven.Values["log-driver"]) {
		return nil
	}
	driver := textOf(keys, next, "log-driver")
	var opts map[string]string
	if json.Unmarshal(keys.Values["log-opts"], &opts) != nil {
		return nil
	}
	return logOptions(cmp.Or(driver, "json-file"), opts)
}

// validValue knows the values that dockerd refuses although they have the right type.
func validValue(key string, value json.RawMessage, drivers []string) error {
	var name string
	var names []string
	_ = json.Unmarshal(value, &name)
	_ = json.Unmarshal(value, &names)
	switch key {
	case "log-driver":
		return logDriver(name, drivers)
	case "log-level":
		return oneOf(key, name, "debug", "info", "warn", "error", "fatal")
	case "log-format":
		return oneOf(key, name, "text", "json")
	case "default-cgroupns-mode":
		return oneOf(key, name, "host", "private")
	case "default-ipc-mode":
		return oneOf(key, name, "private", "shareable")
	case "labels":
		for _, l := range names {
			if k, _, ok := strings.Cut(l, "="); !ok || k == "" {
				return errors.New(`each of "labels" must be name=value`)
			}
		}
	}
	return nil
}

func oneOf(key, name string, names ...string) error {
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("the value of %q must be one of %s", key, strings.Join(names, ", "))
}

// textOf is the text that a key has in the file or, as a flag, on the command line.
func textOf(keys *docker.Keys, next facts.Flags, key string) string {
	var v string
	if keys != nil && json.Unmarshal(keys.Values[key], &v) == nil && v != "" {
		return v
	}
	v, _ = next.Last(docker.FlagName(key))
	return v
}

func boolOf(keys *docker.Keys, next facts.Flags, key string) bool {
	var v bool
	if keys != nil && json.Unmarshal(keys.Values[key], &v) == nil && v {
		return true
	}
	v, _ = next.Bool(key)
	return v
}

// Validate judges a change of dockerd's configuration, be it the daemon.json, its unit or an environment file, as the
// next dockerd would: the files it names must be there, and where that dockerd can tell by itself, it is asked. A
// document of Kubernetes is decoded strictly, and the flags of its components must be known. Other changes are none of
// its business. It is remediate's Policy.Validate.
func Validate(ctx context.Context, c remediate.Change, h *facts.Host) error {
	if err := validateKubernetes(c); err != nil {
		return err
	}
	if wantsCompose(c) {
		return ValidateCompose(c.Before.Data, c.After.Data, environment(h, c.Path))
	}
	if len(h.SourceDirs) > 0 {
		return nil // what was written has been parsed again, and no program of this host reads it
	}
	now, err := docker.DaemonOf(h)
	if err != nil {
		return nil // no daemon of this host: nobody reads the file
	}
	next := h.With(facts.Overlay{Files: map[string]facts.File{c.Path: c.After}})
	after, err := docker.DaemonOf(next)
	if err != nil {
		return err
	}
	info, err := h.Info(after.File)
	if isFile := c.Path == after.File || err == nil && info.Path == c.Path; !isFile && after.Next.Equal(now.Next) {
		return nil
	}
	if after.KeysErr != nil {
		return after.KeysErr
	}
	keys := after.Keys
	if keys == nil {
		keys = &docker.Keys{Values: map[string]json.RawMessage{}}
	}
	var proven *docker.Keys
	if now.Process != nil && !now.Stale {
		proven = now.Keys
	}
	var drivers []string
	if engine, err := docker.EngineSays(h); err == nil {
		drivers = engine.Plugins.Log
	}
	if err := validateKeys(keys, after.Next, proven, drivers); err != nil {
		return err
	}
	if err := validateOnHost(h, keys, after); err != nil {
		return err
	}
	return askDockerd(ctx, after, next)
}

// validateOnHost finds what --validate accepts and a start refuses.
func validateOnHost(h *facts.Host, keys *docker.Keys, after *docker.Daemon) error {
	next := after.Next
	if profile := textOf(keys, next, "seccomp-profile"); profile != "" {
		if err := seccompProfile(h, after, profile); err != nil {
			return fmt.Errorf("seccomp-profile: %w", err)
		}
	}
	if boolOf(keys, next, "live-restore") && docker.SwarmNode(h, after) != "" {
		return errors.New("the host is part of a Swarm, and dockerd does not start with Swarm and live-restore")
	}
	if !boolOf(keys, next, "tls") && !boolOf(keys, next, "tlsverify") {
		return nil
	}
	for key, base := range map[string]string{"tlscacert": "ca.pem", "tlscert": "cert.pem", "tlskey": "key.pem"} {
		if key == "tlscacert" && !boolOf(keys, next, "tlsverify") {
			continue
		}
		file := after.Path(cmp.Or(textOf(keys, next, key), path.Join("/root/.docker", base)))
		if _, err := h.Info(file); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// seccompProfile refuses a profile that is not there or is no JSON. dockerd has two that are no files.
func seccompProfile(h *facts.Host, d *docker.Daemon, name string) error {
	if name == "unconfined" || name == "builtin" {
		return nil
	}
	f, err := h.File(d.Path(name))
	if err != nil {
		return err
	}
	if !json.Valid(f.Data) {
		return fmt.Errorf("%s is not JSON", name)
	}
	return nil
}

// askDockerd lets the program that runs judge the candidate with the flags of its next start, where it can (since
// 23.0). It must not with userns-remap: looking at that, dockerd makes a user.
func askDockerd(ctx context.Context, d *docker.Daemon, after *facts.Host) error {
	if d.Process == nil || os.Geteuid() != 0 || d.Option("userns-remap").File != nil ||
		d.Option("userns-remap").Next != nil {
		return nil
	}
	exe := d.Process.Exe
	if filepath.Base(exe) != "dockerd" || program.Trusted(exe) != nil {
		return nil
	}
	help, err := program.Run(ctx, 10*time.Second, exe, "--help")
	if err != nil || !strings.Contains(help, "--validate") {
		return nil
	}
	f, err := after.File(d.File)
	if errors.Is(err, fs.ErrNotExist) {
		f.Data, err = []byte("{}\n"), nil
	}
	if err != nil {
		return err
	}
	return validateBy(ctx, exe, f.Data, d.Next)
}

// validateBy runs dockerd --validate. The candidate may hold secrets, so nobody else may read it; and dockerd quotes
// values, so that its answer is cut off where those begin.
func validateBy(ctx context.Context, exe string, candidate []byte, next facts.Flags) error {
	file, remove, err := scratch.File("harden-*.json", candidate)
	if err != nil {
		return err
	}
	defer remove()
	args := []string{"--validate", "--config-file=" + file}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if slices.Contains([]string{"config-file", "validate", "version", "help"}, name) {
			continue
		}
		for _, v := range next[name].Values {
			args = append(args, "--"+name+"="+v)
		}
	}
	out, err := program.Run(ctx, 30*time.Second, exe, args...)
	if err == nil {
		return nil
	}
	reason, _, _ := strings.Cut(strings.ReplaceAll(program.LastLine(out), file, "the file"), "(from flag")
	return fmt.Errorf("%s --validate: %s", exe, cmp.Or(strings.TrimRight(reason, ": "), "no reason given"))
}
