// Package fault kills the real program again and again while clients work with
// it, and holds what is left against what they were promised.
//
// It promises that whatever a client was told is in a journal, every call in the
// tools' ledger, and that the instants of the kills come from a seed that it
// prints: ERRAND_SEED sets it, ERRAND_KILLS the number of kills.
//
// To change what clients do, edit client_test.go; what must hold afterwards,
// check_test.go.
package fault

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	standardKills = 20
	clients       = 8
	people        = 4 // who decide what the clients' runs wait for
	readers       = 3 // who follow streams
	// longestLife is how long a server lives at most between its start and its
	// kill: long enough for runs to be at every stage, and short enough for twenty.
	longestLife = 1200 * time.Millisecond
	// bound is when no further kill begins, and eachKill what many of them may take
	// each. A slow machine kills less often, and says so.
	bound    = 60 * time.Second
	eachKill = time.Second
)

func number(t *testing.T, name string, standard int64) int64 {
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func TestKillsUnderLoad(t *testing.T) {
	seed := number(t, "ERRAND_SEED", time.Now().UnixNano())
	kills := int(number(t, "ERRAND_KILLS", standardKills))
	t.Logf("ERRAND_SEED=%d ERRAND_KILLS=%d", seed, kills)
	chance := rand.New(rand.NewPCG(uint64(seed), 1))
	w := rig.New(t)
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	w.Model.Paces(2 * time.Millisecond)
	w.Tools.Paces(5 * time.Millisecond)
	h := &house{w: w, journal: journal{runs: map[string]string{}, shown: map[shown]string{}}}

	server := w.Start()
	for name, effect := range map[string]string{"book.safe": "safe", "book.keyed": "keyed", "book.once": "once", "pay.once": "once"} {
		server.Client().Tool(w, name, effect)
	}
	h.open(server)
	var working sync.WaitGroup
	stop := make(chan struct{})
	for i := range clients {
		working.Go(func() { h.create(i, rand.New(rand.NewPCG(uint64(seed), uint64(100+i))), stop) })
	}
	for i := range people {
		working.Go(func() { h.decide(uint32(i), stop) })
	}
	for range readers {
		working.Go(func() { h.read(stop) })
	}

	begun, killed, early := time.Now(), 0, 0
	bound := max(bound, time.Duration(kills)*eachKill)
	for ; killed < kills && time.Since(begun) < bound; killed++ {
		rig.Pause(time.Duration(chance.Int64N(int64(longestLife))))
		server.Kill()
		server = w.Launch()
		if killed%4 == 3 && killed+1 < kills { // some die while they recover
			rig.Pause(time.Duration(chance.Int64N(int64(longestLife / 4))))
			server.Kill()
			server = w.Launch()
			killed++
			early++
		}
		if err := server.Ready(); err != nil {
			t.Fatalf("after kill %d: %v\n%s", killed+1, err, server.Log())
		}
		h.open(server)
	}
	if killed < kills {
		t.Logf("only %d kills of %d in %s", killed, kills, bound)
	}
	close(stop)
	working.Wait()
	t.Logf("%d kills, %d of them during a start; %d runs acknowledged, %d decisions acknowledged, %d events shown, %d calls of tools",
		killed, early, len(h.runs), len(h.decisions), len(h.shown), len(w.Tools.Ledger()))
	server.Kill() // once more, with nobody there
	server = w.Start()
	check(t, h, server.Client())
	if code := server.Terminate(); code != 0 {
		t.Errorf("at the end the server exits with %d", code)
	}
}
