package source_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/facts"
	"example.com/harden/checks/facts/live"
)

// found judges files by one check, and returns what it finds: each finding's subject without its file's name.
func found(t *testing.T, id string, choices facts.Choices, files map[string]string) string {
	t.Helper()
	var all []string
	for _, f := range judged(t, id, choices, files).Findings {
		_, what, _ := strings.Cut(f.Subject, " ")
		all = append(all, what)
	}
	return strings.Join(all, "; ")
}

// judged judges files by one check.
func judged(t *testing.T, id string, choices facts.Choices, files map[string]string) checks.Result {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a/b")
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dirs := []facts.SourceDir{{Path: dir, As: "."}}
	h := facts.New(t.Context(), live.Beneath(dirs), choices)
	h.SourceDirs = dirs
	for _, c := range catalog.All {
		if c.ID != "docker/"+id {
			continue
		}
		sourced := *c
		sourced.Rule = c.Source
		return checks.Run(context.Background(), h, []*checks.Check{&sourced})[0]
	}
	t.Fatal("no check ", id)
	return checks.Result{}
}

// TestDockerfiles holds what is found of a Dockerfile, and what is not.
func TestDockerfiles(t *testing.T) {
	for _, test := range []struct{ id, text, want string }{
		{"package-index", "RUN apt-get update", "RUN apt-get update"},
		{"package-index", "RUN apt-get update && apt-get install -y x", ""},
		{"package-index", "RUN apt-get update && timeout -k 5 300 apt-get install -y x", ""},
		{"package-index", "RUN timeout 300 apt-get update", "RUN apt-get update"},
		{"package-index", "RUN apt-get update && nice -n 10 apt-get install -y x", ""},
		{"package-index", "RUN apt-get update && xargs -a list -n 1 apt-get install -y", ""},
		{"package-index", "RUN apt-get update && cat list | xargs apt-get install -y", ""},
		{"package-index", "RUN retry -- apt-get update && retry 3 apt-get install -y x", ""},
		{"package-index", "RUN retry -- apt-get update", "RUN apt-get update"},
		{"package-index", "RUN DEBIAN_FRONTEND=x eatmydata apt-get update", "RUN apt-get update"},
		{"package-index", "RUN <<EOF\napt-get update\nEOF", "RUN apt-get update"},
		{"package-index", "RUN bash -e <<EOF\napt-get update\napt-get install -y x\nEOF", ""},
		{"package-index", "RUN cat <<EOF > /usr/bin/up\napt-get update\nEOF", ""},
		{"package-index", "RUN <<EOF\ncat > /x <<EOT\napt-get update\nEOT\nEOF", ""},
		{"image-setuid", "RUN chmod 4755 /x", "RUN chmod 4755 /x"},
		{"image-setuid", "RUN chmod u+s /x", "RUN chmod u+s /x"},
		{"image-setuid", "RUN chmod g+s /bin/x", "RUN chmod g+s /bin/x"},
		{"image-setuid", "RUN mkdir -p /data && chmod 2777 /data", ""},
		{"image-setuid", "RUN mkdir /data\nRUN chmod g+s /data", ""},
		{"image-setuid", "WORKDIR /data\nRUN chmod 2775 /data/", ""},
		{"image-setuid", "RUN mkdir /data && chmod 6777 /data", "RUN chmod 6777 /data"},
		{"image-setuid", "RUN mkdir /data && chmod -R 2777 /data", "RUN chmod -R 2777 /data"},
		{"image-setuid", "RUN chmod 2777 /bin/x", "RUN chmod 2777 /bin/x"},
		{"image-setuid", "RUN install --mode 4755 x /bin/x", "RUN install --mode 4755 x /bin/x"},
		{"image-setuid", "RUN install --mode=4755 x /bin/x", "RUN install --mode=4755 x /bin/x"},
		{"image-setuid", "RUN install -d -m 2775 /data", ""},
		{"image-setuid", "RUN install -m 2755 x /bin/x", "RUN install -m 2755 x /bin/x"},
		{"image-setuid", "RUN timeout 5 chmod 4755 /x", "RUN chmod 4755 /x"},
		{"image-secrets", "ENV DB_PASS=hunter2", "ENV DB_PASS"},
		{"image-secrets", "ENV GPG_KEY=586EFEF859AF2DB190D84080BDB2011E173C31A2", ""},
		{"image-secrets", "RUN echo 'root:toor9' | chpasswd", "RUN a password behind its user's name"},
		{"image-secrets", "RUN <<EOF\nchpasswd <<< root:toor9\nEOF", "RUN a password behind its user's name"},
		{"image-secrets", "ARG NPM_TOKEN", "ARG NPM_TOKEN"},
		{"image-secrets", "ARG TOKEN_TTL=5", ""},
		{"image-secrets", "ADD release.gpg.key /usr/share/keyrings/x.asc", ""},
		{"image-secrets", "COPY server.key /etc/x", "COPY server.key"},
		{"image-secrets", "LABEL api-key=abcdef123", "LABEL api-key"},
	} {
		text := "FROM debian:12\n" + test.text + "\n"
		if got := found(t, test.id, facts.Choices{}, map[string]string{"Dockerfile": text}); got != test.want {
			t.Errorf("%s of %q: %q, want %q", test.id, test.text, got, test.want)
		}
	}
}

// TestBases holds what is known of images that others start from.
func TestBases(t *testing.T) {
	for image, want := range map[string]string{
		"debian:12": "USER", "nginx": "USER", "bitnami/minideb": "USER", "bitnami/redis:7": "",
		"docker.io/bitnami/mariadb":        "",
		"gcr.io/distroless/static:nonroot": "", "gcr.io/distroless/static-debian12:debug-nonroot": "",
		"gcr.io/distroless/static":         "USER",
		"nginxinc/nginx-unprivileged:1.27": "", "jenkins/jenkins:lts-jdk21": "", "quay.io/jupyter/base-notebook": "",
		"quay.io/keycloak/keycloak:26":                  "",
		"mcr.microsoft.com/windows/servercore:ltsc2022": "", "mcr.microsoft.com/windows/nanoserver:1809": "",
		"mcr.microsoft.com/dotnet/runtime:8.0":                "USER",
		"mcr.microsoft.com/dotnet/runtime:8.0-jammy-chiseled": "", "python:3.13-windowsservercore-ltsc2022": "",
		"evil/bitnami/redis": "USER",
	} {
		if got := found(t, "user", facts.Choices{}, map[string]string{"Dockerfile": "FROM " + image + "\n"}); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
	if got := found(t, "user", facts.Choices{},
		map[string]string{"Dockerfile": "FROM bitnami/redis\nUSER root\n"}); got != "USER" {
		t.Errorf("root again: %q", got)
	}
}

// TestTrusted holds 4.2 to the registries that the site trusts.
func TestTrusted(t *testing.T) {
	choices := facts.Choices{TrustedRegistries: []string{"docker.io/library", "registry.example:5000"}}
	for image, want := range map[string]string{
		"debian:12": "", "registry.example:5000/a/b:1": "", "evil/debian:12": "FROM evil/debian:12",
		"registry.example.org/a": "FROM registry.example.org/a",
	} {
		if got := found(t, "trusted-images", choices, map[string]string{"Dockerfile": "FROM " + image + "\n"}); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
	if got := found(t, "trusted-images", choices,
		map[string]string{"compose.yaml": "services: {a: {image: x/y}, b: {image: nginx}}\n"}); got != "a image x/y" {
		t.Errorf("Compose: %q", got)
	}
}

// TestComposes holds what is found of a Compose file and of the environment files that it reads.
func TestComposes(t *testing.T) {
	const volume = "\nvolumes:\n  v:\n    driver_opts: {type: none, o: bind, device: /etc}\n"
	for _, test := range []struct{ id, text, env, ignore, want string }{
		{"sensitive-mounts", "volumes: [{type: bind, source: /etc, target: /x}]", "", "", "a volumes /etc"},
		{"sensitive-mounts", "volumes: [{type: bind, source: ../../../../../../../etc, target: /x}]", "", "",
			"a volumes /etc"},
		{"sensitive-mounts", "volumes: [../../../../../../../etc:/x]", "", "", "a volumes /etc"},
		{"sensitive-mounts", "volumes: [{type: bind, source: ./etc, target: /x}]", "", "", ""},
		{"sensitive-mounts", "volumes: [{type: bind, source: ./etc, target: /x, read_only: true}]", "", "", ""},
		{"sensitive-mounts", "volumes: [v:/x]" + volume, "", "", "a volumes /etc"},
		{"sensitive-mounts", "volumes: [v:/x:ro]" + volume, "", "", ""},
		{"sensitive-mounts", "volumes: [{type: volume, source: v, target: /x}]" + volume, "", "", "a volumes /etc"},
		{"sensitive-mounts", "volumes: [w:/x]" + volume, "", "", ""},
		{"sensitive-mounts", "volumes: [v:/x]" + strings.Replace(volume, "bind", "addr=x", 1), "", "", ""},
		{"bound-ports", "ports: [{target: 80, published: 8080, mode: ingress}]", "", "", "a ports 8080"},
		{"bound-ports", "ports: [{target: 80, published: 8080, mode: host, host_ip: 127.0.0.1}]", "", "", ""},
		{"low-ports", "ports: [{target: 80, published: 80, mode: ingress}]", "", "", "a ports 80"},
		{"devices", "devices: [/dev/sda]", "", "", "a devices /dev/sda"},
		{"devices", "device_cgroup_rules: ['c 1:* rmw']", "", "", "a device_cgroup_rules c 1:* rmw"},
		{"devices", "gpus: all", "", "", "a gpus"},
		{"devices", "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}", "", "",
			"a deploy.resources.reservations.devices"},
		{"devices", "gpus: []\n    devices: []", "", "", ""},
		{"socket-mounts", "use_api_socket: true", "", "", "a use_api_socket"},
		{"socket-mounts", "use_api_socket: '${V:-yes}'", "", "", "a use_api_socket"},
		{"socket-mounts", "use_api_socket: false", "", "", ""},
		{"socket-mounts", "configs: [c]\nconfigs: {c: {file: /var/run/docker.sock}}", "", "",
			"a configs /var/run/docker.sock"},
		{"socket-mounts", "secrets: [{source: c, target: x}]\nsecrets: {c: {file: '${SOCKET}'}}", "SOCKET=/run/docker.sock",
			"", "a secrets /run/docker.sock"},
		{"socket-mounts", "secrets: [c, d]\nsecrets: {c: {file: ./docker.sock}, d: {environment: D}}", "", "", ""},
		{"image-secrets", "environment: {DB_PASS: hunter2}", "", "", "a environment DB_PASS"},
		{"image-secrets", "environment: ['DB_PWD=hunter2']", "", "", "a environment DB_PWD"},
		{"image-secrets", "environment: {DB_PASSWORD: '${PW:-frog}'}", "", "", "a environment DB_PASSWORD"},
		{"image-secrets", "environment: {DB_PASSWORD: '${PW:?set it}'}", "", "", ""},
		{"image-secrets", "environment: {Db: 'Server=d;Password=S3cr3t;'}", "", "", "a environment Db"},
		{"image-secrets", "command: redis-server --requirepass nostream", "", "", "a command --requirepass"},
		{"image-secrets", "command: [redis-server, --requirepass, nostream]", "", "", "a command --requirepass"},
		{"image-secrets", "healthcheck: {test: [CMD-SHELL, redis-cli -a bitnami ping]}", "", "", "a healthcheck.test -a"},
		{"image-secrets", "image: x", "DB_PASSWORD=hunter2\n", "", "DB_PASSWORD"},
		{"image-secrets", "image: x", "DB_PASSWORD=hunter2\n", ".env\n", ""},
		{"image-secrets", "image: x", "DB_PASSWORD=hunter2\n", "*.env\n!.env\n", "DB_PASSWORD"},
		{"image-secrets", "image: x", "DB_PASSWORD=\nTOKEN_TTL=5\n# A_TOKEN=x\n", "", ""},
		{"image-secrets", "env_file: [{path: ./.env}]", "export A_TOKEN='abcdef'\n", "", "A_TOKEN"},
		{"image-secrets", "environment: {ACCESS_TOKEN_EXPIRE_MINUTES: 30, JWT_PRIVATE_KEY: /keys/jwt.pem}", "", "", ""},
	} {
		files := map[string]string{"compose.yaml": "services:\n  a:\n    " + test.text + "\n"}
		if test.env != "" {
			files[".env"] = test.env
		}
		if test.ignore != "" {
			files[".gitignore"] = test.ignore
		}
		if got := found(t, test.id, facts.Choices{}, files); got != test.want {
			t.Errorf("%s of %q: %q, want %q", test.id, test.text, got, test.want)
		}
	}
}

// TestNamed holds that files are judged that others name as Dockerfiles and Compose files, whatever they are called.
func TestNamed(t *testing.T) {
	const secret = "FROM x\nENV DB_PASSWORD=hunter2\n"
	for _, test := range []struct {
		name, id string
		files    map[string]string
		want     string
	}{
		{"a Dockerfile of another name", "image-secrets", map[string]string{
			"compose.yaml": "services: {a: {build: {context: img, dockerfile: sub/api.df}}}\n", "img/sub/api.df": secret},
			"ENV DB_PASSWORD"},
		{"from another directory, without a context", "image-secrets", map[string]string{
			"app/compose.yaml": "services: {a: {build: {dockerfile: '${D:-../api.df}'}}}\n", "api.df": secret},
			"ENV DB_PASSWORD"},
		{"that the walk has found", "image-secrets", map[string]string{
			"compose.yaml":   "services: {a: {build: {dockerfile: api.Dockerfile}}, b: {build: {dockerfile: api.Dockerfile}}}\n",
			"api.Dockerfile": secret}, "ENV DB_PASSWORD"},
		{"that looks like one", "image-secrets", map[string]string{
			"compose.yaml": "services: {a: {build: {dockerfile: Dockerfile.j2}}}\n", "Dockerfile.j2": secret},
			"ENV DB_PASSWORD"},
		{"of another directory of an included file", "image-secrets", map[string]string{
			"compose.yaml": "include: [sub/x.yaml]\n",
			"sub/x.yaml":   "services: {a: {build: {context: ., dockerfile: api.df}}}\n",
			"sub/api.df":   secret}, "ENV DB_PASSWORD"},
		{"that is outside", "image-secrets", map[string]string{
			"compose.yaml": "services: {a: {build: {context: ../../.., dockerfile: etc/passwd}}}\n"}, ""},
		{"of another machine", "image-secrets", map[string]string{
			"compose.yaml": "services: {a: {build: {context: 'https://x.example/a.git', dockerfile: api.df}}}\n",
			"api.df":       secret}, ""},
		{"a Dockerfile in a Compose file", "image-secrets", map[string]string{
			"compose.yaml": "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM x\n" +
				"        ENV DB_PASSWORD=hunter2\n"},
			"(a) ENV DB_PASSWORD"},
		{"that two services share", "image-secrets", map[string]string{
			"compose.yaml": "x-i: &i |\n  FROM x\n  ENV DB_PASSWORD=hunter2\n" +
				"services: {a: {build: {dockerfile_inline: *i}}, b: {build: {dockerfile_inline: *i}}}\n"},
			"(a) ENV DB_PASSWORD"},
		{"files of a project by COMPOSE_FILE", "privileged", map[string]string{
			".env":            "COMPOSE_FILE=base.yml:deploy/prod.yml:compose.yaml:gone.yml\n",
			"compose.yaml":    "services: {a: {image: x}}\n",
			"base.yml":        "services: {b: {privileged: true}}\n",
			"deploy/prod.yml": "services: {c: {privileged: true}}\n"}, "b privileged; c privileged"},
		{"with another separator", "privileged", map[string]string{
			"app/.env":     "COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE=base.yml;../prod.yml\n",
			"app/base.yml": "services: {b: {privileged: true}}\n",
			"prod.yml":     "services: {c: {privileged: true}}\n"}, "b privileged; c privileged"},
		{"that are outside", "privileged", map[string]string{
			".env":         "COMPOSE_FILE=../../../etc/passwd:/etc/passwd\n",
			"compose.yaml": "services: {a: {privileged: true}}\n"},
			"a privileged"},
	} {
		if got := found(t, test.id, facts.Choices{}, test.files); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	r := judged(t, "no-add", facts.Choices{}, map[string]string{
		"compose.yaml": "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM x\n        ADD a /\n",
		"a":            ""})
	if len(r.Findings) != 1 || r.Findings[0].Place != "compose.yaml:6" || len(r.Findings[0].Wants) != 0 {
		t.Errorf("ADD in a Compose file: %+v", r.Findings)
	}
}
