package catalog_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"example.com/harden/checks"
	"example.com/harden/checks/catalog"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/severity"
	"example.com/harden/checks/stride"
)

// some is a catalogue in which the selection can be told apart from the real one's growth.
var some = []*checks.Check{
	{ID: "docker/icc", Items: cis.Docker("2.1", "2.2", "2.2", "2.2"), Level: 1,
		Threats: []stride.ID{"docker/network/spoofing"}},
	{ID: "docker/devicemapper", Items: cis.Docker("", "", "", "2.7"), Level: 1,
		Threats: []stride.ID{"docker/host/denial-of-service"}},
	{ID: "docker/default-mode", Items: cis.Docker("3.22", "3.20", "3.20", "3.20"), Level: 2,
		Threats: []stride.ID{"docker/host/tampering"}},
	{ID: "docker/sysconfig-owner", Items: cis.Docker("3.20", "3.22", "3.22", "3.22"), Level: 2,
		Threats: []stride.ID{"docker/host/tampering"}},
	{ID: "docker/audit-runc", Items: cis.Docker("1.2.12", "1.1.18", "1.1.18", "1.1.18"), Level: 1,
		Threats: []stride.ID{"docker/registry/repudiation"}},
	{ID: "docker/audit-dockerd", Items: cis.Docker("1.2.3", "1.1.3", "1.1.3", "1.1.3"), Level: 1,
		Threats: []stride.ID{"docker/registry/repudiation"}},
	{ID: "docker/own", Level: 1, Threats: []stride.ID{"docker/client/disclosure"}},
}

func TestSelect(t *testing.T) {
	tests := map[string]struct {
		query catalog.Query
		want  []string // IDs, named ones with a star
		err   string
	}{
		"everything, by number": {want: []string{"docker/audit-dockerd", "docker/audit-runc", "docker/icc",
			"docker/devicemapper", "docker/default-mode", "docker/sysconfig-owner", "docker/own"}},
		"an older edition": {query: catalog.Query{Benchmark: "docker@1.2.0"}, want: []string{"docker/audit-dockerd",
			"docker/audit-runc", "docker/icc", "docker/sysconfig-owner", "docker/default-mode", "docker/own"}},
		"level": {query: catalog.Query{Level: 1, Only: []string{"3", "2"}},
			want: []string{"docker/icc", "docker/devicemapper"}},
		"named above level": {query: catalog.Query{Level: 1, Only: []string{"3.20"}},
			want: []string{"docker/default-mode*"}},
		"severity": {query: catalog.Query{Severity: severity.Medium, Only: []string{"2", "1"}},
			want: []string{"docker/icc"}},
		"named below severity": {query: catalog.Query{Severity: severity.High, Only: []string{"1.1.3", "2"}},
			want: []string{"docker/audit-dockerd*"}},
		"control": {query: catalog.Query{Only: []string{"nist:AC-4"}}, want: []string{"docker/icc"}},
		"rule of a STIG": {query: catalog.Query{Only: []string{"stig:v-235779"}},
			want: []string{"docker/audit-dockerd", "docker/audit-runc"}},
		"section of a framework": {query: catalog.Query{Only: []string{"pci:10.2"}, Skip: []string{"800-190:4"}},
			want: []string{"docker/audit-dockerd", "docker/audit-runc"}},
		"no such control": {query: catalog.Query{Only: []string{"nist:AC-44"}},
			err: `NIST SP 800-53r5 has no number "AC-44"; did you mean nist:AC-4?`},
		"no such requirement": {query: catalog.Query{Only: []string{"pci:99.9.9.9"}},
			err: `PCI DSS 4.0 has no number "99.9.9.9"`},
		"control that no check answers": {query: catalog.Query{Only: []string{"nist:PE-3"}},
			err: "no check answers PE-3 of NIST SP 800-53r5"},
		"bare number": {query: catalog.Query{Only: []string{"3.20"}}, want: []string{"docker/default-mode*"}},
		"benchmark's": {query: catalog.Query{Only: []string{"docker:3.20"}},
			want: []string{"docker/default-mode*"}},
		"selected edition's": {query: catalog.Query{Benchmark: "1.2.0", Only: []string{"docker:3.20"}},
			want: []string{"docker/sysconfig-owner*"}},
		"edition's": {query: catalog.Query{Only: []string{"docker@1.2.0:3.20"}},
			want: []string{"docker/sysconfig-owner*"}},
		"not in newest": {query: catalog.Query{Benchmark: "1.6.0", Only: []string{"docker@1.8.0:2.7"}},
			want: []string{"docker/devicemapper*"}},
		"section": {query: catalog.Query{Only: []string{"docker:1.1"}},
			want: []string{"docker/audit-dockerd", "docker/audit-runc"}},
		"glob": {query: catalog.Query{Only: []string{"docker/audit-*"}},
			want: []string{"docker/audit-dockerd", "docker/audit-runc"}},
		"platform": {query: catalog.Query{Only: []string{"docker"}, Level: 1, Skip: []string{"1.1", "2"}},
			want: []string{"docker/own"}},
		"part of a platform's name": {query: catalog.Query{Only: []string{"dock"}},
			err: "unknown check \"dock\"; `harden list` lists the checks"},
		"category": {query: catalog.Query{Only: []string{"stride:tampering"}},
			want: []string{"docker/default-mode", "docker/sysconfig-owner"}},
		"threat": {query: catalog.Query{Only: []string{"docker/host/tampering"},
			Skip: []string{"docker/sysconfig-owner"}},
			want: []string{"docker/default-mode"}},
		"one by name, one by threat": {query: catalog.Query{Only: []string{"docker/host/tampering",
			"docker/default-mode"}},
			want: []string{"docker/default-mode*", "docker/sysconfig-owner"}},
		"typo": {query: catalog.Query{Only: []string{"docker/ic"}},
			err: `unknown check "docker/ic"; did you mean docker/icc?`},
		"without prefix": {query: catalog.Query{Only: []string{"tampering"}},
			err: `unknown check "tampering"; did you mean docker/host/tampering or stride:tampering?`},
		"nothing near": {query: catalog.Query{Skip: []string{"zebra"}},
			err: "unknown check \"zebra\"; `harden list` lists the checks"},
		"past the end": {query: catalog.Query{Only: []string{"3.99"}},
			err: "docker@1.8.0 or k8s@2.0 has no item or section 3.99; section 3 goes from 3.20 to 3.22"},
		"other edition": {query: catalog.Query{Benchmark: "1.6.0", Only: []string{"2.7"}},
			err: "docker@1.6.0 or k8s@2.0 has no item or section 2.7; docker@1.8.0:2.7 is docker/devicemapper"},
		"no edition": {query: catalog.Query{Only: []string{"docker@9:1"}},
			err: `docker@9:1: unknown benchmark "docker@9"; valid: docker@1.2.0, docker@1.5.0, docker@1.6.0, ` +
				`docker@1.7.0, docker@1.8.0, k8s@1.24, k8s@1.10, k8s@1.11, k8s@1.12, k8s@2.0`},
		"no such level": {query: catalog.Query{Level: 3}, err: "level 3: valid: 1, 2"},
		"bad glob": {query: catalog.Query{Only: []string{"docker/[a"}},
			err: `"docker/[a": syntax error in pattern`},
		"nothing remains": {query: catalog.Query{Only: []string{"2.2"}, Skip: []string{"2"}},
			err: "no checks selected"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := catalog.Select(some, test.query)
			if test.err != "" {
				if got := message(err); got != test.err {
					t.Fatalf("error (-want +got)\n%s", cmp.Diff(test.err, got))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range s.Checks {
				id := c.ID
				if s.Named(c) {
					id += "*"
				}
				got = append(got, id)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// message is the text of the one error inside a multierror, or of the error itself.
func message(err error) string {
	if m, ok := errors.AsType[*multierror.Error](err); ok && len(m.Errors) == 1 {
		err = m.Errors[0]
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
