// Liar answers as a Docker Engine that says whatever it is told to: its arguments are a socket's path and a file of
// answers in JSON, by the request's path without the API's version.
package main

import (
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
)

var version = regexp.MustCompile(`^/v1\.[0-9]+`)

func main() {
	data, err := os.ReadFile(os.Args[2])
	check(err)
	var answers map[string]json.RawMessage
	check(json.Unmarshal(data, &answers))
	l, err := net.Listen("unix", os.Args[1])
	check(err)
	check(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.47")
		w.Header().Set("Ostype", "linux")
		w.Header().Set("Content-Type", "application/json")
		if answer, ok := answers[version.ReplaceAllString(r.URL.Path, "")]; ok {
			w.Write(answer)
		} else if r.URL.Path != "/_ping" {
			http.Error(w, `{"message":"no such thing"}`, http.StatusNotFound)
		}
	})))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
