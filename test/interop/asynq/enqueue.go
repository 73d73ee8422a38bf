package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/hibiken/asynq"
)

// wish is one line of input. Times are in ms; 0 and "" leave an option away, MaxRetry below 0 stands for none.
type wish struct {
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Queue     string          `json:"queue"`
	ID        string          `json:"id"`
	MaxRetry  int             `json:"maxRetry"`
	Timeout   int             `json:"timeout"`
	Deadline  int64           `json:"deadline"` // ms since the Unix epoch
	ProcessIn int             `json:"processIn"`
	Unique    int             `json:"unique"`
	Retention int             `json:"retention"`
	Group     string          `json:"group"`
	Times     int             `json:"times"` // as often as this
}

// enqueue reads a wish a line, and tells {"id"} of each, or {"error"}.
func enqueue(args []string) error {
	flags := flag.NewFlagSet("enqueue", flag.ExitOnError)
	redis := flags.String("redis", "127.0.0.1:6379", "")
	flags.Parse(args)
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: *redis})
	defer client.Close()

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var next wish
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		for i := 0; i < max(next.Times, 1); i++ {
			info, err := client.Enqueue(asynq.NewTask(next.Type, next.Payload), optionsOf(next)...)
			switch {
			case errors.Is(err, asynq.ErrDuplicateTask), errors.Is(err, asynq.ErrTaskIDConflict):
				say(map[string]string{"error": err.Error()})
			case err != nil:
				return err
			default:
				say(map[string]string{"id": info.ID})
			}
		}
	}
	return lines.Err()
}

func optionsOf(next wish) []asynq.Option {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	var options []asynq.Option
	add := func(wanted bool, option asynq.Option) {
		if wanted {
			options = append(options, option)
		}
	}
	add(next.Queue != "", asynq.Queue(next.Queue))
	add(next.MaxRetry != 0, asynq.MaxRetry(max(next.MaxRetry, 0)))
	add(next.Timeout != 0, asynq.Timeout(ms(next.Timeout)))
	add(next.Deadline != 0, asynq.Deadline(time.UnixMilli(next.Deadline)))
	add(next.ProcessIn != 0, asynq.ProcessIn(ms(next.ProcessIn)))
	if next.ID != "" {
		options = append(options, asynq.TaskID(next.ID))
	}
	if next.Unique != 0 {
		options = append(options, asynq.Unique(ms(next.Unique)))
	}
	if next.Retention != 0 {
		options = append(options, asynq.Retention(ms(next.Retention)))
	}
	if next.Group != "" {
		options = append(options, asynq.Group(next.Group))
	}
	return options
}
