package store

import (
	"errors"
	"testing"

	"errand/internal/run"
)

func TestAdmit(t *testing.T) {
	driven := func(epoch int64) []run.Event {
		return []run.Event{{Type: run.RunDriven, Driven: &run.Driven{Epoch: epoch}}}
	}
	plain := []run.Event{{Type: run.MessageAdded, Message: &run.Added{}}}
	at := func(seq, epoch int64) *run.Summary { return &run.Summary{Seq: seq, Epoch: epoch} }
	for _, test := range []struct {
		name   string
		stored *run.Summary
		append run.Append
		epoch  int64
		err    error
	}{
		{"a new run", nil, run.Append{Events: plain, Epoch: 1, Summary: run.Summary{Epoch: 1}}, 1, nil},
		{"a run that is not there", nil, run.Append{Expected: 3, Events: plain}, 0, run.ErrConflict},
		{"an id that is taken", at(1, 1), run.Append{Events: plain}, 0, run.ErrConflict},
		{"an id that a driver reuses", at(1, 2), run.Append{Events: plain, Epoch: 1}, 0, run.ErrConflict},
		{"anyone, up to date", at(4, 2), run.Append{Expected: 4, Events: plain}, 2, nil},
		{"anyone, behind", at(5, 2), run.Append{Expected: 4, Events: plain}, 0, run.ErrConflict},
		{"anyone, ahead", at(3, 2), run.Append{Expected: 4, Events: plain}, 0, run.ErrConflict},
		{"the driver", at(4, 2), run.Append{Expected: 4, Epoch: 2, Events: plain}, 2, nil},
		{"the driver, behind", at(5, 2), run.Append{Expected: 4, Epoch: 2, Events: plain}, 0, run.ErrConflict},
		{"an older driver", at(4, 2), run.Append{Expected: 4, Epoch: 1, Events: plain}, 0, run.ErrFenced},
		{"an older driver, behind", at(5, 2), run.Append{Expected: 4, Epoch: 1, Events: plain}, 0, run.ErrFenced},
		{"a driver that has not said so", at(4, 2), run.Append{Expected: 4, Epoch: 3, Events: plain}, 0, run.ErrFenced},
		{"a takeover", at(4, 2), run.Append{Expected: 4, Epoch: 3, Events: driven(3)}, 3, nil},
		{"a takeover, behind", at(5, 2), run.Append{Expected: 4, Epoch: 3, Events: driven(3)}, 0, run.ErrConflict},
		{"a takeover with a used epoch", at(4, 3), run.Append{Expected: 4, Epoch: 3, Events: driven(3)}, 0, run.ErrFenced},
		{"a takeover under another epoch", at(4, 2), run.Append{Expected: 4, Epoch: 4, Events: driven(3)}, 0, run.ErrFenced},
		{"a takeover by nobody", at(4, 2), run.Append{Expected: 4, Events: driven(3)}, 0, run.ErrFenced},
		{"a deleted run", &run.Summary{Seq: 4, Deleted: true}, run.Append{Expected: 4, Events: plain}, 0, run.ErrConflict},
	} {
		line, err := Admit(test.stored, &test.append)
		if !errors.Is(err, test.err) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.err)
		} else if err == nil && line.Epoch != test.epoch {
			t.Errorf("%s: epoch %d, want %d", test.name, line.Epoch, test.epoch)
		}
	}
}

func TestValidate(t *testing.T) {
	id := run.ID{1}
	first := []run.Event{{Seq: 1, Type: run.RunCreated}}
	for name, c := range map[string]run.Commit{
		"no run":         {Runs: []run.Append{{Events: first}}},
		"no first event": {Runs: []run.Append{{ID: id}}},
		"a gap":          {Runs: []run.Append{{ID: id, Expected: 1, Events: []run.Event{{Seq: 3}}}}},
		"a nameless row": {Rows: []run.RowWrite{{Row: run.Row{Kind: "tool"}}}},
		"a row's demand": {Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "x"}, Expect: -2}}},
		"a job's kind":   {Jobs: []run.Job{{}}},
		"a job written":  {Jobs: []run.Job{{ID: 7, Kind: "advance"}}},
	} {
		if Validate(&c) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := Validate(&run.Commit{Runs: []run.Append{{ID: id, Events: first}}}); err != nil {
		t.Error(err)
	}
}
