package storetest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
	"errand/internal/store"
)

// audit appends in the order of commits, with hashes that hold each line to the one
// before; a commit that is refused appends nothing, and a restart goes on counting.
func audit(f *fixture) {
	line := func(project, action string) run.Audit {
		return run.Audit{At: epoch, Project: project, Actor: "key_1", ActorName: "me", From: "::1", Request: "req_1",
			Action: action, Target: "run_1", Data: json.RawMessage(`{"x":1}`)}
	}
	f.append(f.created(1, nil))
	f.commit(run.Commit{Audit: []run.Audit{line("default", "a"), line("default", "b")}})
	late := f.next(1, 0, message("y"))
	late.Expected, late.Events[0].Seq = 5, 6
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{late}, Audit: []run.Audit{line("default", "never")}}); err == nil {
		f.Fatal("an append to nothing was admitted")
	}
	f.commit(run.Commit{Audit: []run.Audit{line("other", "c")}})
	if f.h.Reopen != nil {
		f.s = f.h.Reopen(f.T, f.s)
	}
	f.commit(run.Commit{Audit: []run.Audit{line("default", "d")}})
	all, err := f.s.Audits(f.ctx(), "", 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	checkChain(f.T, all, "a", "b", "c", "d")
	some, err := f.s.Audits(f.ctx(), "default", 1, 1)
	if diff := cmp.Diff(all[1:2], some); err != nil || diff != "" {
		f.Errorf("one behind the first, error %v (-want +got):\n%s", err, diff)
	}
	want := line("default", "a")
	want.Seq, want.Hash = 1, all[0].Hash
	if diff := cmp.Diff(want, all[0]); diff != "" {
		f.Errorf("the first line (-want +got):\n%s", diff)
	}
}

func checkChain(t *testing.T, all []run.Audit, actions ...string) {
	t.Helper()
	var before [32]byte
	if len(all) != len(actions) {
		t.Fatalf("%d lines, want %d", len(all), len(actions))
	}
	for i := range all {
		if want := store.Chain(before, &all[i]); all[i].Hash != want || all[i].Seq != int64(i+1) || all[i].Action != actions[i] {
			t.Errorf("line %d is %+v, want %s with the hash %x", i, all[i], actions[i], want)
		}
		before = all[i].Hash
	}
}
