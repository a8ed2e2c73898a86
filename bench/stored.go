package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// page is one kind of list that is read from the stored runs.
type page struct{ name, path string }

// storedRuns measures what a long history costs: nothing at the start, and no
// more than one page in lists.
func storedRuns(ctx context.Context, b *bench) error {
	dir, err := b.seeded(ctx, "stored", b.stored, finished)
	if err != nil {
		return err
	}
	size, err := sizeOf(dir)
	if err != nil {
		return err
	}
	starts, mem, err := b.restarts(ctx, dir)
	if err != nil {
		return err
	}
	s, err := b.start(ctx, isErrand, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	pages, err := storedPages(ctx, s)
	if err != nil {
		return err
	}
	worst, text, picture := 0.0, "", chart{title: fmt.Sprintf("A page of 20 out of %s runs, p50", count(b.stored)), unit: "ms"}
	for _, p := range pages {
		took, err := readPages(ctx, s, p.path, b.fewer(300, 100))
		if err != nil {
			return err
		}
		progress("%-22s p50 %.2f ms  p99 %.2f ms", p.name, median(took), quantile(took, 0.99))
		worst = max(worst, median(took))
		text += fmt.Sprintf(", %s %.2f (p99 %.2f)", p.name, median(took), quantile(took, 0.99))
		picture.bars = append(picture.bars, bar{p.name, median(took)})
	}
	b.charts = append(b.charts, picture)
	of := count(b.stored) + " stored runs"
	b.add(row{figure: "slowest list page at " + of, hold: "<= 5 ms", errand: fmt.Sprintf("%.2f ms", worst), held: worst <= 5, note: "p50 in ms: " + text[2:]})
	b.add(row{figure: "start to first answer at " + of, hold: "<= 100 ms", errand: fmt.Sprintf("%.1f ms", median(starts)), held: median(starts) <= 100})
	b.add(row{figure: "disk per run at " + of, errand: fmt.Sprintf("%.0f bytes", size/float64(b.stored)), note: fmt.Sprintf("%.2f GB in all", size/mega/1024)})
	b.add(row{figure: "memory after the start at " + of, hold: "<= 30 MB", errand: megabytes(median(mem)), held: median(mem) <= 30*mega})
	return nil
}

// restarts starts a server on a directory time and again and returns the times to
// its first answer, and its memory a second later.
func (b *bench) restarts(ctx context.Context, dir string) (starts, mem []float64, err error) {
	for range b.rounds {
		s, err := b.launch(isErrand, dir)
		if err != nil {
			return nil, nil, err
		}
		took, err := s.ready(ctx)
		if err == nil {
			wait(ctx, time.Second)
			var m memory
			m, err = memoryOf(s.pid())
			starts, mem = append(starts, millis(took)), append(mem, m.resident)
		}
		s.stop()
		if err != nil {
			return nil, nil, fmt.Errorf("%w\n%s", err, s.errs.String())
		}
	}
	return starts, mem, nil
}

// storedPages are the lists that people ask for. The one from the middle begins
// where a reader would be who has leafed through half of all runs.
func storedPages(ctx context.Context, s *server) ([]page, error) {
	middle := time.Now().Add(-45 * 24 * time.Hour).UTC().Format(time.RFC3339)
	text, err := s.get(ctx, "/v1/runs?limit=1&created_before="+middle)
	if err != nil {
		return nil, err
	}
	var half struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &half); err != nil || len(half.Data) != 1 {
		return nil, fmt.Errorf("no run in the middle: %s (%w)", text, err)
	}
	const list = "/v1/runs?limit=20"
	return []page{
		{"newest", list},
		{"from the middle", list + "&starting_after=" + half.Data[0].ID},
		{"failed", list + "&status=failed"},
		{"three statuses", list + "&status=running,awaiting_approval,cancelled"},
		{"of an agent", list + "&agent=" + seedAgent(7)},
		{"an agent's failed", list + "&status=failed&agent=" + seedAgent(7)},
		{"of one hour", list + "&created_before=" + middle + "&created_after=" + time.Now().Add(-45*24*time.Hour-time.Hour).UTC().Format(time.RFC3339)},
		{"one run's trace", "/v1/runs/" + half.Data[0].ID},
	}, nil
}

func readPages(ctx context.Context, s *server, path string, times int) ([]float64, error) {
	var took []float64
	for range times {
		began := time.Now()
		text, err := s.get(ctx, path)
		if err != nil {
			return nil, err
		}
		took = append(took, millis(time.Since(began)))
		if len(text) < 200 {
			return nil, fmt.Errorf("%s brings nothing: %s", path, text)
		}
	}
	return took, nil
}

// parkedRuns measures what runs cost that wait for a person: disk and nothing else.
func parkedRuns(ctx context.Context, b *bench) error {
	dir, err := b.seeded(ctx, "parked", b.parked, parked)
	if err != nil {
		return err
	}
	starts, mem, err := b.restarts(ctx, dir)
	if err != nil {
		return err
	}
	_, empty, err := b.restarts(ctx, b.newDir())
	if err != nil {
		return err
	}
	s, err := b.start(ctx, isErrand, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	inbox, err := readPages(ctx, s, "/v1/approvals?status=pending&limit=20", b.fewer(300, 100))
	if err != nil {
		return err
	}
	of := count(b.parked) + " parked runs"
	b.add(row{
		figure: "memory with " + of, hold: "<= 30 MB", errand: megabytes(median(mem)), held: median(mem) <= 30*mega,
		note: fmt.Sprintf("%s with none", megabytes(median(empty))),
	})
	b.add(row{figure: "start to first answer with " + of, hold: "<= 100 ms", errand: fmt.Sprintf("%.1f ms", median(starts)), held: median(starts) <= 100})
	b.add(row{figure: "page of the inbox with " + of, hold: "<= 5 ms", errand: fmt.Sprintf("%.2f ms", median(inbox)), held: median(inbox) <= 5,
		note: fmt.Sprintf("p99 %.2f ms", quantile(inbox, 0.99))})
	return nil
}
