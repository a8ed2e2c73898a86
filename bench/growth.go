package main

import (
	"context"
	"fmt"
)

// lengths are the runs' turns, each twice the one before. As many turns are made
// of each, so that all of them take about as long.
var lengths = []int{25, 50, 100, 200}

// growth measures what a turn costs in long runs. The request body has the whole
// conversation, so the bytes sent grow with the square of the turns whoever sends
// them: the floor sends the same ones. What Errand adds to that has to stay the
// same from turn to turn.
func growth(ctx context.Context, b *bench) error {
	var all []behaviour
	for _, turns := range lengths {
		all = append(all, behaviour{turns: turns, tokens: 20})
	}
	servers, err := b.both(ctx, all...)
	if err != nil {
		return err
	}
	defer servers.stop()
	cost := map[string]map[int][]float64{isFloor: {}, isErrand: {}}
	for _, does := range all {
		err := b.alternate(b.fewer(b.rounds, 2), kinds(), func(kind string) error {
			spent, err := b.perTurn(ctx, servers[kind], does)
			cost[kind][does.turns] = append(cost[kind][does.turns], spent)
			return err
		})
		if err != nil {
			return err
		}
		progress("%3d turns: floor %.3f ms CPU a turn, Errand %.3f", does.turns, median(cost[isFloor][does.turns]), median(cost[isErrand][does.turns]))
	}
	picture := chart{title: "CPU of a turn, by the length of the run (Errand less the floor)", unit: "ms"}
	over := map[int]float64{}
	for _, turns := range lengths {
		over[turns] = median(differences(cost[isErrand][turns], cost[isFloor][turns]))
		picture.bars = append(picture.bars, bar{fmt.Sprintf("%d turns", turns), over[turns]})
	}
	b.charts = append(b.charts, picture)
	short, long := lengths[0], lengths[len(lengths)-1]
	whole := func(kind string, turns int) float64 { return median(cost[kind][turns]) }
	b.add(row{
		figure: "CPU of a turn, runs of 200 turns over runs of 25", hold: "<= 1.25 x as fast as the floor's grows",
		floor:  fmt.Sprintf("%.3f / %.3f ms", whole(isFloor, long), whole(isFloor, short)),
		errand: fmt.Sprintf("%.3f / %.3f ms", whole(isErrand, long), whole(isErrand, short)),
		ratio:  times(whole(isErrand, long) / whole(isErrand, short) / (whole(isFloor, long) / whole(isFloor, short))),
		held:   whole(isErrand, long)/whole(isErrand, short) <= 1.25*whole(isFloor, long)/whole(isFloor, short),
		note:   fmt.Sprintf("Errand less the floor: %.3f ms a turn at 25 turns, %.3f at 50, %.3f at 100, %.3f at 200", over[25], over[50], over[100], over[200]),
	})
	return nil
}

// perTurn makes runs one after the other and returns the processor time of one of
// their turns, in milliseconds.
func (b *bench) perTurn(ctx context.Context, s *server, does behaviour) (float64, error) {
	count := b.fewer(3000, 600) / does.turns
	before, err := cpuTime(s.pid())
	if err != nil {
		return 0, err
	}
	for range count {
		if err := s.run(ctx, does); err != nil {
			return 0, err
		}
	}
	after, err := cpuTime(s.pid())
	return millis(after-before) / float64(count*does.turns), err
}
