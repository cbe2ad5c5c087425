//go:build linux && !portable

package live

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"example.com/harden/checks/facts/docker"
)

// FuzzDecode holds what reads the engine's answers to saying of a container what encoding/json says of it.
func FuzzDecode(f *testing.F) {
	recorded, err := os.ReadFile("../../../scripts/bench/engine.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range txtar.Parse(recorded).Files {
		if strings.HasPrefix(file.Name, "/containers/CONTAINER") {
			f.Add(file.Data)
		}
	}
	for _, answer := range []string{
		`{"Id":"1","id":"2","ID":"3"}`,
		`{"Name":"\ud800 \u001b[2J","Config":{"Env":["A=` + "\xff\xfe" + `"],"Labels":{"a":"1","a":"2","` + "\x80" +
			`":""}}}`,
		`{"HostConfig":{"Memory":1e3}}`, `{"HostConfig":{"Memory":"1"}}`, `{"HostConfig":{"Memory":9223372036854775808}}`,
		`{"HostConfig":{"PidsLimit":5,"PidsLimit":null,"CapAdd":["A","B"],"CapAdd":["C"],"capadd":null}}`,
		`{"NetworkSettings":{"Ports":{"80/tcp":null,"81/tcp":[{"HostIp":"::"}]},"Networks":{"a":null,"b":{}}}}`,
		`{"State":{"Health":{"Status":"healthy"},"Health":{}}}`, `{"State":null,"Mounts":null,"ExecIDs":[]}`,
		`null`, `[]`, `{"Id":`, `{"Id":"1"}{}`, `{"Id":"1"} `, "{\"Id\":\"\n\"}", ``,
	} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var want, got docker.Container
		errWant := json.Unmarshal(answer, &want)
		errGot := decode(bytes.NewReader(answer), new(bytes.Buffer), &got)
		if (errWant == nil) != (errGot == nil) {
			t.Fatalf("%v, and encoding/json: %v", errGot, errWant)
		}
		if diff := cmp.Diff(want, got); errWant == nil && diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
