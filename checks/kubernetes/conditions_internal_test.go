package kubernetes

import (
	"testing"

	"example.com/harden/checks/be"
	"example.com/harden/checks/facts/kube"
)

// nearest holds a condition to what each of them promises: what it proposes meets it, and what meets it stays.
func nearest[T any](t *testing.T, name string, c be.Cond[T], good, bad []T) {
	t.Helper()
	for _, v := range good {
		if !c.Holds(v) {
			t.Errorf("%s refuses %v", name, v)
		}
		if n, ok := c.Nearest(v); ok && flagText(n) != flagText(v) {
			t.Errorf("%s would make %v of %v, which is good", name, n, v)
		}
	}
	for _, v := range bad {
		if c.Holds(v) {
			t.Errorf("%s accepts %v", name, v)
		}
		if n, ok := c.Nearest(v); ok && !c.Holds(n) {
			t.Errorf("%s proposes %v for %v, which it refuses", name, n, v)
		}
	}
}

func TestConditions(t *testing.T) {
	nearest(t, "loopback", loopback, []string{"127.0.0.1", "127.1.2.3", "::1"},
		[]string{"0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "", "localhost"})
	nearest(t, "within", within(1, 12500, 12500), []int{1, 1000, 12500}, []int{0, -1, 12501})
	nearest(t, "between", between("1s", "5m0s", "1m0s"), []string{"1s", "60s", "5m"},
		[]string{"0", "1h", "", "soon", "-1s", "999ms"})
	nearest(t, "someTime", someTime, []string{"4h", "1s"}, []string{"0", "0s", "0h"})
	nearest(t, "lacking", lacking("A"), [][]string{nil, {"B"}, {"AA"}}, [][]string{{"A"}, {"B", "A"}})
	nearest(t, "having", having("A"), [][]string{{"A"}, {"B", "A"}}, [][]string{nil, {"AA"}})
	nearest(t, "strongSuites", strongSuites,
		[][]string{strongCiphers, {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"}, {"TLS_AES_128_GCM_SHA256"}},
		[][]string{nil, {"TLS_RSA_WITH_AES_128_GCM_SHA256"},
			{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}})
	nearest(t, "set", set, []string{"x"}, []string{""})
}

func TestMinorVersion(t *testing.T) {
	for image, want := range map[string]int{
		"registry.k8s.io/kube-apiserver:v1.35.4": 35, "localhost:5000/kube-apiserver:v1.32.0-rc.1@sha256:00": 32,
		"hardened-kubernetes:v1.33.1-rke2r1": 33,
		"registry.k8s.io/kube-apiserver":     0, "localhost:5000/kube-apiserver": 0, "kube-apiserver:latest": 0,
		"kube-apiserver:v2.1": 0, "": 0,
	} {
		if got, ok := kube.MinorVersion(image); got != want || ok != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", image, got, ok, want)
		}
	}
}
