package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// order is the payload of every task: what its handler does.
type order struct {
	Ms    int    `json:"ms"`    // time that the handler takes
	Bytes int    `json:"bytes"` // memory that it keeps for good
	Steps int    `json:"steps"` // in how many pieces, one after the other while it runs; all at once unless given
	Error string `json:"error"` // text of the error it returns
	Pad   string `json:"pad"`   // a secret, or a size
}

var kept [][]byte
var keeping sync.Mutex

// worker runs a server until SIGTERM, SIGINT or SIGTSTP, as asynq does. It tells {"event":"started"|"ended","type","id"} of every run.
func worker(args []string) error {
	flags := flag.NewFlagSet("worker", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	concurrency := flags.Int("concurrency", 4, "")
	queues := flags.String("queues", "default=1", "NAME=WEIGHT, comma separated")
	strict := flags.Bool("strict", false, "")
	shutdown := flags.Duration("shutdown", 200*time.Millisecond, "how long a stop waits for handlers")
	groups := flags.Bool("groups", false, "aggregates groups after a second")
	delay := flags.Duration("retry-delay", time.Second, "")
	flags.Parse(args)

	weights := map[string]int{}
	for _, each := range strings.Split(*queues, ",") {
		at := strings.LastIndex(each, "=")
		weight, err := strconv.Atoi(each[at+1:])
		if err != nil {
			return err
		}
		weights[each[:at]] = weight
	}
	config := asynq.Config{
		Concurrency:              *concurrency,
		Queues:                   weights,
		StrictPriority:           *strict,
		ShutdownTimeout:          *shutdown,
		DelayedTaskCheckInterval: 200 * time.Millisecond,
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return *delay },
		LogLevel:                 asynq.ErrorLevel,
	}
	if *groups {
		config.GroupGracePeriod = time.Second
		config.GroupAggregator = asynq.GroupAggregatorFunc(func(group string, tasks []*asynq.Task) *asynq.Task {
			return asynq.NewTask("ok", nil)
		})
	}
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: *redis}, config)
	return server.Run(asynq.HandlerFunc(handle))
}

func handle(ctx context.Context, task *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	say(map[string]string{"event": "started", "type": task.Type(), "id": id})
	defer func() { say(map[string]string{"event": "ended", "type": task.Type(), "id": id}) }()

	var what order
	json.Unmarshal(task.Payload(), &what)
	pause := time.Duration(what.Ms) * time.Millisecond
	steps := max(1, what.Steps)
	for step := 0; step < steps && what.Bytes > 0; step++ {
		block := make([]byte, what.Bytes/steps)
		for i := range block {
			block[i] = byte(i)
		}
		keeping.Lock()
		kept = append(kept, block)
		keeping.Unlock()
		if steps > 1 {
			time.Sleep(pause / time.Duration(steps))
		}
	}
	if steps > 1 {
		return nil
	}
	kind, _, _ := strings.Cut(task.Type(), ":")
	switch kind {
	case "stubborn": // does not look at its deadline
		time.Sleep(pause)
		return nil
	case "panic":
		panic("as ordered")
	case "archive":
		return fmt.Errorf("%s: %w", what.Error, asynq.SkipRetry)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
	}
	if kind == "fail" {
		return errors.New(what.Error)
	}
	return nil
}
