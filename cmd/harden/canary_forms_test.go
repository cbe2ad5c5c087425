package main

import (
	"fmt"
	"strings"
)

// A form is one way in which a secret may be written: $ is where it is.
type form struct{ file, text string }

// Files of a host that forms are planted in, each a skeleton in which %s are its forms.
var canaryFiles = map[string]struct {
	skeleton string
	mode     uint32
}{
	"/etc/docker/daemon.json": {"{\n  \"icc\": true,\n%s\n  \"userland-proxy\": true\n}\n", 0o666},
	"/etc/docker/other.json":  {"{\n%s\n  \"end\": true\n}\n", 0o600},
	"/etc/default/docker":     {"# Docker\nDOCKER_OPTS=\n%s\n", 0o666},
	"/etc/environment":        {"PATH=/bin\n%s\n", 0o666},
	"/usr/lib/systemd/system/docker.service": {"[Unit]\nDescription=Docker\n[Service]\nExecStart=/usr/bin/dockerd -H " +
		"fd://\n%s\n" +
		"[Install]\nWantedBy=multi-user.target\n", 0o666},
	"/etc/systemd/system/docker.service.d/env.conf": {"[Service]\n%s\n", 0o666},
	"/etc/audit/rules.d/docker.rules":               {"-w /etc/docker -p wa -k docker\n%s\n", 0o666},
	"/etc/kubernetes/manifests/kube-apiserver.yaml": {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  " +
		"namespace: kube-system\nspec:\n" +
		"  containers:\n  - name: kube-apiserver\n    image: registry.k8s.io/kube-apiserver:v1.34.0\n    command:\n    - " +
		"kube-apiserver\n" +
		"    - --anonymous-auth=true\n    - --profiling=true\n    - --authorization-mode=AlwaysAllow\n%s\n", 0o666},
	"/etc/kubernetes/manifests/etcd.yaml": {"apiVersion: v1\nkind: Pod\nmetadata:\n  name: etcd\n  namespace: " +
		"kube-system\nspec:\n" +
		"  containers:\n  - name: etcd\n    image: registry.k8s.io/etcd:3.6.4-0\n    env:\n%s\n    command:\n    - etcd\n " +
		"   - --client-cert-auth=false\n", 0o666},
	"/var/lib/kubelet/config.yaml": {"apiVersion: kubelet.config.k8s.io/v1beta1\nkind: " +
		"KubeletConfiguration\nauthentication:\n  anonymous: {enabled: true}\n" +
		"staticPodPath: /etc/kubernetes/manifests\n%s\n", 0o666},
	"/etc/kubernetes/kubelet.conf": {"apiVersion: v1\nkind: Config\n%s\n", 0o666},
	"/etc/kubernetes/enc.yaml":     {"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n%s\n", 0o666},
}

const (
	inDaemon  = "/etc/docker/daemon.json"
	inJSON    = "/etc/docker/other.json"
	inEnv     = "/etc/default/docker"
	inUnit    = "/usr/lib/systemd/system/docker.service"
	inDropIn  = "/etc/systemd/system/docker.service.d/env.conf"
	inRules   = "/etc/audit/rules.d/docker.rules"
	inPod     = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	inEtcd    = "/etc/kubernetes/manifests/etcd.yaml"
	inKubelet = "/var/lib/kubelet/config.yaml"
	inConf    = "/etc/kubernetes/kubelet.conf"
	inEnc     = "/etc/kubernetes/enc.yaml"
	inHostEnv = "/etc/environment"
)

// forms are what is planted on a host. The 23 that main once told are among them.
var forms = []form{
	{inDaemon, `  "log-driver": "splunk", "log-opts": {"splunk-token": "$", "splunk-url": "https://x"},`},
	{inDaemon, `  "proxies": {"http-proxy": "http://user:$@proxy:3128"},`},
	{inDaemon, `  "registry-mirrors": ["https://me:$@mirror.example"],`},
	{inDaemon, `  "insecure-registries": ["me:$@registry.example:5000"],`},
	{inDaemon, `  "labels": ["api-token=$"],`},
	{inDaemon, `  "runtimes": {"x": {"path": "/x", "runtimeArgs": ["--token", "$"]}},`},
	{inJSON, `  "exec-opts": ["native.password=$"],`},
	{inJSON, `  "builder": {"pwd": "$"},`},
	{inJSON, `  "features": {"basic-auth": "$"},`},
	{inJSON, `  "x": "\u0074oken=$",`},
	{inJSON, `  "auths": {"https://u:$@index.example/": {"auth": "$", "identitytoken": "$"}},`},
	{inJSON, `  "Config": {"Env": ["DB_PASSWORD=$"], "Cmd": ["mysql", "-p$"]},`},
	{inJSON, `  "password":\n    "$",`},
	{inEnv, "DB_PASS=$"},
	{inEnv, `export API_TOKEN="a $"`},
	{inEnv, "# OLD_SECRET=$"},
	{inEnv, "LONG_PASSWORD=\"first\nsecond $\""},
	{inEnv, "HTTP_PROXY=http://u:$@proxy"},
	{inEnv, "CONNECTION=\"Server=db;User=sa;Password=$;\""},
	{inHostEnv, "DBPWD='$'"},
	{inHostEnv, "ANY=$Lm3Xv7Tb2Rk9"},
	{inHostEnv, "not an assignment $"},
	{inUnit, "Environment=DB_PASSWORD=$"},
	{inUnit, `Environment="A=1" "B_TOKEN=x $"`},
	{inUnit, "Environment=C=1 \\\n  D_SECRET=$"},
	{inUnit, "SetCredential=c:$"},
	{inUnit, "ExecStartPre=/usr/bin/login --password $"},
	{inUnit, "ExecStartPost=/usr/bin/mysql -uroot -p$ -e x"},
	{inDropIn, "ExecStartPre=/usr/bin/curl -u me:$ http://x"},
	{inDropIn, "ExecStartPost=/usr/bin/redis-cli -a $ ping"},
	{inDropIn, "# Environment=OLD_TOKEN=$"},
	{inRules, "# token=$"},
	{inRules, "## password: $"},
	{inPod, "    - --token=$"},
	{inPod, "    - --password\n    - $"},
	{inPod, "    - -p\n    - $"},
	{inPod, "    - --oidc-client-secret=$"},
	{inPod, "    - --etcd-servers=https://u:$@etcd:2379"},
	{inPod, "    env: [{name: DB_PASSWORD, value: $}, {value: \"$\", name: api-key}]"},
	{inPod, "  - name: sidecar\n    image: x\n    args: [\"--api-key\", \"$\"]"},
	{inPod, "  - name: shell\n    image: x\n    command: [sh, -c, \"mysqldump -p$ db; run --secret $\"]"},
	{inPod, "  - name: script\n    image: x\n    command:\n    - sh\n    - -c\n    - |\n      export A_TOKEN=$\n      " +
		"login --password $"},
	{inPod, "  - name: probe\n    image: x\n    livenessProbe: {httpGet: {path: /, httpHeaders: [{name: Authorization, " +
		"value: \"Bearer $\"}]}}"},
	{inPod, "  - name: form\n    image: x\n    env:\n    - name: PLAIN\n      value: $Lm3Xv7Tb2Rk9"},
	{inEtcd, "    - name: ETCD_ROOT_PASSWORD\n      value: $"},
	{inEtcd, "    - name: DB_PWD\n      value: >-\n        first\n        $"},
	{inEtcd, "    - value: '$'\n      name: userpass"},
	{inEtcd, "    - {name: DSN, value: \"postgres://u:$@db/x\"}"},
	{inEtcd, "    # - {name: OLD, value: token=$}"},
	{inEtcd, "    - name: JSON\n      value: '{\"password\": \"$\", \"mode\": \"x\"}'"},
	{inKubelet, "staticPodURLHeader: {Authorization: [\"Basic $\"]}"},
	{inKubelet, "staticPodURL: https://u:$@manifests.example/x"},
	{inKubelet, "providerID: \"x?password=$\""},
	{inKubelet, "x-token: &t $\nx-other: {secret: *t}"},
	{inKubelet, "# password: $"},
	{inConf, "users:\n- name: a\n  user:\n    client-key-data: $\n    token: $"},
	{inConf, "- name: b\n  user: {username: u, password: $}"},
	{inConf, "- name: c\n  user:\n    exec: {command: x, env: [{name: AWS_SECRET_ACCESS_KEY, value: $}]}"},
	{inConf, "- name: d\n  user:\n    auth-provider: {name: oidc, config: {client-secret: $, id-token: $}}"},
	{inEnc, "resources:\n- resources: [secrets]\n  providers:\n  - aescbc: {keys: [{name: key1, secret: $}]}"},
	{inEnc, "  - secretbox:\n      keys:\n      - name: key2\n        secret: $"},
	{inEnc, "# - aesgcm: {keys: [{name: key0, secret: $}]}"},
}

// sourceForms are what is planted in a repository: Compose files and Dockerfiles.
var sourceForms = []form{
	{"compose.yaml", "    environment:\n      DB_PASS: $\n      MODE: x\n      dbPassword: \"$\""},
	{"compose.yaml", "    environment:\n      KEY_PASSWORD: |\n        $"},
	{"compose.yaml", "    environment:\n      URL: postgres://u:$@h/d\n      DEFAULT_TOKEN: ${X:-$}\n      PLAIN: " +
		"$Lm3Xv7Tb2Rk9"},
	{"compose.yaml", "    environment: [A_TOKEN=$, \"B_PWD=x $\"]"},
	{"compose.yaml", "    labels:\n      - api.token=$\n      - traefik.http.middlewares.a.basicauth.users=me:$"},
	{"compose.yaml", "    command: [\"mysqld\", \"--password\", \"$\"]"},
	{"compose.yaml", "    command: mysqldump -u root -p$ db"},
	{"compose.yaml", "    entrypoint: sh -c \"x --api-key $ -e A_SECRET=$\""},
	{"compose.yaml", "    healthcheck: {test: [\"CMD\", \"curl\", \"-u\", \"me:$\", \"http://x\"]}"},
	{"compose.yaml", "    build: {context: ., args: [NPM_TOKEN=$]}"},
	{"compose.yaml", "    cgroup_parent: token=$"},
	{"compose.yaml", "    user: root # password: $"},
	{"Dockerfile", "ENV A_TOKEN=$ MODE=x B_PASS=\"y $\" \\\n  C_SECRET=$"},
	{"Dockerfile", "ENV OLD_PASSWORD first $"},
	{"Dockerfile", "ARG D_PWD=$"},
	{"Dockerfile", "ADD https://u:$@h.example/x /x"},
	{"Dockerfile", "RUN login --password $ && E_TOKEN=$ x && mysql -p$ y"},
	{"Dockerfile", "RUN apt-get update # token=$"},
	{"Dockerfile", "RUN chmod 4755 /x --api-key=$"},
	{"Dockerfile", "LABEL api.key=$Lm3Xv7Tb2Rk9"},
	{"Dockerfile", "CMD [\"mysql\", \"-p$\", \"--token\", \"$\"]"},
}

// engineForms are what containers and images have: their environment, command, labels and history.
var engineForms = []string{"DB_PASSWORD=$", "--token=$", "mysql -p$", "https://u:$@h/", "API_KEY=$",
	"curl -u me:$ http://x", "login --password $",
	"Authorization: Bearer $xxxxxx", "{\"password\": \"$\"}", "A_TOKEN=\"x $\""}

// A planter makes canaries, each of which is on one place alone.
type planter struct {
	canaries []string
	of       map[string]string // what form each is of
}

func (p *planter) canary(of string) string {
	c := fmt.Sprintf("cNry%03dZq8", len(p.canaries))
	p.canaries = append(p.canaries, c)
	p.of[c] = of
	return c
}

// plant puts a canary in the place of each $ that is not a variable's.
func (p *planter) plant(file, text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && !strings.HasPrefix(text[i:], "${") {
			b.WriteString(p.canary(file + ": " + text))
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// told are the canaries in a text.
func (p *planter) told(text string) (all []string) {
	for _, c := range p.canaries {
		if strings.Contains(text, c) {
			all = append(all, c)
		}
	}
	return all
}
