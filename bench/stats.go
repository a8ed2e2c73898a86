package main

import (
	"math"
	"slices"
	"time"
)

// quantile returns the value below which a share q of the values lies, by linear
// interpolation; NaN of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// ratios divides value by value: rounds that follow each other closely share
// what else the machine was doing, so their ratio says more than a ratio of
// medians.
func ratios(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			all = append(all, a[i]/b[i])
		}
	}
	return all
}

// differences subtracts value by value.
func differences(a, b []float64) []float64 {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]-b[i])
	}
	return all
}

// millis converts durations.
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
