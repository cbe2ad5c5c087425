// Client asks a Docker Engine for all of its containers by the Engine's own Go client, as many at once as harden does,
// and keeps nothing of the answers: the least that a program of a few lines takes. Usage: client SOCKET
package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// workers is how many calls harden makes at once.
const workers = 16

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket string) error {
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	todo := make(chan string, len(list))
	for _, summary := range list {
		todo <- summary.ID
	}
	close(todo)
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for id := range todo {
				if _, err := c.ContainerInspect(ctx, id); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
