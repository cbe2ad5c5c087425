package diff

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	compose = "/r/compose.yaml"
	daemon  = "/etc/docker/daemon.json"
	pod     = "/etc/kubernetes/manifests/x.yaml"
	envFile = "/r/.env"
	unit    = "/etc/systemd/system/x.service"
	built   = "/r/Dockerfile"
	plain   = "/etc/x"
)

// cases are files in which «…» stands around what is to be hidden, and around nothing else.
var cases = []struct{ path, text string }{
	// What is no secret is shown, wherever it stands.
	{compose, "services:\n  a:\n    environment:\n      MODE: production\n      NODE_ENV: development\n      TZ: " +
		"Europe/Berlin\n      UID: ${USER_ID}\n"},
	{compose, "services:\n  a:\n    environment:\n      - MODE=production\n      - URL=http://api:8080/v1?x=1\n      - " +
		"LANG=C.UTF-8\n"},
	{compose, "services:\n  a:\n    environment:\n      DB_PASSWORD: ${DB_PASSWORD}\n      API_TOKEN: ${API_TOKEN:?set " +
		"it in .env}\n      X_SECRET: $X_SECRET\n"},
	{compose, "services:\n  a:\n    environment:\n      DB_PASSWORD: ${DB_PASSWORD:-«hunter2»}\n      X_TOKEN: " +
		"${A:-${B:-«deep»}}\n      MODE: ${MODE:-production}\n"},
	{compose, "services:\n  a:\n    environment:\n      DB_PASSWORD_FILE: /run/secrets/db\n      TOKEN_TTL: 3600\n     " +
		" MAX_TOKENS: 4096\n      TOKEN_URL: https://x/token\n"},
	{compose, "services:\n  a:\n    environment:\n      ALLOW_EMPTY_PASSWORD: \"yes\"\n      PASSWORD_RESET: enabled\n " +
		"     USE_TOKEN: 1\n      SECRET_KEY:\n"},
	{compose, "services:\n  a:\n    secrets: [db_password, api_token]\nsecrets:\n  db_password:\n    file: " +
		"./secrets/db.txt\n  api_token: {external: true, name: prod_token}\n"},
	{compose, "services:\n  a:\n    image: " +
		"postgres:16@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n    user: \"1000:1000\"\n   " +
		" ports: [\"8080:80\"]\n"},
	{compose, "services:\n  a:\n    command: [\"serve\", \"-p\", \"8080\", \"--token-file\", \"/run/secrets/t\"]\n    " +
		"working_dir: /srv/app\n"},
	{compose, "services:\n  a:\n    labels:\n      - traefik.http.routers.a.rule=Host(`a.example.com`)\n      - " +
		"traefik.http.middlewares.auth.basicauth.usersfile=/users\n"},
	{compose, "services:\n  a:\n    environment:\n      DATABASE_URL: postgres://app:${DB_PASSWORD}@db:5432/app\n      " +
		"REDIS: redis://cache:6379/0\n      REPO: git@github.com:me/x.git\n"},
	{compose, "services:\n  a:\n    environment:\n      CDN: https://cdn.example.com/npm/swagger-ui@5/x.js\n      HUB: " +
		"https://a:8443/x@y\n      MAIL: bob@example.com\n"},
	{compose, "services:\n  a:\n    healthcheck:\n      test: [\"CMD\", \"mysqladmin\", \"ping\", \"-h\", " +
		"\"localhost\", \"-p$$MYSQL_ROOT_PASSWORD\"]\n"},
	{compose, "services:\n  a:\n    environment:\n      GIT_COMMIT: 0123456789abcdef0123456789abcdef01234567\n      " +
		"REQUEST_ID: 123e4567-e89b-42d3-a456-426614174000\n"},
	{compose, "services:\n  a:\n    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock:ro\n      - " +
		"./config:/etc/config\n    env_file: [.env]\n"},
	{daemon,
		`{"icc": false, "log-opts": {"max-size": "10m"}, "tlskey": "/etc/docker/key.pem", "hosts": ["fd://"], ` +
			`"insecure-registries": ["r.example:5000"]}`},
	{pod, "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --token-auth-file=/etc/k/t.csv\n    - " +
		"--enable-bootstrap-token-auth=true\n    - --tls-private-key-file=/etc/k/a.key\n"},
	{pod, "spec:\n  containers:\n  - env:\n    - name: MODE\n      value: fast\n    - name: DB_PASSWORD\n      " +
		"valueFrom:\n        secretKeyRef: {name: db, key: password}\n"},
	{pod, "spec:\n  automountServiceAccountToken: false\n  imagePullSecrets:\n  - name: regcred\n  volumes:\n  - name: " +
		"v\n    secret: {secretName: db-creds, defaultMode: 0400}\n"},
	{envFile, "PATH=\"/bin\"\nMODE=fast\nGREETING='a b'\n\n# prose = prose\nEMPTY=\nDB_PASSWORD=\n"},
	{"/etc/default/docker", "DOCKER_OPTS=\"--icc=true -H fd:// --log-opt max-size=10m\"\n"},
	{unit, "[Service]\nEnvironment=A=1 B=on C=text\nEnvironmentFile=-/etc/default/x\nExecStart=/usr/bin/x --token-file " +
		"/run/t -p 80\n"},
	{built, "FROM golang:1.26\nARG TOKEN\nENV MODE=fast GOFLAGS=-mod=mod\nRUN apt-get install -y pass && mkdir -p " +
		"/a\nLABEL a.b=c\nENV OLD value here\n"},
	{"/etc/audit/rules.d/x.rules", "-w /etc/docker -p wa -k docker\n-w /etc/passwd -p wa -k secrets\n"},
	{plain, "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"},
	{"/etc/kubernetes/admin.conf", "clusters:\n- cluster: {certificate-authority-data: " +
		"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSURCVENDQWUyZ0F3SUJBZ0lJ, server: https://a:6443}\n"},

	// What a name says is a secret is hidden, and nothing beside it.
	{compose, "services:\n  a:\n    environment:\n      DB_PASS: «hunter2» # c\n      DBPWD: \"«hunter 2»\"\n      " +
		"dbPassword: '«x''y»'\n      MODE: fast\n"},
	{compose, "services:\n  a: {environment: {TOKEN: «abc», MODE: fast}, image: x}\n"},
	{compose, "services:\n  a:\n    environment: [\"TOKEN=«abc»\", MODE=fast, 'A_SECRET=«x y»']\n"},
	{compose, "services:\n  a:\n    environment:\n      - C_PASSWORD=«a»\n        «b»\n      - MODE=fast\n"},
	{compose, "services:\n  a:\n    environment:\n      KEY_PASSWORD: |\n        «first»\n        «second»\n      " +
		"MODE: fast\n"},
	{compose, "x-p: &p «hunter2»\nservices:\n  a:\n    environment:\n      DB_PASSWORD: *p\n"},
	{compose, "services:\n  a:\n    command: [mysqld, \"--password=«hunter2»\", --port=3306]\n    entrypoint: [\"x\", " +
		"\"--token\", \"«abc»\", \"--mode\", \"fast\"]\n"},
	{compose, "services:\n  a:\n    command: mysqldump -uroot -p«hunter2» db\n    entrypoint: sh -c \"x --api-key " +
		"«abc» --mode fast\"\n"},
	{compose, "services:\n  a:\n    command: [\"mysql\", \"-p«hunter2»\", \"db\"]\n    entrypoint: [redis-cli, -a, " +
		"«secretpw», ping]\n"},
	{compose, "services:\n  a:\n    command: redis-server --requirepass «hunter2» --port 6379\n    healthcheck: {test: " +
		"[\"CMD\", \"curl\", \"-u\", \"bob:«hunter2»\", \"http://x\"]}\n"},
	{compose, "services:\n  a:\n    environment:\n      NEO4J_AUTH: «neo4j/hunter2»\n      APP_KEY: " +
		"«base64:c2VjcmV0IGtleSAxMjM0NTY3OA==»\n      AUTH_MODE: ldap\n"},
	{compose, "services:\n  a:\n    environment:\n      X: «ghp_x7Kq2LmZ9vBt4RyWs8NdPf3Gh6JcTa1Ue5Xo»\n      Y: " +
		"«9fQ2xLr7Zt0vWm4Kc8Bd1»\n      Z: my-service-name-1\n"},
	{compose, "services:\n  a:\n    environment:\n      DATABASE_URL: postgres://«app:hunter2»@db:5432/app\n      U: " +
		"postgres://u:${P:-«hunter2»}@db\n"},
	{compose, "# DB_PASSWORD: «hunter2»\nservices:\n  a:\n    image: x # token=«abc»\n"},
	{compose, "configs:\n  c:\n    content: |\n      mode: fast\n      password: «hunter2»\n  d: {content: " +
		"\"user=bob;password=«x1»;mode=fast\"}\nsecrets:\n  s: {content: «abc»}\n"},
	{pod, "spec:\n  containers:\n  - env:\n    - name: DB_PASSWORD\n      value: «hunter2»\n    - {name: MODE, value: " +
		"fast}\n    - {value: \"«x»\", name: api-token}\n"},
	{pod, "spec:\n  containers:\n  - command: [etcd, --password, «hunter2», --name, n1]\n    args:\n    - -p\n    - " +
		"«hunter3»\n"},
	{pod, "spec:\n  containers:\n  - command:\n    - sh\n    - -c\n    - |\n      mysql -p«hunter2» -h db\n      " +
		"export A_TOKEN=«abc»; run --mode fast\n"},
	{"/etc/kubernetes/admin.conf",
		"users:\n- name: a\n  user:\n    client-key-data: «LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt»\n    token: «abc.def»\n  " +
			"  username: bob\n    password: «x»\n"},
	{"/etc/kubernetes/enc.yaml", "resources:\n- providers:\n  - aescbc:\n      keys:\n      - name: key1\n        " +
		"secret: «c2VjcmV0»\n  - identity: {}\n"},
	{"/x/secret.yaml", "kind: Secret\nmetadata: {name: a}\nstringData:\n  config: «abc»\ndata: {b: «eA==»}\n"},
	{daemon,
		`{"insecure-registries": ["«bob:hunter2»@r.example:5000"], "registry-mirrors": ["https://«bob:hunter2»@m"], "icc": ` +
			`false}`},
	{daemon,
		`{"proxies": {"http-proxy": "http://«u:p%40x»@proxy:3128", "no-proxy": "localhost"}, "log-opts": {"splunk-token": ` +
			`"«abc»", "tag": "x"}}`},
	{daemon,
		`{"labels": ["token=«abc»", "zone=eu"], "exec-opts": ["native.cgroupdriver=systemd"], "pwd": "«x»", "basic-auth": ` +
			`"«u:x»"}`},
	{"/root/.docker/config.json", `{"auths": {"https://index.docker.io/v1/": {"auth": "«dTpw»", "email": "a@b.c"}}}`},
	{daemon, "{\n  \"password\":\n    \"«hunter2»\",\n  \"icc\": true\n  \"x\": 1,\n}"},
	{daemon,
		"{ \"env\": [{\"name\": \"DB_PASS\", \"value\": \"«hunter2»\"}, {\"name\": \"MODE\", \"value\": \"fast\"}], "},
	{daemon, "{ \"args\": [\"--token\",\n \"«hunter2»\", \"--mode\", \"fast\"], "},
	{daemon, "{ password: «ab=cd», token: «x,y» # c\n \"x\": 1"},
	{envFile, "DB_PASS=«hunter2»\nexport A_TOKEN='«a b»'\nKEYS_SECRET=\"«one»\n«two»\"\nMODE=fast\nB_PWD=«x» \\\n  " +
		"«y»\n# OLD_TOKEN=«z»\nX_TOKEN=${Y}\n«no assignment»\n"},
	{unit, "[Service]\nEnvironment=\"A_TOKEN=«x y»\" MODE=fast\nEnvironment=B_PASS=«x» \\\n  " +
		"C_SECRET=«y»\nSetCredential=c:«abc»\nExecStart=/x --password «hunter2» \\\n  --api-key=«abc» --mode fast\n"},
	{built, "FROM x\nENV A_TOKEN=«x» MODE=fast B_PASS=\"«y z»\" \\\n # c\n  C_SECRET=«w»\nENV OLD_PASSWORD «first " +
		"second»\nARG D_PWD=«x»\nRUN login --password «hunter2» \\\n  --mode fast && T_TOKEN=«abc» run\n"},
	{built, "FROM x\nCMD [\"mysql\", \"-p«hunter2»\", \"db\"]\nENTRYPOINT [\"x\", \"--token\", \"«abc»\"]\nADD " +
		"https://«u:x»@h/f /f\nLABEL api.key=«c2VjcmV0IGtleSAxMjM0NTY3OA»\n"},
	{plain, "-----BEGIN PRIVATE KEY-----\n«abc»\n«de»\n-----END PRIVATE KEY-----\nAuthorization: «Bearer " +
		"abcdefgh»\nsecret_key = '«x»'\n"},
	{"configmap/kube-system/kubeadm-config",
		"apiServer:\n  extraArgs:\n  - name: token\n    value: «abc»\n  - {name: v, value: \"2\"}\n"},
}

var (
	around = regexp.MustCompile(`«([^»]*)»`)
	tagged = regexp.MustCompile(`, [0-9a-f]{8}›`)
)

// TestRedact holds what is hidden and what is shown to what stands in cases.
func TestRedact(t *testing.T) {
	r := NewRedactor([]byte("key"))
	for _, c := range cases {
		in := around.ReplaceAllString(c.text, "$1")
		want := around.ReplaceAllStringFunc(c.text, func(s string) string {
			return fmt.Sprintf("‹redacted %d bytes›", len(strings.Trim(s, "«»")))
		})
		once := string(r.Redact(c.path, []byte(in)))
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(tagged.ReplaceAllString(once, "›"), "\n")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.path, diff)
		}
	}
}

// TestRedactText does the same for text of no known structure: an error, a finding.
func TestRedactText(t *testing.T) {
	r := NewRedactor([]byte("key"))
	for _, text := range []string{
		"GET https://«me:pw»@host/a: 401, token=«abc», sha256:0123",
		"login as «ghp_0123456789abcdefghij» failed, «AKIAIOSFODNN7EXAMPLE»",
		"`[{secretbox: {keys: [{name: key1, secret: …}]}}]`, or secret: {a: b, secret: «c»}",
		"token=«trueish», a-b: c",
		`HARDEN_*: cannot parse 'level' as int: strconv.ParseInt: parsing "«hunter2»": invalid syntax`,
		"/etc/harden/harden.yaml:3: cannot unmarshal !!str `«hunter2»` into int",
		"unix:///run/docker.sock and tcp://«u:p»@h:2375 do not answer",
		"the daemon's configuration isn't what runs: --icc=true, -p 80, image postgres:16@sha256:abc",
		"exec: mysql -uroot -p«hunter2» -e 'select 1'",
		"--token-auth-file=/etc/k/t.csv is set, and must not be",
		"/etc/k/t.csv by --token-auth-file in /etc/kubernetes/manifests/kube-apiserver.yaml; must be unset",
		"take --token-auth-file out of /etc/kubernetes/manifests/kube-apiserver.yaml, then restart the API server",
		"what --service-account-key-file and --service-account-signing-key-file name, by ETCD_KEY_FILE in /etc/etcd.env",
		"no password is asked for, and its key is not of a client",
		"",
	} {
		in := around.ReplaceAllString(text, "$1")
		want := around.ReplaceAllStringFunc(text, func(s string) string {
			return fmt.Sprintf("‹redacted %d bytes›", len(strings.Trim(s, "«»")))
		})
		once := r.RedactText(in)
		if diff := cmp.Diff(want, tagged.ReplaceAllString(once, "›")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if twice := r.RedactText(once); twice != once {
			t.Errorf("%q, redacted again, became %q", once, twice)
		}
	}
}

// TestRedactBroken breaks every document of cases in every way: no parser takes it, and its secrets stay hidden.
func TestRedactBroken(t *testing.T) {
	r := NewRedactor([]byte("key"))
	for name, broken := range map[string]func(string) string{
		"tail":   func(s string) string { return s + "\n]{\"" },
		"head":   func(s string) string { return "}\n" + s },
		"tab":    func(s string) string { return strings.Replace(s, "  ", "\t", 1) + "\n\t- x: [" },
		"split":  func(s string) string { return strings.ReplaceAll(s, ": ", ":\n    ") + "\n]}" },
		"CRLF":   func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"BOM":    func(s string) string { return "\ufeff" + s },
		"indent": func(s string) string { return strings.ReplaceAll(s, "\n", "\n   ") + "\n ]" },
	} {
		for _, c := range cases {
			var planted []string
			in := around.ReplaceAllStringFunc(c.text, func(s string) string {
				s = strings.Trim(s, "«»")
				if len(s) < 3 || strings.ContainsAny(s, " /:") {
					return s // what makes it one secret is what is broken
				}
				planted = append(planted, fmt.Sprintf("cNry%02dx", len(planted)))
				return planted[len(planted)-1] + s
			})
			out := string(r.Redact(c.path, []byte(broken(in))))
			for _, p := range planted {
				if strings.Contains(out, p) {
					t.Errorf("%s, %s: %s is shown:\n%s", c.path, name, p, out)
				}
			}
		}
	}
}

// TestRedactLong gives the redactor much of whatever might make it look at the same bytes again and again.
func TestRedactLong(t *testing.T) {
	r := NewRedactor([]byte("key"))
	long := func(piece string) string { return strings.Repeat(piece, 1<<15/len(piece)) }
	for _, piece := range []string{"a=", "key=", "password=", "${", "{{", "$(", "'\"", "=' ", "\"\\", "a: ", "[", "-p ",
		"--token ", "password: '", "x:y@", "u://",
		"\\u0070assword=", "-----BEGIN PRIVATE KEY-----", "‹redacted ", "mysql -p", "basic a", "\\\n"} {
		for _, path := range []string{compose, daemon, envFile, unit, built, plain} {
			r.Redact(path, []byte(long(piece)))
		}
		r.Redact(compose, []byte("a: \""+strings.ReplaceAll(strings.ReplaceAll(long(piece), `\`, `\\`), `"`, `\"`)+"\"\n"))
		r.Redact(compose, []byte("a:\n- -"+strings.Repeat("\n- '"+strings.ReplaceAll(piece, "'", "")+"'", 2000)))
		r.RedactText(long(piece))
	}
}
