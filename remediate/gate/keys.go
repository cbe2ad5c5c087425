package gate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"example.com/harden/checks/facts/docker"
)

// A kind is a type of JSON value as dockerd takes it.
type kind string

const (
	boolean kind = "true or false"
	integer kind = "a whole number"
	str     kind = "a string"
	strs    kind = "a list of strings"
	list    kind = "a list"
	object  kind = "an object"
	strMap  kind = "an object of strings"
)

// keysOf lists, by their type, the keys of daemon.json that some dockerd from 20.10 to 29 takes. Source: moby
// daemon/config and cmd/dockerd/config*.go of those releases.
var keysOf = map[kind]string{
	boolean: `allow-direct-routing cri-containerd debug disable-legacy-registry experimental icc init ip-forward
		ip-forward-no-drop ip-masq ip6tables iptables ipv6 live-restore no-new-privileges raw-logs rootless selinux-enabled
		tls tlsverify userland-proxy`,
	integer: `cpu-rt-period cpu-rt-runtime default-stop-timeout max-concurrent-downloads max-concurrent-uploads
		max-download-attempts mtu network-control-plane-mtu network-diagnostic-port oom-score-adjust shutdown-timeout
		swarm-raft-election-tick swarm-raft-heartbeat-tick`,
	str: `api-cors-header bip bip6 bridge bridge-accept-fwmark cgroup-parent cluster-advertise cluster-store containerd
		containerd-namespace containerd-plugin-namespace data-root default-cgroupns-mode default-gateway default-gateway-v6
		default-ipc-mode default-runtime default-shm-size deprecated-key-path exec-root firewall-backend fixed-cidr
		fixed-cidr-v6 graph group host-gateway-ip http-proxy https-proxy init-path ip log-driver log-format log-level
		metrics-addr min-api-version no-proxy pidfile seccomp-profile storage-driver swarm-default-advertise-addr
		tlscacert tlscert tlskey userland-proxy-path userns-remap`,
	strs: `allow-nondistributable-artifacts authorization-plugins cdi-spec-dirs dns dns-opts dns-search exec-opts
		host-gateway-ips hosts insecure-registries labels node-generic-resources registry-mirrors storage-opts`,
	list:   `default-address-pools`,
	object: `builder default-network-opts default-ulimits features nri-opts proxies runtimes`,
	strMap: `cluster-store-opts log-opts`,
}

// known gives each key its type.
var known = sync.OnceValue(func() map[string]kind {
	m := map[string]kind{}
	for k, keys := range keysOf {
		for _, key := range strings.Fields(keys) {
			m[key] = k
		}
	}
	return m
})

// keyOf is the key of daemon.json that says the same as a flag.
func keyOf(flag string) string {
	for key := range known() {
		if docker.FlagName(key) == flag && key != "graph" {
			return key
		}
	}
	return flag
}

// fits reports whether dockerd can decode a value: 1500.0 is no whole number to it, and "false" no boolean. null
// says nothing about any key.
func (k kind) fits(v json.RawMessage) bool {
	if string(v) == "null" {
		return true
	}
	var into any
	switch k {
	case boolean:
		into = new(bool)
	case integer:
		into = new(int)
	case str:
		into = new(string)
	case strs:
		into = new([]string)
	case list:
		into = new([]any)
	case object:
		into = new(map[string]any)
	case strMap:
		into = new(map[string]string)
	}
	return json.Unmarshal(v, into) == nil
}

// builtin are the log drivers that every dockerd has on Linux.
var builtin = strings.Fields("awslogs fluentd gcplogs gelf journald json-file local none splunk syslog")

// logDriver refuses a driver that dockerd has not got. drivers are those it says it has, nil when it was not asked.
// The name of a driver that is a plugin has a tag, or latest goes without saying.
func logDriver(name string, drivers []string) error {
	if len(drivers) == 0 {
		drivers = builtin
	}
	if name == "" || name == "none" || slices.Contains(drivers, name) || slices.Contains(drivers, name+":latest") {
		return nil
	}
	return fmt.Errorf("unknown log driver %q; valid: %s", name, strings.Join(drivers, ", "))
}

// logOpts are the options of the drivers whose options are the same in every release since 20.10.
var logOpts = map[string][]string{
	"json-file": strings.Fields("max-file max-size compress labels labels-regex env env-regex tag"),
	"local":     strings.Fields("max-file max-size compress"),
	"journald":  strings.Fields("labels labels-regex env env-regex tag"),
	"syslog": strings.Fields("syslog-address syslog-facility syslog-format syslog-tls-ca-cert syslog-tls-cert " +
		"syslog-tls-key syslog-tls-skip-verify labels labels-regex env env-regex tag"),
}

// everyLogOpt are those that dockerd takes itself, whatever the driver.
var everyLogOpt = strings.Fields("mode max-buffer-size cache-disabled cache-max-file cache-max-size cache-compress")

// logOptions refuses options that the driver has not got: dockerd does not start with one.
func logOptions(driver string, opts map[string]string) error {
	takes, ok := logOpts[driver]
	if !ok {
		return nil
	}
	for name := range opts {
		if !slices.Contains(takes, name) && !slices.Contains(everyLogOpt, name) {
			return fmt.Errorf("log driver %s: unknown option %q; valid: %s", driver, name, strings.Join(takes, ", "))
		}
	}
	for _, name := range []string{"max-file", "compress"} {
		v, ok := opts[name]
		if n, err := strconv.Atoi(v); ok && name == "max-file" && (err != nil || n < 1) {
			return fmt.Errorf("log option max-file: %q; minimum 1", v)
		}
		if _, err := strconv.ParseBool(v); ok && name == "compress" && err != nil {
			return fmt.Errorf("log option compress: %q; valid: true, false", v)
		}
	}
	return nil
}
