package source_test

import (
	"strings"
	"testing"

	"example.com/harden/checks/facts"
)

// TestVariables holds that a value is split into its parts once the variables in it have their values, and that those
// of the .env file are not shown.
func TestVariables(t *testing.T) {
	const env = "T=hidden\nREG=hidden.example\nIMG=hidden.example/x:7\nCAP=net_raw\nKIND=bind\nBASE=base\nNAME=hidden\n" +
		"NOTED=host # as Compose reads it\nexport LENT=${NOTED}\nYES: \"true\"\n"
	trusted := facts.Choices{TrustedRegistries: []string{"docker.io/library"}}
	limits := facts.Choices{Containers: []facts.ContainerChoice{{Name: "hidden", Memory: "1g"}}}
	for _, test := range []struct {
		id, text string
		choices  facts.Choices
		want     string // subject, what it is and the reason why it is left, or its fix
	}{
		{"trusted-images", "image: x:${V:-1}", facts.Choices{}, "a image x:${V:-1}: tag 1, which can be moved"},
		{"trusted-images", "image: x:${V-1}", facts.Choices{}, "a image x:${V-1}: tag 1, which can be moved"},
		{"trusted-images", "image: x:${V:-${W:-v}1}", facts.Choices{},
			"a image x:${V:-${W:-v}1}: tag v1, which can be moved"},
		{"trusted-images", "image: x${V:-}", facts.Choices{}, "a image x${V:-}: no tag, so latest"},
		{"trusted-images", "image: ${V:-x}", facts.Choices{}, "a image ${V:-x}: no tag, so latest"},
		{"trusted-images", "image: x:${T:-1}", facts.Choices{}, "a image x:${T:-1}: tag ${T}, which can be moved"},
		{"trusted-images", "image: x:${T}", facts.Choices{}, "a image x:${T}: tag ${T}, which can be moved"},
		{"trusted-images", "image: ${IMG}", facts.Choices{}, "a image ${IMG}: a tag from a variable, which can be moved"},
		{"trusted-images", "image: ${V:-a.example:5000}/x", facts.Choices{},
			"a image ${V:-a.example:5000}/x: no tag, so latest"},
		{"trusted-images", "image: ${V:-x@sha256:" + strings.Repeat("0", 64) + "}", facts.Choices{}, ""},
		{"trusted-images", "image: ${V:-a.example/x}:1", trusted,
			"a image ${V:-a.example/x}:1: tag 1, which can be moved, from a.example"},
		{"trusted-images", "image: ${REG}/x:1", trusted, "a image ${REG}/x:1: tag 1, which can be moved, from ${REG}"},
		{"trusted-images", "image: ${IMG}", trusted,
			"a image ${IMG}: a tag from a variable, which can be moved, from what a variable names"},
		{"trusted-images", "image: ${V:-nginx:1}", trusted, ""},
		{"capabilities", "cap_drop: [ALL]\n    cap_add: ['${V:-CAP_SYS_ADMIN}']", facts.Choices{},
			"a cap_add SYS_ADMIN: added"},
		{"capabilities", "cap_drop: [ALL]\n    cap_add: ['${CAP}']", facts.Choices{}, "a cap_add ${CAP}: added"},
		{"sensitive-mounts", "volumes: [{type: '${V:-bind}', source: /etc, target: /x}]", facts.Choices{},
			"a volumes /etc: can be written to"},
		{"sensitive-mounts", "volumes: [{type: '${KIND}', source: /etc, target: /x}]", facts.Choices{},
			"a volumes /etc: can be written to"},
		{"sensitive-mounts", "volumes: [{type: '${V}', source: /etc, target: /x}]", facts.Choices{},
			"compose.yaml:3: it depends on a variable: manual review"},
		{"sensitive-mounts", "volumes: [{type: volume, source: v, target: /x, read_only: '${V:-true}'}]" +
			"\nvolumes: {v: {driver_opts: {type: none, o: bind, device: /etc}}}", facts.Choices{}, ""},
		{"memory", "container_name: ${NAME}", limits, "a mem_limit: unset, fixed"},
		{"memory", "container_name: ${V:-hidden}", limits, "a mem_limit: unset, fixed"},
		{"container-no-new-privileges", "<<: {security_opt: ['${V:-seccomp:unconfined}']}", facts.Choices{},
			"a security_opt: without no-new-privileges, what a merge brings here would have to be repeated, with what is to " +
				"be gone"},
		{"image-secrets", "environment: ['${V:-DB_PASSWORD=x}=hunter2']", facts.Choices{},
			"a environment DB_PASSWORD: a value of 9 bytes"},
		{"image-secrets", "environment: ['${V:-DB_PASSWORD}=hunter2']", facts.Choices{},
			"a environment DB_PASSWORD: a value of 7 bytes"},
		{"privileged", "extends: '${V:-base}'\n  base: {privileged: true}", facts.Choices{},
			"a privileged: true; base privileged: true, a is made from this service too, and would change with it"},
		{"privileged", "extends: {service: '${BASE}'}\n  base: {privileged: true}", facts.Choices{},
			"a privileged: true; base privileged: true, a is made from this service too, and would change with it"},
		{"privileged", "extends: {service: '${V}'}\n  base: {privileged: false}", facts.Choices{},
			"compose.yaml: line 3: service a: which service it extends is not known: it depends on a variable"},
		{"host-ipc", "ipc: ${NOTED}", facts.Choices{}, "a ipc: host"},
		{"host-pid", "pid: ${LENT}", facts.Choices{}, "a pid: host"},
		{"privileged", "privileged: ${YES}", facts.Choices{}, "a privileged: true"},
	} {
		files := map[string]string{"compose.yaml": "services:\n  a:\n    " + test.text + "\n", ".env": env,
			".gitignore": ".env\n"}
		r := judged(t, test.id, test.choices, files)
		var all []string
		if r.Err != nil {
			all = append(all, r.Err.Error())
		}
		for _, f := range r.Findings {
			_, what, _ := strings.Cut(f.Subject, " ")
			line := what + ": " + f.Got
			if f.Reason != "" && test.id != "trusted-images" && test.id != "capabilities" {
				line += ", " + f.Reason
			}
			if len(f.Wants) > 0 && test.id == "memory" {
				line += ", fixed"
			}
			all = append(all, line)
		}
		if got := strings.Join(all, "; "); got != test.want {
			t.Errorf("%s of %q:\n%q, want\n%q", test.id, test.text, got, test.want)
		}
	}
}
