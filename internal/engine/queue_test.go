package engine

import (
	"testing"

	"errand/internal/run"
)

// One project's many runs do not keep those of the others waiting.
func TestProjectsTakeTurns(t *testing.T) {
	var q queue
	id := func(n byte) run.ID { return run.ID{n} }
	for n := byte(1); n <= 5; n++ {
		q.add(id(n), "greedy")
	}
	q.add(id(11), "modest")
	q.add(id(21), "")
	q.add(id(12), "modest")
	q.drop(id(2))
	q.drop(id(21))
	var got []byte
	for q.size() > 0 {
		next := q.next()
		if q.has(next) {
			t.Errorf("%v waits and has left", next)
		}
		got = append(got, next[0])
	}
	if want := []byte{1, 11, 3, 12, 4, 5}; string(got) != string(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(q.turns)+len(q.lines)+len(q.of) != 0 {
		t.Errorf("an empty queue holds %+v", q)
	}
	q.add(id(1), "greedy")
	if q.next() != id(1) {
		t.Error("a queue that was empty does not work")
	}
}
