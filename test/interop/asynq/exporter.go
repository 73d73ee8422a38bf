package main

import (
	"bufio"
	"flag"
	"os"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynq/x/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// exporter is asynq's own collector for Prometheus. It gathers once for each line of input, as one scrape does, and tells
// {"families": [NAME, ...]}.
func exporter(args []string) error {
	flags := flag.NewFlagSet("exporter", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	runtime := flags.Bool("runtime", false, "what a Go program tells of itself, too")
	flags.Parse(args)
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: *redis})
	defer inspector.Close()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.NewQueueMetricsCollector(inspector))
	if *runtime {
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		families, err := registry.Gather()
		if err != nil {
			return err
		}
		names := make([]string, len(families))
		for i, family := range families {
			names[i] = family.GetName()
		}
		say(map[string][]string{"families": names})
	}
	return lines.Err()
}
