// Bare makes calls to a Docker Engine, as many at once as harden does, and reads the answers: the least that any
// program that asks the same can take. Usage: bare SOCKET FILE, which holds a path a line.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
)

// workers is how many calls harden makes at once.
const workers = 16

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func run(socket, list string) error {
	paths, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	todo := make(chan string)
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for path := range todo {
				if err := ask(&client, path); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for path := range strings.Lines(string(paths)) {
		select {
		case todo <- strings.TrimSpace(path):
		case err := <-errs:
			return err
		}
	}
	close(todo)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func ask(client *http.Client, path string) error {
	resp, err := client.Get("http://docker" + path) // a status of 404 is an answer too: an engine may have no bridge
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
