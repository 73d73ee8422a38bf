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
	enqueue := func(kind, queue string) {
		task := asynq.NewTask(kind, []byte(`{"pad":"top-secret"}`))
		if _, err := client.Enqueue(task, asynq.Queue(queue)); err != nil {
			panic(err)
		}
	}
	// The one that fails comes first in its queue: while two block, the server does nothing else.
	enqueue("fail", "old")
	enqueue("block:1", "old")
	enqueue("ok", "older")
	enqueue("block:2", "older")
	// Queues take turns by chance: so many that some are left when the other queue's second has been taken.
	for i := 0; i < 20; i++ {
		enqueue("ok", "older")
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
