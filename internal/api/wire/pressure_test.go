package wire

import (
	"testing"
	"time"
)

// A burst passes, a siege is refused, and when it is over everyone is let in again.
func TestPressure(t *testing.T) {
	var p pressure
	now := time.Unix(1, 0)
	var under []func()
	ask := func(n int) (admitted int) {
		for range n {
			if !p.over(now) {
				under = append(under, p.begin(now))
				admitted++
			}
		}
		return admitted
	}
	finish := func(n int) {
		for _, done := range under[:n] {
			done()
		}
		under = under[n:]
	}
	if n := ask(1000); n != 1000 {
		t.Errorf("%d of a burst of 1000 are let in", n)
	}
	now = now.Add(burstPatience + time.Millisecond)
	if n := ask(1000); n != 0 {
		t.Errorf("%d more are let in on top of those that do not go", n)
	}
	finish(1000 - usualStarts + 10)
	if n := ask(1000); n != 10 {
		t.Errorf("under siege %d take the place of ten", n)
	}
	finish(usualStarts/2 + 1)
	if n := ask(1000); n != 1000 {
		t.Errorf("after the siege %d of a burst of 1000 are let in", n)
	}
	finish(len(under))
	now = now.Add(time.Hour)
	if n := ask(1000); n != 1000 {
		t.Errorf("an hour later %d of a burst of 1000 are let in", n)
	}
}

// What waits aside is no pressure, however much there is of it and for how long.
func TestAside(t *testing.T) {
	now := time.Unix(1, 0)
	s := &Server{cfg: Config{Now: func() time.Time { return now }}}
	var ends, back []func()
	for range 10 * usualStarts {
		ends = append(ends, s.pressure.begin(now))
		back = append(back, (&Request{server: s}).Aside())
	}
	if now = now.Add(time.Minute); s.pressure.over(now) || s.pressure.starting.Load() != 0 {
		t.Errorf("%d aside count as %d being made", len(ends), s.pressure.starting.Load())
	}
	for i := range back {
		back[i]()
	}
	if s.pressure.over(now) || s.pressure.starting.Load() != int64(len(back)) {
		t.Errorf("%d that are back count as %d, over at once: %t", len(back), s.pressure.starting.Load(), s.pressure.over(now))
	}
	if now = now.Add(burstPatience + time.Millisecond); !s.pressure.over(now) {
		t.Error("they are back and stay, and nobody notices")
	}
	for i := range ends {
		ends[i]()
	}
	if s.pressure.starting.Load() != 0 || s.pressure.over(now) {
		t.Errorf("%d are left", s.pressure.starting.Load())
	}
}
