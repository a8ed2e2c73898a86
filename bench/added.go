package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// isDirect are the same calls made from here, without a server between.
const isDirect = "direct"

// trio measures the same work in three ways, one after the other, time and again:
// what one of them takes more than another is not the machine's mood then.
type trio struct {
	b       *bench
	servers pair
	self    *floor // makes the direct calls
	times   map[string][]float64
}

func (b *bench) trio(ctx context.Context, does behaviour) (*trio, error) {
	servers, err := b.both(ctx, does)
	if err != nil {
		return nil, err
	}
	self := &floor{client: newClient(), model: b.mock.url + "/v1/chat/completions", tool: b.mock.url + "/tool"}
	return &trio{b: b, servers: servers, self: self, times: map[string][]float64{}}, nil
}

func (t *trio) stop() {
	t.servers.stop()
	t.self.client.CloseIdleConnections()
}

// repeat takes a number of times from each; the first few of each warm it up and
// do not count.
func (t *trio) repeat(count int, take func(kind string) (time.Duration, error)) error {
	const warm = 3
	for i := range count + warm {
		for _, kind := range []string{isDirect, isFloor, isErrand} {
			took, err := take(kind)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			if i >= warm {
				t.times[kind] = append(t.times[kind], millis(took))
			}
		}
	}
	for _, kind := range []string{isDirect, isFloor, isErrand} {
		progress("%-6s p50 %.2f ms  p90 %.2f ms", kind, median(t.times[kind]), quantile(t.times[kind], 0.9))
	}
	return nil
}

// over is by how much the median of a kind is above that of the direct calls.
func (t *trio) over(kind string) float64 {
	return median(differences(t.times[kind], t.times[isDirect]))
}

// added measures how much longer a run takes than its calls.
func added(ctx context.Context, b *bench) error {
	does := behaviour{turns: 1, tokens: 20, first: 50 * time.Millisecond}
	t, err := b.trio(ctx, does)
	if err != nil {
		return err
	}
	defer t.stop()
	err = t.repeat(b.fewer(100, 30), func(kind string) (time.Duration, error) {
		began := time.Now()
		var err error
		if kind == isDirect {
			err = t.self.direct(ctx, does.String(), func(string) error { return nil })
		} else {
			err = t.servers[kind].run(ctx, does)
		}
		return time.Since(began), err
	})
	if err != nil {
		return err
	}
	b.add(row{
		figure: "added time per run, 1 client, 50 ms model, safe tool", hold: "<= 5 ms",
		floor: fmt.Sprintf("%.2f ms", t.over(isFloor)), errand: fmt.Sprintf("%.2f ms", t.over(isErrand)),
		held: t.over(isErrand) <= 5, note: fmt.Sprintf("over the same calls made directly, which take %.1f ms", median(t.times[isDirect])),
	})
	return nil
}

// first measures how much later the answer's first token comes than from the same
// calls made directly.
func first(ctx context.Context, b *bench) error {
	does := behaviour{turns: 1, tokens: 5, first: 20 * time.Millisecond, gap: 2 * time.Millisecond}
	t, err := b.trio(ctx, does)
	if err != nil {
		return err
	}
	defer t.stop()
	err = t.repeat(b.fewer(150, 40), func(kind string) (time.Duration, error) {
		if kind == isDirect {
			return t.directFirst(ctx, does)
		}
		took, rest, err := t.servers[kind].follow(ctx, does)
		if err != nil {
			return 0, err
		}
		defer rest.Close()
		_, err = io.Copy(io.Discard, rest.lines)
		return took, err
	})
	if err != nil {
		return err
	}
	b.add(row{
		figure: "added time to first token, safe tool", hold: "<= 2 ms",
		floor: fmt.Sprintf("%.2f ms", t.over(isFloor)), errand: fmt.Sprintf("%.2f ms", t.over(isErrand)),
		held: t.over(isErrand) <= 2, note: fmt.Sprintf("over the same calls made directly, whose first token comes after %.1f ms", median(t.times[isDirect])),
	})
	return nil
}

func (t *trio) directFirst(ctx context.Context, does behaviour) (time.Duration, error) {
	began := time.Now()
	var first time.Duration
	err := t.self.direct(ctx, does.String(), func(text string) error {
		if text != "" && first == 0 {
			first = time.Since(began)
		}
		return nil
	})
	if err == nil && first == 0 {
		err = errWrong
	}
	return first, err
}
