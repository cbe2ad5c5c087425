package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func composeInputs() []input {
	rep := strings.Repeat
	return []input{
		compose("merge-keys-30", doubled(30)+"services:\n  a: {<<: *m30}\n"),
		compose("merge-keys-15-in-a-list", doubled(15)+
			"services:\n  a: {<<: [*m15, *m15, *m15, *m15, *m15, *m15, *m15, *m15]}\n"),
		compose("merge-keys-of-environment", doubled(26)+"services:\n  a:\n    image: b\n    environment: {<<: *m26}\n"),
		compose("merge-keys-nested-in-place", doubled(24)+"services:\n  a:\n    <<: [{<<: [*m24, {<<: *m24}]}]\n"),
		compose("laughs-9", laughs(9, 9)+"services:\n  a:\n    image: b\n    cap_add: *l9\n"),
		compose("laughs-environment", laughs(9, 10)+"services:\n  a:\n    image: b\n    environment: *l9\n"),
		compose("laughs-unused", laughs(12, 10)+service),
		compose("environment-of-all", "x-e: &e\n"+lines(5000, "  K%d: v\n")+"services:\n"+
			lines(2000, "  s%d: {image: a, environment: *e}\n")),
		compose("secrets-of-all", "x-e: &e\n"+lines(2000, "  PASSWORD_%d: hunter22\n")+"services:\n"+
			lines(1000, "  s%d: {image: a, environment: *e}\n")),
		compose("merged-into-all", "x-e: &e\n"+lines(10000, "  k%d: v\n")+"services:\n"+lines(2000, "  s%d: {<<: *e}\n")),
		compose("merges-all-others", "services:\n  s0: &s0 {image: a}\n"+lines(5000, "  t%d: &t%[1]d {<<: *s0, image: b}\n")),
		compose("merge-list-long", "x: &x {image: a}\nservices:\n"+
			lines(200, "  s%d: {<<: ["+strings.TrimSuffix(rep("*x, ", 400), ", ")+"]}\n")),
		compose("alias-chain", "services:\n  s0: &a0 {image: a}\n"+lines(20000, "  t%d: *a0\n")),
		compose("cycle", "services:\n  a: &a\n    image: b\n    environment: *a\n"),
		compose("cycle-merge", "services: &s\n  a: &a\n    <<: *a\n    image: b\n"),
		compose("cycle-of-all", "a: &a\n  services: *a\nservices: *a\n"),
		compose("services-many", "services:\n"+lines(40000, "  s%d: {image: a}\n")),
		compose("services-null", "services:\n"+lines(60000, "  s%d:\n")),
		compose("extends-self", "services:\n  a:\n    image: b\n    extends: a\n"),
		compose("extends-cycle", "services:\n  a: {extends: b}\n  b: {extends: a}\n"),
		compose("extends-chain", "services:\n  s: {image: a}\n"+lines(5000, "  s%d: {extends: {service: s}, image: a}\n")),
		extendsChain(20000),
		overrides(),
		compose("variables-nested", service+"    user: "+quoted(rep("${A:-", 20000)+"x"+rep("}", 20000))+"\n"),
		compose("variables-in-a-row", service+"    user: "+quoted(rep("${A:-x}", 50000))+"\n"),
		compose("variables-open", service+"    user: "+quoted(rep("${A:-", 100000))+"\n"),
		compose("variables-in-lists", service+"    ports:\n"+rep("      - "+quoted(rep("${A:-80}", 50))+"\n", 1500)),
		input{name: "compose/variables-of-env", ends: "docker/privileged", make: map[string]string{
			"compose.yaml": service + "    user: " + quoted(rep("$A", 20000)) + "\n", ".env": "A=" + rep("x", 1<<20) + "\n"}},
		input{name: "compose/env-long", ends: "docker/privileged", make: map[string]string{
			"compose.yaml": service, ".env": lines(400000, "A%d=x\n")}},
		compose("deep-flow", "services: "+rep("[", 9000)+rep("]", 9000)+"\n"),
		compose("deep-flow-open", "services: "+rep("[", 500000)),
		compose("deep-mappings", "services: "+rep("{a: ", 9000)+"b"+rep("}", 9000)+"\n"),
		compose("deep-block", deepBlock(1300)),
		compose("deep-dashes", "services:\n  "+rep("- ", 9000)+"a\n"),
		compose("nodes-flow", "services: {a: {image: b}}\nx: ["+rep("a,", 500000)+"a]\n"),
		compose("nodes-empty", "services: {a: {image: b}}\nx: ["+rep("[],", 330000)+"]\n"),
		compose("nodes-dashes", "services: {a: {image: b}}\nx:\n"+rep("-\n", 500000)),
		compose("nodes-keys", "services: {a: {image: b}}\nx:\n"+lines(90000, "  k%d: v\n")),
		compose("keys-in-a-service", service+lines(90000, "    k%d: v\n")),
		compose("comments", service+rep("# c\n", 250000)),
		compose("comments-at-the-end", service+rep("    k: v # c\n", 1)+rep("#\n", 400000)),
		compose("documents", rep("---\na: b\n", 100000)),
		compose("anchors", "services: {a: {image: b}}\nx:\n"+lines(60000, "  k%d: &a%[1]d v\n")),
		within(compose("quoted-lines", service+"    user: \""+rep("a\n\n", 300000)+"\"\n")),
		compose("folded", service+"    command: >\n"+rep("      a\n\n", 120000)),
		within(compose("escapes", service+"    user: \""+rep(`\U0001F600`, 100000)+"\"\n")),
		compose("tags", "services: {a: {image: b}}\nx: ["+rep("!!str a,", 120000)+"]\n"),
		compose("volumes", service+"    volumes:\n"+lines(40000, "      - /etc/a%d:/b\n")),
		compose("ports", service+"    ports:\n"+lines(60000, "      - %d:80\n")),
		within(compose("one-long-line", service+"    command: "+rep("a", 1000000)+"\n")),
		within(compose("secret-looks", service+"    command: \""+rep("api_key=9fQ2xLr7Zt0vWm4Kc8Bd1 ", 30000)+"\"\n")),
		compose("too-long", service+rep("# comment\n", 200000)),
	}
}

func quoted(s string) string { return `"` + s + `"` }

func deepBlock(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func extendsChain(n int) input {
	var b strings.Builder
	b.WriteString("services:\n  s0: {image: a}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  s%d: {extends: s%d}\n", i, i-1)
	}
	return compose("extends-chain-long", b.String())
}

// overrides are services that extend each other in a file and in its override, so that each step has two ways on.
func overrides() input {
	var b strings.Builder
	b.WriteString("services:\n  s0: {image: a}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "  s%d: {extends: s%d}\n", i, i-1)
	}
	return input{name: "compose/extends-and-overrides", ends: "docker/privileged",
		make: map[string]string{"compose.yaml": b.String(), "compose.override.yaml": b.String()}}
}

func dockerfileInputs() []input {
	rep := strings.Repeat
	forty := "FROM x\nENV A=aaaaaaaaaa\n"
	return []input{
		dockerfile("env-doubled-40", forty+rep("ENV A=$A$A\n", 40)+"USER $A\n"),
		dockerfile("env-doubled-one-line", forty+"ENV "+rep("A=$A$A ", 40)+"\nUSER $A\n"),
		dockerfile("env-in-a-row", forty+"ENV A="+rep("$A", 20000)+"\nENV A="+rep("$A", 20000)+"\nUSER $A\n"),
		dockerfile("env-replaced", forty+
			"ENV B=${A//a/${A//a/${A//a/${A//a/${A//a/${A//a/${A//a/${A//a/$A}}}}}}}}\nUSER $B\n"),
		dockerfile("env-replaced-often", forty+rep("ENV A=${A//a/$A}\n", 12)+"USER $A\n"),
		dockerfile("arg-before-from", "ARG A=aaaaaaaaaa\n"+rep("ARG A=$A$A\n", 2)+forARG(40)+"FROM $A40\nUSER a\n"),
		dockerfile("arg-and-env", "FROM x\n"+forARG(40)+"ENV U=$A40\nUSER $U\n"),
		dockerfile("env-many", "FROM x\n"+lines(60000, "ENV A%d=a\n")+"USER $A1\n"),
		dockerfile("env-many-on-a-line", "FROM x\nENV \\\n"+lines(60000, " A%d=a \\\n")+"\nUSER $A1\n"),
		dockerfile("users", "FROM x\n"+lines(20000, "ENV A%d=a\nUSER $A%[1]d\n")),
		dockerfile("stages", lines(40000, "FROM x AS s%d\n")+"USER a\n"),
		dockerfile("stages-in-a-chain", stages(20000)+"USER a\n"),
		dockerfile("stages-unnamed", rep("FROM x\n", 100000)+"USER a\n"),
		dockerfile("copies-from", "FROM x\n"+rep("COPY --from=y a b\n", 50000)+"USER a\n"),
		dockerfile("nested-defaults", "FROM x\nENV A="+rep("${A:-", 10000)+"x"+rep("}", 10000)+"\nUSER $A\n"),
		dockerfile("patterns", "FROM x\nENV A="+rep("a", 30000)+"\nENV B="+rep("${A%%*a*a*a*a*a*b}", 1500)+"\nUSER $B\n"),
		dockerfile("heredocs", "FROM x\nRUN "+rep("<<A ", 15000)+"\n"+rep("aaaaaaaaaaaaaaa\nA\n", 15000)+"USER a\n"),
		dockerfile("heredoc-long", "FROM x\nRUN <<A\n"+rep("apt-get update\n", 60000)+"A\nUSER a\n"),
		dockerfile("heredoc-open", "FROM x\nRUN <<A\n"+rep("a\n", 400000)),
		dockerfile("continuations", "FROM x\nRUN a \\\n"+rep("b \\\n", 240000)+"c\nUSER a\n"),
		dockerfile("continuations-empty", "FROM x\nRUN a \\\n"+rep("\\\n", 400000)+"c\nUSER a\n"),
		dockerfile("continuations-blank", "FROM x\nRUN a \\\n"+rep("\n", 900000)+"c\nUSER a\n"),
		dockerfile("comments", rep("# c\n", 240000)+"FROM x\nUSER a\n"),
		within(dockerfile("line-of-64-KB", "FROM x\nRUN "+rep("chmod u+s /a;", 5000)+"\nUSER a\n")),
		dockerfile("chmods", "FROM x\n"+rep("RUN chmod u+s /a\n", 55000)+"USER a\n"),
		dockerfile("adds", "FROM x\n"+lines(40000, "ADD a%d b\n")+"USER a\n"),
		within(dockerfile("adds-of-many", "FROM x\nADD "+lines(4000, "a%d ")+" b/\nUSER a\n")),
		dockerfile("onbuild", "FROM x\n"+rep("ONBUILD RUN a\n", 60000)+"USER a\n"),
		within(dockerfile("onbuild-heredocs", "FROM x\n"+rep("ONBUILD RUN <<A b\n", 1000)+"USER a\n")),
		dockerfile("labels", "FROM x\nLABEL "+rep("a=b \\\n ", 100000)+"c=d\nUSER a\n"),
		dockerfile("secrets", "FROM x\n"+rep("ENV PASSWORD=hunter22\n", 45000)+"USER a\n"),
		within(dockerfile("secret-looks", "FROM x\n"+
			rep("# https://a:b@c api_key token AKIA ghp_ xoxb- eyJ sk_live -----BEGIN\n", 9000)+"USER a\n")),
		dockerfile("escape", "# escape=`\nFROM x\nRUN a `\n"+rep("b `\n", 240000)+"c\nUSER a\n"),
		dockerfile("json", "FROM x\nCMD ["+rep(`"a",`, 15000)+`"b"]`+"\nUSER a\n"+
			rep("CMD ["+rep(`"a",`, 2000)+`"b"]`+"\n", 120)),
		dockerfile("too-long", "FROM x\n"+rep("# comment\n", 200000)+"USER a\n"),
	}
}

func forARG(n int) string {
	b := "ARG A0=aaaaaaaaaa\n"
	for i := 1; i <= n; i++ {
		b += fmt.Sprintf("ARG A%d=$A%d$A%d\n", i, i-1, i-1)
	}
	return b
}

func stages(n int) string {
	var b strings.Builder
	b.WriteString("FROM x AS s0\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "FROM s%d AS s%d\nENV A=a\n", i-1, i)
	}
	return b.String()
}

// treeInputs are directories that have no end.
func treeInputs() []input {
	files := func(name, ends string, n int, each func(int) (string, string)) input {
		return input{name: "tree/" + name, ends: ends, fill: func(dir string) {
			for i := range n {
				file, text := each(i)
				put(filepath.Join(dir, file), text)
			}
		}}
	}
	user := "docker/user"
	return []input{
		files("many-files", user, 60000, func(i int) (string, string) { return fmt.Sprintf("f%d", i), "" }),
		files("many-dockerfiles", user, 3000, func(i int) (string, string) {
			return fmt.Sprintf("d%d/Dockerfile", i), "FROM x\nUSER a\n"
		}),
		files("large-dockerfiles", user, 300, func(i int) (string, string) {
			return fmt.Sprintf("d%d/Dockerfile", i), "FROM x\n" + strings.Repeat("RUN a\n", 9000) + "USER a\n"
		}),
		files("large-compose-files", "docker/privileged", 300, func(i int) (string, string) {
			return fmt.Sprintf("d%d/compose.yaml", i), service + lines(9000, "    k%d: v\n")
		}),
		files("large-env-files", "docker/privileged", 300, func(i int) (string, string) {
			if i%2 == 0 {
				return fmt.Sprintf("d%d/compose.yaml", i), service
			}
			return fmt.Sprintf("d%d/.env", i-1), strings.Repeat("A=aaaaaaaaaaa\n", 9000)
		}),
		{name: "tree/deep", ends: user, fill: func(dir string) {
			put(filepath.Join(dir, strings.Repeat("d/", 100), "Dockerfile"), "FROM x\nUSER a\n")
		}},
		{name: "tree/links-in-a-circle", fill: func(dir string) {
			put(filepath.Join(dir, "Dockerfile"), "FROM x\nUSER a\n")
			for i := range 200 {
				must(os.Symlink("..", filepath.Join(dir, fmt.Sprintf("l%d", i))))
			}
		}},
		{name: "tree/add-of-large-files", fill: func(dir string) {
			put(filepath.Join(dir, "Dockerfile"), "FROM x\n"+lines(200, "ADD f%d b\n")+"USER a\n")
			for i := range 200 {
				put(filepath.Join(dir, fmt.Sprintf("f%d", i)), "")
				must(os.Truncate(filepath.Join(dir, fmt.Sprintf("f%d", i)), 4<<20))
			}
		}},
		{name: "tree/add-of-wild-cards", fill: func(dir string) {
			put(filepath.Join(dir, "Dockerfile"), "FROM x\n"+strings.Repeat("ADD */*/*/* b/\n", 500)+"USER a\n")
			for i := range 8000 {
				put(filepath.Join(dir, fmt.Sprintf("%d/%d/%d/f%d", i%20, i/20%20, i/400, i)), "")
			}
		}},
		{name: "tree/add-of-a-bad-pattern", fill: func(dir string) {
			put(filepath.Join(dir, "Dockerfile"), "FROM x\nADD "+strings.Repeat("*a", 20000)+"b c\nUSER a\n")
			put(filepath.Join(dir, strings.Repeat("a", 200)), "")
		}},
	}
}

// hostInputs are files of a host, or of the file system that --root names.
func hostInputs() []input {
	rep := strings.Repeat
	json := func(name, text string) input {
		return host("daemon-json-"+name, "docker/icc", map[string]string{"etc/docker/daemon.json": text})
	}
	kubelet := func(name, text string) input {
		return host("kubelet-"+name, "kubernetes/kubelet-anonymous", map[string]string{
			"var/lib/kubelet/config.yaml": "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n" + text})
	}
	pod := func(name, text string) input {
		return host("pod-"+name, "kubernetes/apiserver-profiling",
			map[string]string{"etc/kubernetes/manifests/apiserver.yaml": text})
	}
	unit := func(name, text string, more map[string]string) input {
		files := map[string]string{"lib/systemd/system/docker.service": "[Service]\n" + text}
		for k, v := range more {
			files[k] = v
		}
		return host("unit-"+name, "docker/icc", files)
	}
	return []input{
		json("elements", `{"dns": [`+rep(`0,`, 2000000)+"0]}"),
		json("members", "{"+lines(200000, `"k%d":0,`)+`"z":0}`),
		json("deep", `{"a": `+rep("[", 9000)+rep("]", 9000)+"}"),
		json("deep-objects", rep(`{"a":`, 9000)+"0"+rep("}", 9000)),
		json("deep-open", rep(`{"a":[`, 500000)),
		within(json("blanks", `{"icc": false}`+rep(" ", 4<<20-20))),
		within(json("long-string", `{"bridge": "`+rep("a", 4<<20-20)+`"}`)),
		json("too-long", `{"icc": false}`+rep(" ", 4<<20)),
		kubelet("laughs", laughs(9, 10)+"authentication: *l9\n"),
		kubelet("merge-keys", doubled(26)+"authentication: {<<: *m26}\n"),
		kubelet("nodes", "x: ["+rep("a,", 1500000)+"a]\n"),
		kubelet("deep", "x: "+rep("[", 9000)+rep("]", 9000)+"\n"),
		kubelet("cycle", "x: &x\n  y: *x\n"),
		kubelet("documents", rep("---\n", 1000000)),
		pod("laughs", laughs(9, 10)+apiserver("*l9")),
		pod("arguments", apiserver("a")+lines(90000, "    - --a%d=b\n")),
		pod("environment", apiserver("a")+"    env:\n"+lines(60000, "    - {name: a%d, value: b}\n")),
		pod("aliases", "apiVersion: v1\nkind: Pod\nx: &x\n"+lines(5000, "- a%d\n")+"spec:\n  containers:\n"+
			rep("  - {name: kube-apiserver, command: *x, args: *x}\n", 3000)),
		{name: "host/pods-many", root: true, make: host("", "", nil).make,
			ends: "kubernetes/apiserver-profiling", fill: func(dir string) {
				for i := range 200 {
					put(filepath.Join(dir, fmt.Sprintf("etc/kubernetes/manifests/p%d.yaml", i)),
						apiserver("a")+lines(9000, "    - --a%d=b\n"))
				}
			}},
		host("kubelet-config-dir-of-all", "kubernetes/kubelet-anonymous", map[string]string{
			"lib/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet " +
				"--config=/var/lib/kubelet/config.yaml --config-dir=/srv/conf.d\n"}).with(
			func(dir string) {
				for i := range 30000 {
					put(filepath.Join(dir, fmt.Sprintf("srv/conf.d/%d/f%d", i%300, i)), "")
				}
			}),
		host("kubelet-config-dir-deep", "kubernetes/kubelet-anonymous", map[string]string{
			"lib/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet " +
				"--config=/var/lib/kubelet/config.yaml --config-dir=/srv/conf.d\n",
			"srv/conf.d/" + rep("d/", 12) + "x.conf": "apiVersion: kubelet.config.k8s.io/v1beta1\n" +
				"kind: KubeletConfiguration\n"}),
		unit("variables", "Environment=A="+rep("a", 1<<20)+"\nExecStart=/usr/bin/dockerd "+rep("${A}", 20000)+"\n", nil),
		unit("words", "EnvironmentFile=/etc/default/docker\nExecStart=/usr/bin/dockerd"+rep(" $A", 2000)+"\n",
			map[string]string{"etc/default/docker": "A=" + rep("a ", 500000) + "\n"}),
		unit("continued", "ExecStart=/usr/bin/dockerd \\\n"+rep("a \\\n", 900000)+"b\n", nil),
		unit("settings", rep("Environment=A=b\n", 250000)+"ExecStart=/usr/bin/dockerd\n", nil),
		unit("executed", rep("ExecStart=/usr/bin/dockerd\n", 150000), nil),
		unit("environment-files", rep("EnvironmentFile=-/etc/default/d*\n", 20)+"ExecStart=/usr/bin/dockerd $A\n", nil).with(
			func(dir string) {
				for i := range 100 {
					put(filepath.Join(dir, fmt.Sprintf("etc/default/d%d", i)), lines(60000, fmt.Sprintf("A%d_%%d=b\n", i)))
				}
			}),
		unit("drop-ins", "ExecStart=/usr/bin/dockerd\n", nil).with(func(dir string) {
			for i := range 3000 {
				put(filepath.Join(dir, fmt.Sprintf("etc/systemd/system/docker.service.d/%d.conf", i)),
					"[Service]\n"+rep("Environment=A=b\n", 200))
			}
		}),
		host("audit-rules", "docker/audit-dockerd",
			map[string]string{"etc/audit/rules.d/a.rules": lines(100000, "-w /a%d -p wa\n")}),
		host("audit-removals", "docker/audit-dockerd",
			map[string]string{"etc/audit/rules.d/a.rules": lines(60000, "-w /a%d\n") + lines(60000, "-W /a%d\n")}),
		host("audit-architectures", "docker/audit-dockerd",
			map[string]string{"etc/audit/rules.d/a.rules": lines(40000, "-a always,exit -F arch=b64 -F path=/a%d\n")}),
		within(host("passwd", "", map[string]string{"etc/passwd": lines(100000, "u%d:x:%[1]d:1::/:/bin/sh\n"),
			"etc/group": lines(100000, "g%d:x:%[1]d:a,b,c\n")})),
	}
}

// with adds what is too much to keep in memory.
func (in input) with(fill func(string)) input {
	in.fill = fill
	return in
}
