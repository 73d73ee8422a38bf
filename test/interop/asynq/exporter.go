package main

import (
	"bufio"
	"flag"
	"os"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynq/x/metrics"
	"github.com/prometheus/client_golang/prometheus"
)

// exporter is asynq's own collector for Prometheus. It gathers once for each line of input, as one scrape does, and tells
// {"families": N}.
func exporter(args []string) error {
	flags := flag.NewFlagSet("exporter", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	flags.Parse(args)
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: *redis})
	defer inspector.Close()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewQueueMetricsCollector(inspector))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		families, err := registry.Gather()
		if err != nil {
			return err
		}
		say(map[string]int{"families": len(families)})
	}
	return lines.Err()
}
