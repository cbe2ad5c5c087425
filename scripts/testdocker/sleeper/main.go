// Sleeper is the one program of the image that test containers run: it waits to be told to stop.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT) // a container's first process ignores what it does not ask for
	<-stop
}
