// A worker of asynq 0.18: before leases, totals of all time, pending_since, retention and groups. It enqueues tasks of three types and
// runs a server until SIGTERM.
package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

func main() {
	redis := asynq.RedisClientOpt{Addr: os.Args[1]}
	client := asynq.NewClient(redis)
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency:    2,
		Queues:         map[string]int{"old": 2, "older": 1},
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
		LogLevel:       asynq.ErrorLevel,
	})
	// The one that fails comes first in its queue: while two block, the server does nothing else.
	for _, each := range []struct{ kind, queue string }{
		{"fail", "old"}, {"block:1", "old"}, {"ok", "older"}, {"block:2", "older"}, {"ok", "older"},
	} {
		task := asynq.NewTask(each.kind, []byte(`{"pad":"top-secret"}`))
		if _, err := client.Enqueue(task, asynq.Queue(each.queue)); err != nil {
			panic(err)
		}
	}
	if _, err := client.Enqueue(asynq.NewTask("later", nil), asynq.Queue("old"), asynq.ProcessIn(time.Hour)); err != nil {
		panic(err)
	}
	client.Close()
	err := server.Run(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		switch {
		case strings.HasPrefix(task.Type(), "block"):
			<-ctx.Done()
			return ctx.Err()
		case task.Type() == "fail":
			return errors.New("as ordered")
		}
		return nil
	}))
	if err != nil {
		panic(err)
	}
}
