package app

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/client"
)

// TestWatchCommand follows a project, for a person and for a program, until it is
// interrupted.
func TestWatchCommand(t *testing.T) {
	s := newWorld(t).serve()
	w := newWorld(t)
	api := client.New(s.url, adminKey)
	for name, terminal := range map[string]bool{"for a person": true, "for a program": false} {
		ctx, interrupt := context.WithCancel(t.Context())
		var out locked
		ended := make(chan int)
		go func() {
			ended <- Main(ctx, []string{"watch", "--url", s.url, "--key", adminKey}, w.env, Stdio{In: strings.NewReader(""), Out: &out, Err: &out, Terminal: terminal})
		}()
		seen := regexp.MustCompile(`run_[0-9a-f]{32}  completed  Say hello`)
		if !terminal {
			seen = regexp.MustCompile(`(?m)^{"id":"[^"]+","type":"run.changed","data":{.*"status":"completed"`)
		}
		for begun := time.Now(); !seen.MatchString(out.String()); time.Sleep(20 * time.Millisecond) {
			if time.Since(begun) > 2*time.Minute {
				t.Fatalf("%s: %s", name, out.String())
			}
			if _, err := api.Runs.Create(ctx, client.Task{Model: "offline", Prompt: "Say hello"}); err != nil {
				t.Fatal(err)
			}
		}
		interrupt()
		if code := <-ended; code != exitOK {
			t.Errorf("%s: exit %d: %s", name, code, out.String())
		}
	}
	if code, _, errs := w.run("watch", "--url", s.url, "--key", "wrong"); code != exitFailed || !strings.Contains(errs, "key") {
		t.Errorf("with a wrong key: exit %d, %s", code, errs)
	}
}

func TestStatsAndLogLevelCommands(t *testing.T) {
	s := newWorld(t).with("ERRAND_LOG_LEVEL=error").serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.terminal = true
	if code, out, errs := w.run("stats"); code != exitOK || out != "None.\n" {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, err := client.New(s.url, adminKey).Runs.Create(t.Context(), client.Task{Model: "offline", Prompt: "Say hello"}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args string
		code int
		want string
	}{
		{"stats", exitOK, "1 completed"},
		{"stats --bucket day --json", exitOK, `"usage_of": "booked"`},
		{"stats --bucket day --from 2020-01-01 --to 2020-01-02", exitOK, "None."},
		{"stats --from soon", exitUsage, "is no time such as"},
		{"log-level", exitOK, "error or worse"},
		{"log-level debug", exitOK, "debug or worse"},
		{"log-level --json", exitOK, `"level": "debug"`},
		{"log-level loud", exitFailed, "must be debug, info, warn or error"},
	} {
		code, out, errs := w.run(strings.Fields(step.args)...)
		if code != step.code || !strings.Contains(out+errs, step.want) {
			t.Errorf("%s: exit %d, want %d and %q: %s%s", step.args, code, step.code, step.want, out, errs)
		}
	}
}
