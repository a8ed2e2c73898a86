package openai

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/model/modeltest"
	"errand/internal/problem"
	"errand/internal/run"
)

// slow is a provider without a network: it says each text after its pause, and
// then nothing until the call is cut. That makes it fit for a bubble of time.
type slow struct {
	headers time.Duration
	says    []saying
	closes  bool
}

type saying struct {
	after time.Duration
	text  string
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := pause(r.Context(), s.headers); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body: io.NopCloser(&slowBody{ctx: r.Context(), slow: s}),
	}, nil
}

type slowBody struct {
	ctx  context.Context
	slow slow
	next int
}

func (b *slowBody) Read(into []byte) (int, error) {
	if b.next == len(b.slow.says) {
		if b.slow.closes {
			return 0, io.EOF
		}
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	say := b.slow.says[b.next]
	b.next++
	if err := pause(b.ctx, say.after); err != nil {
		return 0, err
	}
	return copy(into, say.text), nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestTimeLimits(t *testing.T) {
	token := delta(`{"content":"Hello"}`)
	often := func(n int, every time.Duration, text string) []saying {
		var all []saying
		for range n {
			all = append(all, saying{every, text})
		}
		return all
	}
	for _, c := range []struct {
		name     string
		provider slow
		code     problem.Code // empty = it works
		after    time.Duration
	}{
		{"no answer", slow{headers: time.Hour}, problem.ModelTimeout, 5 * time.Minute},
		{"no first byte", slow{}, problem.ModelTimeout, 5 * time.Minute},
		{"thinks for four minutes", slow{says: []saying{{4 * time.Minute, token}, {time.Second, ended("stop") + done}}, closes: true}, "", 4*time.Minute + time.Second},
		{"thinks behind its first, empty event", slow{says: []saying{{time.Second, delta(`{"role":"assistant","content":""}`)}, {4 * time.Minute, token + ended("stop") + done}}, closes: true}, "", 4*time.Minute + time.Second},
		{"silence between tokens", slow{says: []saying{{time.Second, token}}}, problem.ModelTimeout, time.Second + time.Minute},
		{"slow but steady", slow{says: append(often(5, 50*time.Second, token), saying{time.Second, ended("stop") + done}), closes: true}, "", 251 * time.Second},
		{"signs of life", slow{says: append([]saying{{time.Second, token}}, append(often(3, 50*time.Second, ": alive\n\n"), saying{time.Second, ended("stop") + done})...), closes: true}, "", 152 * time.Second},
		{"for ever", slow{says: often(100, 50*time.Second, token)}, problem.ModelTimeout, 10 * time.Minute},
		{"no end after [DONE]", slow{says: []saying{{time.Second, token + ended("stop") + done}}}, "", time.Second + lingerAfterDone},
		{"no [DONE] and no end", slow{says: []saying{{time.Second, token + ended("stop")}}}, "", time.Second + 2*time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := New(Config{Name: "test", BaseURL: "http://test", Transport: c.provider})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err = client.Reply(t.Context(), modeltest.Request(1), nil)
				if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) {
					t.Errorf("error = %v, want code %q", err, c.code)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %s, want %s", took, c.after)
				}
			})
		})
	}
}

// A caller that takes its time with a delta is not the provider's silence.
func TestSlowEmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := slow{says: []saying{{time.Second, delta(`{"content":"a"}`)}, {time.Second, delta(`{"content":"b"}`)}, {time.Second, ended("stop") + done}}, closes: true}
		client, err := New(Config{Name: "test", BaseURL: "http://test", Transport: provider})
		if err != nil {
			t.Fatal(err)
		}
		var heard strings.Builder
		_, err = client.Reply(t.Context(), modeltest.Request(1), func(d run.Delta) {
			heard.WriteString(d.Text)
			if pause(t.Context(), 3*time.Minute) != nil {
				t.Error("the test ended early")
			}
		})
		if err != nil || heard.String() != "ab" {
			t.Errorf("heard %q, error %v", heard.String(), err)
		}
	})
}

func TestCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := New(Config{Name: "test", BaseURL: "http://test", Transport: slow{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Reply(ctx, modeltest.Request(1), nil)
		if !errors.Is(err, context.DeadlineExceeded) || problem.Is(err, problem.ModelTimeout) {
			t.Errorf("error = %v, want the context's own", err)
		}
	})
}
