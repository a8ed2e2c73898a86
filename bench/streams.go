package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// What is held: a thousand streams that open one after another within four
// seconds, as readers come, and then bring a token each second.
const (
	held    = 1000
	opening = 4 * time.Millisecond
	settle  = 2 * time.Second
)

// streams measures what a held stream costs in memory and how long each waited
// for its first token while the others were open.
func streams(ctx context.Context, b *bench) error {
	each, p50, p99 := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	err := b.alternate(b.fewer(3, 1), kinds(), func(kind string) error {
		per, waits, err := b.hold(ctx, kind)
		if err != nil {
			return err
		}
		progress("%-6s %.1f KB a stream  first token p50 %.2f ms  p99 %.2f ms", kind, per/1024, median(waits), quantile(waits, 0.99))
		each[kind] = append(each[kind], per/1024)
		p50[kind], p99[kind] = append(p50[kind], median(waits)), append(p99[kind], quantile(waits, 0.99))
		return nil
	})
	if err != nil {
		return err
	}
	mine, r := median(each[isErrand]), median(ratios(each[isErrand], each[isFloor]))
	b.add(row{
		figure: "memory of each of 1,000 held streams", hold: "<= 60 KB or 1.15 x floor",
		floor: fmt.Sprintf("%.1f KB", median(each[isFloor])), errand: fmt.Sprintf("%.1f KB", mine), ratio: times(r),
		held: mine <= 60 || r <= 1.15,
	})
	b.add(row{
		figure: "first token p50 while 1,000 streams open", hold: "<= 5 ms",
		floor: fmt.Sprintf("%.2f ms", median(p50[isFloor])), errand: fmt.Sprintf("%.2f ms", median(p50[isErrand])),
		ratio: times(median(ratios(p50[isErrand], p50[isFloor]))), held: median(p50[isErrand]) <= 5,
		note: fmt.Sprintf("p99 %.1f ms, floor %.1f ms; two model calls, a tool call and two waits for the disk come before it", median(p99[isErrand]), median(p99[isFloor])),
	})
	return nil
}

// hold opens the streams on a fresh server and returns the memory that each has
// added, and how long each waited for its first token.
func (b *bench) hold(ctx context.Context, kind string) (perStream float64, waits []float64, err error) {
	does := behaviour{turns: 1, tokens: 20, gap: time.Second}
	s, err := b.start(ctx, kind, b.newDir(), does, work())
	if err != nil {
		return 0, nil, err
	}
	defer s.kill() // its runs are still under way
	if _, err := press(ctx, s, work().once, 1, settle/2); err != nil {
		return 0, nil, err
	}
	before, err := memoryOf(s.pid())
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var failure error
	var opened, ended sync.WaitGroup
	begin := time.Now()
	for i := range held {
		wait(ctx, time.Until(begin.Add(time.Duration(i)*opening)))
		opened.Add(1)
		ended.Go(func() {
			took, rest, err := s.follow(ctx, does)
			mu.Lock()
			if err == nil {
				waits = append(waits, millis(took))
			} else if failure == nil {
				failure = err
			}
			mu.Unlock()
			opened.Done()
			if err == nil {
				_, _ = io.Copy(io.Discard, rest.lines) // until everybody hangs up
				rest.Close()
			}
		})
	}
	opened.Wait()
	wait(ctx, settle)
	after, err := memoryOf(s.pid())
	cancel()
	ended.Wait()
	if failure != nil {
		err = failure
	}
	return (after.resident - before.resident) / held, waits, err
}
