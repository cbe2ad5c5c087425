// Sleeper is the one program of the image that test containers run: it waits to be told to stop. With an argument it
// fails at once.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT) // a container's first process ignores what it does not ask for
	<-stop
}
