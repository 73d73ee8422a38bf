// A worker of asynq, and what it works on. Nothing in it knows of Taskwarden, which runs beside it:
//
//	go run . worker &
//	npx taskwarden watch --redis redis://127.0.0.1:6379 &
//	go run . enqueue
package main

import (
	"context"
	"log"
	"os"
	"time"

	"github.com/hibiken/asynq"
)

func main() {
	redis := asynq.RedisClientOpt{Addr: "127.0.0.1:6379"}
	if addr := os.Getenv("REDIS_ADDR"); addr != "" {
		redis.Addr = addr
	}
	if len(os.Args) == 2 && os.Args[1] == "enqueue" {
		enqueue(redis)
		return
	}
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency: 10,
		Queues:      map[string]int{"reports": 3, "mail": 1},
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc("report:build", buildReport)
	mux.HandleFunc("mail:send", sendMail)
	if err := server.Run(mux); err != nil {
		log.Fatal(err)
	}
}

// pages are kept for good: the leak of this example.
var pages [][]byte

// buildReport takes two minutes and 10 MB a second, and does not look at its deadline.
func buildReport(context.Context, *asynq.Task) error {
	for i := 0; i < 120; i++ {
		page := make([]byte, 10<<20)
		for at := 0; at < len(page); at += 4096 {
			page[at] = 1
		}
		pages = append(pages, page)
		time.Sleep(time.Second)
	}
	return nil
}

func sendMail(ctx context.Context, _ *asynq.Task) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

func enqueue(redis asynq.RedisClientOpt) {
	client := asynq.NewClient(redis)
	defer client.Close()
	report := asynq.NewTask("report:build", nil)
	if _, err := client.Enqueue(report, asynq.Queue("reports"), asynq.Timeout(time.Minute)); err != nil {
		log.Fatal(err)
	}
	for i := 0; i < 100; i++ {
		if _, err := client.Enqueue(asynq.NewTask("mail:send", nil), asynq.Queue("mail")); err != nil {
			log.Fatal(err)
		}
	}
}
