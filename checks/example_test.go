package checks_test

import (
	"context"
	"fmt"

	"example.com/harden/checks"
	"example.com/harden/checks/be"
	"example.com/harden/checks/cis"
	"example.com/harden/checks/rule"
	"example.com/harden/checks/stride"
	"example.com/harden/checks/want"
	"example.com/harden/fixtures"
)

// Example judges a recorded host by one check: a literal, and nothing else.
func Example() {
	icc := &checks.Check{
		ID:      "docker/icc",
		Items:   cis.Docker("2.1", "2.2", "2.2", "2.2"),
		Title:   "containers on the default bridge cannot reach one another",
		Why:     "one compromised container can scan and attack every neighbour on docker0",
		Breaks:  "containers that talk to each other over the default bridge, without a network of their own",
		Class:   want.Behaviour,
		Threats: []stride.ID{stride.DockerNetworkTampering},
		Level:   1,
		Rule:    rule.Daemon("icc", true).Must(be.False),
	}
	recording, err := fixtures.Load("docker/dockerce.txtar")
	if err != nil {
		fmt.Println(err)
		return
	}
	host := recording.Host(context.Background())
	for _, result := range checks.Run(context.Background(), host, []*checks.Check{icc}) {
		fmt.Println(result.Check, result.Status)
		for _, f := range result.Findings {
			fmt.Printf("%s: %s; must be %s\n", f.Subject, f.Got, f.Must)
			key := f.Wants[0].(want.Key)
			fmt.Printf("wants %v = %v in %s\n", key.Key, key.Value, key.File)
		}
	}
	// Output:
	// docker/icc fail
	// daemon icc: true in /etc/docker/daemon.json; must be false
	// wants [icc] = false in /etc/docker/daemon.json
}
