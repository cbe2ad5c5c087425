// Command harden audits a Docker host or a Kubernetes node, shows what it would change, changes it, and takes it back.
package main

import "os"

func main() { os.Exit(run(os.Args[1:])) }
