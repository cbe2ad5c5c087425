// Intruder is the program of a hostile container that shares the host's process namespace. It writes a file that its
// container's labels name, waits until Compose is started to read it, and puts another one in its place:
//
//	FILE   the file
//	FIRST  what it holds at first
//	LINK   instead of FIRST: where it leads as a symbolic link
//	THEN   what takes its place; empty for nothing
package main

import (
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	file, then := os.Getenv("FILE"), os.Getenv("THEN")
	if link := os.Getenv("LINK"); link != "" {
		check(os.Symlink(link, file))
	} else if file != "" {
		check(os.WriteFile(file, []byte(os.Getenv("FIRST")), 0o644))
	}
	look := time.NewTicker(2 * time.Millisecond)
	if then == "" {
		look.Stop()
	}
	for {
		select {
		case <-stop:
			return
		case <-look.C:
			if !runs("docker-compose") {
				continue
			}
			check(os.WriteFile(file+".new", []byte(then), 0o644))
			check(os.Rename(file+".new", file))
			look.Stop()
		}
	}
}

// runs reports whether a program runs on the host.
func runs(program string) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, comm := range all {
		if name, err := os.ReadFile(comm); err == nil && strings.TrimSpace(string(name)) == program {
			return true
		}
	}
	return false
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
