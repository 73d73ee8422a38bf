package main

import (
	"flag"
	"os"
	"os/signal"
	"syscall"

	"github.com/hibiken/asynq"
)

// inspect tells what asynq's own Inspector sees: {"queues": […], "servers": […], "schedulers": […]}, in Go's names. With -pause or
// -unpause it does that to a queue beforehand, with -delete it removes one and what is in it.
func inspect(args []string) error {
	flags := flag.NewFlagSet("inspect", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	pause := flags.String("pause", "", "")
	unpause := flags.String("unpause", "", "")
	remove := flags.String("delete", "", "")
	run := flags.String("run", "", "a queue whose archived tasks become pending")
	flags.Parse(args)
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: *redis})
	defer inspector.Close()

	if *pause != "" {
		if err := inspector.PauseQueue(*pause); err != nil {
			return err
		}
	}
	if *unpause != "" {
		if err := inspector.UnpauseQueue(*unpause); err != nil {
			return err
		}
	}
	if *remove != "" {
		if err := inspector.DeleteQueue(*remove, true); err != nil {
			return err
		}
	}
	if *run != "" {
		if _, err := inspector.RunAllArchivedTasks(*run); err != nil {
			return err
		}
	}
	names, err := inspector.Queues()
	if err != nil {
		return err
	}
	queues := []*asynq.QueueInfo{}
	for _, name := range names {
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			return err
		}
		queues = append(queues, info)
	}
	servers, err := inspector.Servers()
	if err != nil {
		return err
	}
	if servers == nil {
		servers = []*asynq.ServerInfo{}
	}
	for _, server := range servers {
		for _, active := range server.ActiveWorkers {
			active.TaskPayload = nil
		}
	}
	schedulers, err := inspector.SchedulerEntries()
	if err != nil {
		return err
	}
	type entry struct {
		ID, Spec, Type string
		Next, Prev     int64
	}
	entries := []entry{}
	for _, each := range schedulers {
		entries = append(entries, entry{each.ID, each.Spec, each.Task.Type(), each.Next.Unix(), each.Prev.Unix()})
	}
	return say(map[string]any{"queues": queues, "servers": servers, "schedulers": entries})
}

// scheduler enqueues one periodic task until SIGTERM.
func scheduler(args []string) error {
	flags := flag.NewFlagSet("scheduler", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	spec := flags.String("spec", "@every 1s", "")
	kind := flags.String("type", "ok", "")
	queue := flags.String("queue", "default", "")
	flags.Parse(args)
	scheduler := asynq.NewScheduler(asynq.RedisClientOpt{Addr: *redis}, &asynq.SchedulerOpts{LogLevel: asynq.ErrorLevel})
	if _, err := scheduler.Register(*spec, asynq.NewTask(*kind, nil), asynq.Queue(*queue)); err != nil {
		return err
	}
	if err := scheduler.Start(); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	scheduler.Shutdown()
	return nil
}
