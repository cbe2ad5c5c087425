package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
	"go.yaml.in/yaml/v3"

	"example.com/harden/checks"
	"example.com/harden/checks/budget"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/docker"
)

// A configFile is the configuration file. Viper gets the settings of it alone: it folds the case of keys, which those
// of the log driver's options must keep, and it cannot say on which line something is wrong.
type configFile struct {
	Settings settings     `yaml:",inline"`
	Choices  choices      `yaml:"choices"`
	Waivers  []fileWaiver `yaml:"waivers"`
	Reports  keeping      `yaml:"reports"`

	waivers  []checks.Waiver
	places   []string       // of waivers: "file:line"
	settings map[string]any // the keys of Settings that the file has
}

// choices is facts.Choices as people write it.
type choices struct {
	TrustedUsers         []string          `yaml:"trusted-users"`
	LogDriver            string            `yaml:"log-driver"`
	LogOpts              map[string]string `yaml:"log-opts"`
	AuthorizationPlugins []string          `yaml:"authorization-plugins"`
	DefaultUlimits       map[string]limits `yaml:"default-ulimits"`
	TLS                  struct {
		CACert string `yaml:"ca-cert"`
		Cert   string `yaml:"cert"`
		Key    string `yaml:"key"`
	} `yaml:"tls"`
	PublishAddress    string            `yaml:"publish-address"`
	Swarm             bool              `yaml:"swarm"`
	TrustedRegistries []string          `yaml:"trusted-registries"`
	ImageMaxAge       int               `yaml:"image-max-age"` // days
	Containers        []containerChoice `yaml:"containers"`
	Sources           struct {
		Vendor      bool `yaml:"vendor"`
		SkipIgnored bool `yaml:"skip-ignored"`
	} `yaml:"sources"`
}

type containerChoice struct {
	Name      string `yaml:"name"`
	Label     string `yaml:"label"`
	Memory    string `yaml:"memory"`
	CPUShares string `yaml:"cpu-shares"`
	PIDs      string `yaml:"pids-limit"`
	Restart   string `yaml:"restart"`
}

type limits struct {
	Soft int64 `yaml:"soft"`
	Hard int64 `yaml:"hard"`
}

type fileWaiver struct {
	Check    string `yaml:"check"`
	Scope    string `yaml:"scope"`
	Reason   string `yaml:"reason"`
	Approver string `yaml:"approver"`
	Expires  string `yaml:"expires"`
}

func (c choices) facts() facts.Choices {
	out := facts.Choices{TrustedUsers: c.TrustedUsers, LogDriver: c.LogDriver, LogOpts: c.LogOpts,
		AuthorizationPlugins: c.AuthorizationPlugins, TLSCACert: c.TLS.CACert, TLSCert: c.TLS.Cert, TLSKey: c.TLS.Key,
		PublishAddress: c.PublishAddress, Swarm: c.Swarm,
		TrustedRegistries: c.TrustedRegistries, ImageMaxAge: time.Duration(c.ImageMaxAge) * 24 * time.Hour,
		Sources: facts.SourceChoices{Vendor: c.Sources.Vendor, SkipIgnored: c.Sources.SkipIgnored}}
	for _, k := range c.Containers {
		out.Containers = append(out.Containers, facts.ContainerChoice(k))
	}
	for name, l := range c.DefaultUlimits {
		if out.DefaultUlimits == nil {
			out.DefaultUlimits = map[string][2]int64{}
		}
		out.DefaultUlimits[name] = [2]int64{l.Soft, l.Hard}
	}
	return out
}

// parseConfig reads a configuration file. Its errors begin with path and line.
func parseConfig(path string, data []byte) (*configFile, error) {
	var doc yaml.Node
	if err := budget.Unmarshal(data, &doc); err != nil {
		return nil, located(path, err)
	}
	f := new(configFile)
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, located(path, err)
	}
	var errs *multierror.Error
	for i, k := range f.Choices.Containers {
		if err := docker.CheckChoice(facts.ContainerChoice(k)); err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: choices: containers: the %s: %w", path, ordinal(i), err))
		}
	}
	errs = multierror.Append(errs, f.Reports.check(path))
	if f.Choices.ImageMaxAge < 0 {
		errs = multierror.Append(errs, fmt.Errorf("%s: choices: image-max-age: %d days have passed before it begins", path,
			f.Choices.ImageMaxAge))
	}
	for i, w := range f.Waivers {
		waiver, err := w.check()
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s:%d: %w", path, waiverLine(&doc, i), err))
		}
		f.waivers = append(f.waivers, waiver)
		f.places = append(f.places, fmt.Sprintf("%s:%d", path, waiverLine(&doc, i)))
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	if err := doc.Decode(&f.settings); err != nil {
		return nil, located(path, err)
	}
	delete(f.settings, "choices")
	delete(f.settings, "waivers")
	delete(f.settings, "reports")
	for _, key := range sortedKeys(f.settings) {
		if err := settled(key, f.settings[key]); err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: %s: %w; remove it, or give it a value", path, key, err))
		}
	}
	return f, errs.ErrorOrNil()
}

// settled refuses a setting that says nothing, as a template of which a variable is unset does. An empty list of checks
// to skip or of classes to allow means what it says; one of the only checks does not.
func settled(key string, value any) error {
	switch v := value.(type) {
	case string:
		return notEmpty(v, key == "benchmark")
	case []any:
		if len(v) == 0 && key == "only" {
			return errEmpty
		}
		for _, element := range v {
			if err := notEmpty(fmt.Sprint(element), true); err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ordinal counts from 0, for people.
func ordinal(i int) string {
	if i < 3 {
		return []string{"first", "second", "third"}[i]
	}
	return fmt.Sprintf("%dth", i+1)
}

// waiverLine is the line on which the i-th waiver begins.
func waiverLine(doc *yaml.Node, i int) int {
	top := doc.Content[0].Content
	for k := 0; k+1 < len(top); k += 2 {
		if top[k].Value == "waivers" && i < len(top[k+1].Content) {
			return top[k+1].Content[i].Line
		}
	}
	return 0
}

func (w fileWaiver) check() (checks.Waiver, error) {
	out := checks.Waiver{Check: w.Check, Scope: w.Scope, Reason: strings.TrimSpace(w.Reason), Approver: w.Approver}
	switch {
	case w.Check == "":
		return out, errors.New("a waiver names no check")
	case out.Reason == "":
		return out, fmt.Errorf("the waiver of %s gives no reason", w.Check)
	case catalog.IsNumber(w.Check): // of which edition, a flag may still say: see numbered
	case !isCheck(w.Check) && (strings.Contains(w.Check, "*") || slices.Contains(catalog.Words(catalog.All), w.Check)):
		return out, fmt.Errorf("a waiver names %q, which is more than one check; use the ID of a check", w.Check)
	case !isCheck(w.Check):
		return out, fmt.Errorf("a waiver names an unknown check %q%s", w.Check,
			cmp.Or(catalog.Meant(catalog.All, w.Check), "; `harden list` lists the checks"))
	}
	if w.Expires != "" {
		var err error
		if out.Expires, err = time.Parse(time.DateOnly, w.Expires); err != nil {
			return out, fmt.Errorf("the waiver of %s: expires: invalid date %q; use YYYY-MM-DD", w.Check, w.Expires)
		}
	}
	return out, nil
}

func isCheck(id string) bool {
	return slices.ContainsFunc(catalog.All, func(c *checks.Check) bool { return c.ID == id })
}

// numbered has waivers that name their check by a number name it by its ID, in the editions of benchmark. places are
// where they are.
func numbered(waivers []checks.Waiver, places []string, benchmark string) error {
	var errs *multierror.Error
	for i, w := range waivers {
		if !catalog.IsNumber(w.Check) {
			continue
		}
		c, err := catalog.Item(catalog.All, benchmark, w.Check)
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("%s: the waiver of %s: %w", places[i], w.Check, err))
			continue
		}
		waivers[i].Check = c.ID
	}
	return errs.ErrorOrNil()
}

var (
	yamlLine = regexp.MustCompile(`^line ([0-9]+): `)
	// The parser quotes the value, which may be a secret that stands in the wrong place.
	yamlWrong = regexp.MustCompile("(?s)^cannot unmarshal !!\\w+ (?:`.*` )?into (\\S+)$")
	yamlField = regexp.MustCompile(`^field (.*) not found in type .*$`)
	// What the parser says, and not the scanner: it counts its lines from 0 and leaves a 0 out.
	yamlParser = regexp.MustCompile(`^did not find expected (<|node content|key|'-'|',')`)
)

// yamlTypes names Go's types as YAML does; each other one is a list or a mapping.
var yamlTypes = map[string]string{
	"int": "a whole number", "int64": "a whole number", "bool": "true or false", "string": "text"}

func yamlType(name string) string {
	if strings.HasPrefix(name, "[]") {
		return "a list"
	}
	return cmp.Or(yamlTypes[name], "a mapping")
}

// located words an error of the YAML package with the file and line in front.
func located(path string, err error) error {
	var errs *multierror.Error
	if t, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, text := range t.Errors {
			errs = multierror.Append(errs, locatedAt(path, text))
		}
		return errs.ErrorOrNil()
	}
	return locatedAt(path, strings.TrimPrefix(err.Error(), "yaml: "))
}

func locatedAt(path, text string) error {
	line := 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits alone
		text = text[len(m[0]):]
	}
	if yamlParser.MatchString(text) {
		line++
	}
	if m := yamlWrong.FindStringSubmatch(text); m != nil {
		text = "the value must be " + yamlType(m[1])
	}
	text = yamlField.ReplaceAllString(text, `unknown key "$1"`)
	return fmt.Errorf("%s:%d: %s", path, max(line, 1), text)
}
