package main

import (
	"context"
	"fmt"
	"time"
)

// work is what every run of the comparison is: a reply that asks for a lookup,
// and an answer of twenty tokens. The model waits for nothing, so that all the
// time that passes is the machine's.
func work() behaviour { return behaviour{turns: 1, tokens: 20} }

const (
	clients  = 32
	warmup   = time.Second
	pressing = 5 * time.Second
)

// runs measures throughput, processor time and disk of runs that come as fast as
// they are answered.
func runs(ctx context.Context, b *bench) error {
	servers, err := b.both(ctx, work())
	if err != nil {
		return err
	}
	defer servers.stop()
	length := b.quickly(pressing, 2*time.Second)
	total := map[string]float64{}
	for _, kind := range kinds() {
		warm, err := press(ctx, servers[kind], work().once, clients, warmup)
		if err != nil {
			return err
		}
		total[kind] = warm.runs + clients
	}
	before, err := servers[isErrand].metrics(ctx)
	if err != nil {
		return err
	}
	rate, cpu, slow := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}
	err = b.alternate(b.rounds, kinds(), func(kind string) error {
		l, err := press(ctx, servers[kind], work().once, clients, length)
		if err != nil {
			return err
		}
		progress("%-6s %5.0f runs/s  %.3f ms CPU, clients and model %.3f ms  p50 %.1f ms  p99 %.1f ms",
			kind, l.perSecond(), l.cpuMillis(), 1000*l.own/l.runs, median(l.waits), quantile(l.waits, 0.99))
		rate[kind], cpu[kind] = append(rate[kind], l.perSecond()), append(cpu[kind], l.cpuMillis())
		slow[kind] = append(slow[kind], quantile(l.waits, 0.99))
		total[kind] += l.runs + clients
		return nil
	})
	if err != nil {
		return err
	}
	b.throughput(rate, cpu, slow)
	return b.traces(ctx, servers, total, before)
}

func (b *bench) throughput(rate, cpu, slow map[string][]float64) {
	r := median(ratios(rate[isErrand], rate[isFloor]))
	mine := median(rate[isErrand])
	b.add(row{
		figure: "durable runs a second, 32 clients", hold: ">= 0.8 x floor, >= 2,000",
		floor: fmt.Sprintf("%.0f", median(rate[isFloor])), errand: fmt.Sprintf("%.0f", mine), ratio: times(r),
		held: r >= 0.8 && mine >= 2000, note: fmt.Sprintf("p99 of a run %.1f ms, floor %.1f ms", median(slow[isErrand]), median(slow[isFloor])),
	})
	c := median(ratios(cpu[isErrand], cpu[isFloor]))
	spent := median(cpu[isErrand])
	b.add(row{
		figure: "server CPU per run", hold: "<= 0.35 ms or 1.25 x floor",
		floor: fmt.Sprintf("%.3f ms", median(cpu[isFloor])), errand: fmt.Sprintf("%.3f ms", spent), ratio: times(c),
		held: spent <= 0.35 || c <= 1.25,
	})
	picture := chart{title: "Durable runs a second, round by round", unit: "runs/s"}
	for i := range rate[isErrand] {
		for _, kind := range kinds() {
			picture.bars = append(picture.bars, bar{fmt.Sprintf("%s %d", kind, i+1), rate[kind][i]})
		}
	}
	b.charts = append(b.charts, picture)
}

// traces reports what the load has left: in the counters, and on disk once the
// servers have ended and their logs are in their files.
func (b *bench) traces(ctx context.Context, servers pair, total, before map[string]float64) error {
	after, err := servers[isErrand].metrics(ctx)
	if err != nil {
		return err
	}
	commits := after["errand_commits_total"] - before["errand_commits_total"]
	groups := after["errand_commit_groups_total"] - before["errand_commit_groups_total"]
	mem := map[string]memory{}
	for _, kind := range kinds() {
		if mem[kind], err = memoryOf(servers[kind].pid()); err != nil {
			return err
		}
	}
	servers.stop()
	disk := map[string]float64{}
	for _, kind := range kinds() {
		size, err := sizeOf(servers[kind].dir)
		if err != nil {
			return err
		}
		disk[kind] = size / total[kind]
	}
	b.add(row{
		figure: "disk per run, under that load", floor: fmt.Sprintf("%.0f bytes", disk[isFloor]), errand: fmt.Sprintf("%.0f bytes", disk[isErrand]),
		ratio: times(disk[isErrand] / disk[isFloor]),
		note:  fmt.Sprintf("%.1f commits shared a write to disk; the largest group had %.0f", commits/groups, after["errand_commit_group_largest"]),
	})
	b.add(row{
		figure: "memory at the end of that load", floor: megabytes(mem[isFloor].resident), errand: megabytes(mem[isErrand].resident),
		ratio: times(mem[isErrand].resident / mem[isFloor].resident),
	})
	return nil
}
