// Kubeschema writes what Kubernetes' configuration documents and command lines may hold, as checks/schema reads it.
// The documents come from the API types that it is compiled with, the flags from the programs in the directory that it
// is given: kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and etcd.
//
//	go run . BINARIES > ../../checks/schema/kubernetes.txt
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/v1alpha1"
	"k8s.io/apiserver/pkg/apis/apiserver/v1beta1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kubeconfig "k8s.io/client-go/tools/clientcmd/api/v1"
	proxy "k8s.io/kube-proxy/config/v1alpha1"
	scheduler "k8s.io/kube-scheduler/config/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"
	eventratelimit "k8s.io/kubernetes/plugin/pkg/admission/eventratelimit/apis/eventratelimit/v1alpha1"
)

var documents = []struct {
	version, kind string
	value         any
}{
	{"v1", "Pod", corev1.Pod{}},
	{"v1", "Config", kubeconfig.Config{}},
	{"kubelet.config.k8s.io/v1beta1", "KubeletConfiguration", kubelet.KubeletConfiguration{}},
	{"kubescheduler.config.k8s.io/v1", "KubeSchedulerConfiguration", scheduler.KubeSchedulerConfiguration{}},
	{"kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration", proxy.KubeProxyConfiguration{}},
	{"apiserver.config.k8s.io/v1", "EncryptionConfiguration", v1.EncryptionConfiguration{}},
	{"apiserver.config.k8s.io/v1", "AdmissionConfiguration", v1.AdmissionConfiguration{}},
	{"apiserver.k8s.io/v1alpha1", "AdmissionConfiguration", v1alpha1.AdmissionConfiguration{}},
	{"apiserver.config.k8s.io/v1", "AuthenticationConfiguration", v1.AuthenticationConfiguration{}},
	{"apiserver.config.k8s.io/v1beta1", "AuthenticationConfiguration", v1beta1.AuthenticationConfiguration{}},
	{"apiserver.config.k8s.io/v1alpha1", "AuthenticationConfiguration", v1alpha1.AuthenticationConfiguration{}},
	{"apiserver.config.k8s.io/v1", "AuthorizationConfiguration", v1.AuthorizationConfiguration{}},
	{"apiserver.config.k8s.io/v1beta1", "AuthorizationConfiguration", v1beta1.AuthorizationConfiguration{}},
	{"apiserver.config.k8s.io/v1alpha1", "AuthorizationConfiguration", v1alpha1.AuthorizationConfiguration{}},
	{"audit.k8s.io/v1", "Policy", auditv1.Policy{}},
	{"eventratelimit.admission.k8s.io/v1alpha1", "Configuration", eventratelimit.Configuration{}},
}

// special are types that read and write themselves.
var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Duration]():      "duration",
	reflect.TypeFor[metav1.Time]():          "string",
	reflect.TypeFor[metav1.MicroTime]():     "string",
	reflect.TypeFor[metav1.FieldsV1]():      "any",
	reflect.TypeFor[runtime.RawExtension](): "any",
	reflect.TypeFor[runtime.Unknown]():      "any",
}

var written = map[string]bool{}

func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return strings.Join(parts[max(0, len(parts)-2):], ".") + "." + t.Name()
}

// describe is the type of a field, and notes the structures that it needs.
func describe(t reflect.Type, queue *[]reflect.Type) string {
	if s, ok := special[t]; ok {
		return s
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return "scalar" // a quantity, or a duration that may be a number
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem(), queue)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return "[]" + describe(t.Elem(), queue)
	case reflect.Map:
		return "{}" + describe(t.Elem(), queue)
	case reflect.Struct:
		*queue = append(*queue, t)
		return "=" + name(t)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any"
	}
	return "int"
}

func fields(t reflect.Type, queue *[]reflect.Type) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case tag == "-" || !f.IsExported():
		case tag == "" && (f.Anonymous || strings.Contains(options, "inline")):
			all = append(all, fields(f.Type, queue)...)
		case tag != "":
			all = append(all, tag+" "+describe(f.Type, queue))
		}
	}
	slices.Sort(all)
	return all
}

func main() {
	log.SetFlags(0)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# What Kubernetes 1.35 and etcd 3.6 take: written by scripts/kubeschema.")
	var queue []reflect.Type
	for _, d := range documents {
		fmt.Fprintf(out, "document %s %s %s\n", d.version, d.kind, describe(reflect.TypeOf(d.value), &queue))
	}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		if written[name(t)] {
			continue
		}
		written[name(t)] = true
		fmt.Fprintf(out, "type %s\n", name(t))
		for _, f := range fields(t, &queue) {
			fmt.Fprintf(out, " %s\n", f)
		}
	}
	for _, program := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "etcd"} {
		fmt.Fprintf(out, "flags %s\n", program)
		for _, f := range flags(filepath.Join(os.Args[1], program)) {
			fmt.Fprintf(out, " %s\n", f)
		}
	}
}

var (
	kube = regexp.MustCompile(`^ +(?:-\w, )?--([\w.-]+)(?: (\w+))?`)
	etcd = regexp.MustCompile(`^ +--([\w-]+)`)
)

// flags are the names that a program's help lists, and what kind of value each takes where it says so.
func flags(program string) (all []string) {
	help, err := exec.Command(program, "--help").CombinedOutput()
	if err != nil && len(help) == 0 {
		log.Fatal(err)
	}
	for line := range bytes.Lines(help) {
		match, kind := kube.FindSubmatch(line), "bool"
		if filepath.Base(program) == "etcd" {
			if match = etcd.FindSubmatch(line); match != nil {
				match, kind = append(match, nil), "any"
			}
		}
		if match == nil {
			continue
		}
		if len(match[2]) > 0 {
			kind = string(match[2])
		}
		switch kind {
		case "bool", "int", "duration", "any":
		case "int32", "int64", "uint", "uint32":
			kind = "int"
		default:
			kind = "any"
		}
		all = append(all, string(match[1])+" "+kind)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) < 20 {
		log.Fatalf("%s: only %d flags in its help", program, len(all))
	}
	return all
}
