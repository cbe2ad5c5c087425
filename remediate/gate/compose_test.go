package gate_test

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/want"
	"example.com/harden/fixtures"
	"example.com/harden/remediate"
	"example.com/harden/remediate/gate"
)

func TestValidateCompose(t *testing.T) {
	const good = "services:\n  a:\n    image: x\n    ports: [\"80:80\", {target: 1, published: \"${P}\"}]\n    " +
		"mem_limit: 64m\n    pids_limit: 5\n" +
		"    read_only: true\n    ulimits: {nofile: {soft: 1, hard: 2}}\n    environment: [A=1]\n    volumes: " +
		"[\"./a:/b:ro\"]\n    restart: on-failure:5\n" +
		"    healthcheck: {test: [CMD, x], interval: 5s}\n    depends_on: [b]\n    deploy: {resources: {limits: {memory: " +
		"1g, cpus: \"0.5\", pids: 3}}}\n  b: {image: y, build: .}\nx-a: {b: [1]}\nvolumes: {v: }\nnetworks: {n: {}}\n"
	for name, test := range map[string]struct{ before, after, err string }{
		"good":      {good, good, ""},
		"a port":    {good, strings.Replace(good, "80:80", "127.0.0.1:80:x", 1), "invalid"},
		"memory":    {good, strings.Replace(good, "64m", "64 apples", 1), "apples"},
		"a boolean": {good, strings.Replace(good, "read_only: true", "read_only: [1]", 1), "read_only"},
		"a list":    {good, strings.Replace(good, "restart: on-failure:5", "restart: [x]", 1), "restart"},
		"not YAML":  {good, "services: [", "not YAML"},
		"as it was": {"services: {a: {ports: [\"1:2:3:4\"]}}", good, "the current file is not valid for Compose"},
	} {
		t.Run(name, func(t *testing.T) {
			err := gate.ValidateCompose([]byte(test.before), []byte(test.after), nil)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, want %q", err, test.err)
			}
		})
	}
}

// TestLoader has compose-go's own loader, schema and all, read the Compose file of the recording before and after all
// of its fixes, and holds what it makes of it to what was to change.
func TestLoader(t *testing.T) {
	rec, err := fixtures.Load("source/compose.txtar")
	if err != nil {
		t.Fatal(err)
	}
	h := rec.Host(t.Context())
	plan, err := remediate.Propose(t.Context(), h, checks.Run(t.Context(), h, catalog.All), remediate.Policy{
		Allow: func(*checks.Check, want.Class) bool { return true }, Validate: gate.Validate})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Changes) != 1 {
		t.Fatalf("%d changes; left: %+v", len(plan.Changes), plan.Left)
	}
	load := func(data []byte) *types.Project {
		t.Helper()
		p, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{WorkingDir: "/src",
			Environment: types.Mapping{"RESTART": "no", "NET": "none", "STRIPE_KEY": "x"},
			ConfigFiles: []types.ConfigFile{{Filename: "/src/compose.yaml", Content: data}}},
			func(o *loader.Options) { o.SetProjectName("shop", true) })
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	before, after := load(plan.Changes[0].Before.Data), load(plan.Changes[0].After.Data)
	web, was := after.Services["web"], before.Services["web"]
	if !was.Privileged || web.Privileged || !web.ReadOnly || web.Pid != "" || web.Restart != "on-failure:5" ||
		web.PidsLimit != 200 ||
		len(web.SecurityOpt) != 1 || web.Ports[0].HostIP != "127.0.0.1" || web.Ports[2].HostIP != "127.0.0.1" ||
		!web.Volumes[0].ReadOnly ||
		web.Image != was.Image || len(web.Environment) != len(was.Environment) {
		t.Errorf("web is %+v", web)
	}
	if base := after.Services["base"]; base.NetworkMode != "host" || !base.ReadOnly {
		t.Errorf("base is %+v", base)
	}
}
