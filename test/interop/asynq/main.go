// The programs of asynq's side that the tests and benchmarks talk to. What each command reads and writes is told beside it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{
		"worker":    worker,
		"enqueue":   enqueue,
		"inspect":   inspect,
		"scheduler": scheduler,
		"exporter":  exporter,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: asynq worker|enqueue|inspect|scheduler|exporter [flags]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// say writes one JSON line to standard output.
func say(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
