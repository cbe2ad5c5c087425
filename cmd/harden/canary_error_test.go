package main

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
	"example.com/harden/fixtures"
	"example.com/harden/remediate/report"
)

func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// TestCanariesInErrors gives harden inputs with secrets where they do not belong: none of them is quoted.
func TestCanariesInErrors(t *testing.T) {
	c := newCanaryRun(t)
	one := func(of string) string { return c.canary(of) }
	for name, text := range map[string]string{
		"level.yaml":  "level: " + one("a number of the configuration") + "\n",
		"quiet.yaml":  "quiet: " + one("a switch of the configuration") + "\n",
		"list.yaml":   "only: {password: " + one("a list of the configuration") + "}\n",
		"type.yaml":   "choices:\n  image-max-age: " + one("a number below choices") + "\n",
		"broken.yaml": "choices:\n  log-opts: {splunk-token: " + one("a configuration that is not closed") + "\n",
		"text.yaml":   one("a configuration that is a word"),
	} {
		c.write(name, text, 0o600)
		c.harden(nil, "check", "--config", name, "--root", c.dir)
		c.harden(nil, "list", "--config", name)
	}
	for _, name := range []string{"LEVEL", "QUIET", "DEEP", "EXIT_ZERO"} {
		c.harden([]string{"HARDEN_" + name + "=" + one("HARDEN_"+name)}, "list")
	}
	url := "tcp://user:" + one("--docker-host") + "@127.0.0.1:1"
	c.harden(nil, "check", "--docker-host", url, "--only", "docker/icc")
	c.harden(nil, "--dry-run", "--docker-host", url, "--only", "docker/icc", "--out", "saved.json")
	c.files("saved.json")
	c.harden(nil, "check", "--docker-host", "tcp://user:"+one("a URL that is none")+"@[::1", "--only", "docker/icc")
	other := []string{"DOCKER_HOST=tcp://user:" + one("DOCKER_HOST") + "@127.0.0.1:1"}
	c.harden(other, "check", "-v", "--only", "docker/icc", "--format", "json")
	for name, text := range map[string]string{
		"kube.conf":    "users:\n- name: a\n  user: {token: " + one("a kubeconfig") + "}\n",
		"broken.conf":  "users: [{user: {token: " + one("a kubeconfig that is not closed") + "\n",
		"word.conf":    one("a file that is no kubeconfig") + "\n",
		"plan.json":    `{"schema": "harden-plan/v1", "password": "` + one("a plan with another key") + `"}`,
		"schema.json":  `{"schema": "token=` + one("a plan of another schema") + `"}`,
		"broken.json":  `{"token": "` + one("a plan that is not closed"),
		"numbers.json": `{"schema": "harden-plan/v1", "request": {"level": "` + one("a plan's number") + `"}}`,
	} {
		c.write(name, text, 0o600)
		if filepath.Ext(name) == ".json" {
			c.harden(nil, "apply", name)
			c.harden(nil, "report", name)
		} else {
			c.harden(nil, "--dry-run", "--only", "k8s:1.2.1", "--kubeconfig", name)
		}
	}
	c.module(map[string]any{"level": one("a module's number"), "root": c.dir})
	c.module(map[string]any{"settings": map[string]any{"quiet": one("a module's settings")}})
	c.module(map[string]any{"docker_host": url, "only": []string{"docker/icc"}, "_ansible_check_mode": true})
	c.write("bad", `{"password": "`+one("a module's arguments"), 0o600)
	c.harden(nil, "ansible-module", filepath.Join(c.dir, "bad"))
}

// A canaryEngine tells of containers and images that have secrets wherever a text can be.
type canaryEngine struct {
	docker.Engine
	texts []string
}

func (e canaryEngine) Containers(ctx context.Context) ([]docker.Container, error) {
	all, err := e.Engine.Containers(ctx)
	for i := range all {
		text := e.texts[i%len(e.texts)]
		c := &all[i]
		c.Config.Env, c.Config.Labels = append(c.Config.Env, e.texts...), map[string]string{"a": text}
		c.Config.User, c.HostConfig.SecurityOpt = text, append(c.HostConfig.SecurityOpt, text)
		c.Config.Image = text
	}
	return all, err
}

func (e canaryEngine) Images(ctx context.Context) ([]docker.Image, error) {
	all, err := e.Engine.Images(ctx)
	for i := range all {
		all[i].Config.Env = append(all[i].Config.Env, e.texts...)
		for _, t := range e.texts {
			for _, step := range []string{"ADD ", "RUN apt-get update # ", "RUN curl ", "RUN chmod 4755 /x ", "ENV "} {
				all[i].History = append(all[i].History, docker.Layer{CreatedBy: step + t})
			}
		}
	}
	return all, err
}

type canaryHost struct {
	*fixtures.Recording
	texts []string
}

func (h canaryHost) Engine(ctx context.Context) (facts.API, facts.Endpoint, error) {
	e, at, err := h.Recording.Engine(ctx)
	at.Host = "tcp://user:" + h.texts[0] + "@127.0.0.1:2375"
	engine, _ := e.(docker.Engine)
	return canaryEngine{engine, h.texts}, at, err
}

// TestCanariesOfContainers does so for what the Docker Engine tells.
func TestCanariesOfContainers(t *testing.T) {
	c := newCanaryRun(t)
	var texts []string
	for _, f := range engineForms {
		texts = append(texts, c.plant("the Engine", f))
	}
	s := recorded(t, "docker/containers.txtar", "all")
	rec, err := fixtures.Load("docker/containers.txtar")
	if err != nil {
		t.Fatal(err)
	}
	s.host = facts.New(t.Context(), canaryHost{rec, texts}, rec.Choices)
	s.results = s.judge(s.ctx, s.host, s.selection.Checks)
	var out bytes.Buffer
	s.stdout, s.Color = &out, "never"
	r := reported(t, s)
	for _, v := range report.Views {
		for _, verbose := range []bool{false, true} {
			s.View, s.Verbose = v, verbose
			var d report.Document = reported(t, s)
			if v.Of(report.OfMetrics) {
				d = &report.Metrics{Report: r}
			}
			if err := s.show(d); err != nil && v.Name() != "patch" { // which refuses what holds secrets
				t.Fatal(err)
			}
		}
	}
	s.View = report.Views[0]
	changes := &report.Changes{Time: time.Now(), Since: time.Now(), Summary: r.Summary,
		Changes: report.Compare(&report.Report{}, r)}
	if err := s.show(changes); err != nil {
		t.Fatal(err)
	}
	plan, err := s.plan()
	if err != nil {
		t.Fatal(err)
	}
	m := &module{session: s, answer: newAnswer()}
	m.differs = true
	m.tell(r, nil)
	m.differ(plan)
	answer, err := json.Marshal(hide(m.answer.redactor, m.answer))
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(s.save(plan))
	if err != nil {
		t.Fatal(err)
	}
	c.hold("a report", out.String())
	c.hold("Ansible's answer", string(answer))
	c.hold("a saved plan", string(saved))
}
