package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// begin measures a fresh server: how soon it answers, and what it needs then.
func begin(ctx context.Context, b *bench) error {
	answered, worked, idle := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	dirs := map[string]string{isFloor: b.newDir(), isErrand: b.newDir()}
	err := b.alternate(b.rounds, kinds(), func(kind string) error {
		s, err := b.launch(kind, b.newDir())
		if err != nil {
			return err
		}
		defer s.stop()
		took, err := s.ready(ctx)
		if err != nil {
			return err
		}
		answered[kind] = append(answered[kind], millis(took))
		wait(ctx, b.quickly(2*time.Second, time.Second))
		m, err := memoryOf(s.pid())
		idle[kind] = append(idle[kind], m.resident)
		return err
	})
	if err != nil {
		return err
	}
	// The second figure is of a directory that has a tool and an agent already.
	err = b.alternate(b.rounds+1, kinds(), func(kind string) error {
		s, err := b.launch(kind, dirs[kind])
		if err != nil {
			return err
		}
		defer s.stop()
		if _, err := s.ready(ctx); err != nil {
			return err
		}
		if worked[kind] == nil { // the first start of the directory makes what the others use
			worked[kind] = []float64{}
			return s.prepare(ctx, b.mock.url, []behaviour{work()})
		}
		err = s.run(ctx, work())
		worked[kind] = append(worked[kind], millis(time.Since(s.began)))
		return err
	})
	if err != nil {
		return err
	}
	b.add(row{
		figure: "start to first answer, new directory", hold: "<= 100 ms",
		floor: fmt.Sprintf("%.1f ms", median(answered[isFloor])), errand: fmt.Sprintf("%.1f ms", median(answered[isErrand])),
		held: median(answered[isErrand]) <= 100, note: fmt.Sprintf("to the first finished run on a directory that is there: %.1f ms, floor %.1f ms", median(worked[isErrand]), median(worked[isFloor])),
	})
	b.add(row{
		figure: "idle memory", hold: "<= 30 MB",
		floor: megabytes(median(idle[isFloor])), errand: megabytes(median(idle[isErrand])),
		held: median(idle[isErrand]) <= 30*mega,
	})
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.add(row{
		figure: "size of the binary", hold: "<= 60 MB", errand: megabytes(float64(info.Size())), held: info.Size() <= 60*mega,
	})
	return nil
}
