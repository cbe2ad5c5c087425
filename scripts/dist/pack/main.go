// Command pack writes one package: pack deb|rpm FILE, from nfpm's description on standard input. It is a module of its
// own, so that nothing of nfpm is among what harden is built from. nfpm is not the newest: since v2.46.0 it requires
// writers of packages from modules that not every Go module mirror has.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: pack deb|rpm FILE")
	}
	description, err := nfpm.Parse(os.Stdin)
	if err != nil {
		return err
	}
	info, err := description.Get(args[0])
	if err != nil {
		return err
	}
	packager, err := nfpm.Get(args[0])
	if err != nil {
		return err
	}
	out, err := os.Create(args[1])
	if err != nil {
		return err
	}
	return errors.Join(packager.Package(nfpm.WithDefaults(info), out), out.Close())
}
