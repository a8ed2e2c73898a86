package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/queue"
	"errand/internal/run"
)

func TestDelay(t *testing.T) {
	plain := errors.New("no")
	named := fmt.Errorf("asking: %w", &problem.Error{Code: "rate_limited", RetryAfter: 7 * time.Minute})
	for _, test := range []struct {
		failures int
		err      error
		want     time.Duration
	}{
		{0, plain, time.Second}, {1, plain, 2 * time.Second}, {5, plain, 32 * time.Second}, {9, plain, 512 * time.Second},
		{10, plain, 10 * time.Minute}, {1 << 40, plain, 10 * time.Minute}, {0, named, 7 * time.Minute}, {50, named, 7 * time.Minute},
	} {
		if got := queue.Delay(test.failures, test.err); got != test.want {
			t.Errorf("after %d failures and %v: %s, want %s", test.failures, test.err, got, test.want)
		}
	}
}

func TestHandle(t *testing.T) {
	handlers := queue.Handlers{
		"fine":   func(context.Context, run.Job) error { return nil },
		"panics": func(context.Context, run.Job) error { panic("the shelf is empty") },
	}
	for kind, want := range map[string]string{"fine": "", "panics": "the shelf is empty", "other": `no handler for jobs of kind "other"`} {
		err := handlers.Handle(t.Context(), run.Job{Kind: kind})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", kind, err, want)
		}
	}
}
