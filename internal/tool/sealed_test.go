package tool

import (
	"bytes"
	"encoding/json"
	"testing"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/seal"
)

func sealer(t *testing.T, fill byte) *seal.Box {
	t.Helper()
	box, err := seal.New(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// Header values are on disk sealed; a tool whose key is lost can be seen and changed
// but not called; rows of earlier versions are read as they are.
func TestSealedHeaders(t *testing.T) {
	secret := definition("mine")
	secret.Headers = map[string]string{"Authorization": "Bearer 0123456789"}
	rows := &shelf{}
	rows.put(t, "p", "tool_old", secret) // as it was kept before there was a sealer
	with := func(fill byte) (*Set, *echo) {
		caller := &echo{}
		s, err := NewSet(Config{HTTP: caller, Rows: rows, Sealer: sealer(t, fill)})
		if err != nil {
			t.Fatal(err)
		}
		return s, caller
	}
	call := func(s *Set) error {
		now, _, err := s.Current(t.Context(), "p", "mine")
		if err == nil {
			_, err = s.Call(t.Context(), run.ToolCall{Project: "p", Action: "act_01", Tool: now})
		}
		return err
	}
	s, caller := with(1)
	if err := call(s); err != nil || caller.called[0].Headers["Authorization"] != "Bearer 0123456789" {
		t.Fatalf("a tool of an earlier version: %v, %+v", err, caller.called)
	}
	stored, err := s.Conceal(secret)
	if err != nil || bytes.Contains(stored, []byte("0123456789")) {
		t.Fatalf("stored is %s, %v", stored, err)
	}
	rows.rows[0].Data, rows.rows[0].Version = json.RawMessage(stored), 2
	if err := call(s); err != nil || caller.called[1].Headers["Authorization"] != "Bearer 0123456789" {
		t.Errorf("a tool with sealed headers: %v", err)
	}
	// Whoever can write the database, and has no key, can't have them sent elsewhere.
	rows.rows[0].Data, rows.rows[0].Version = json.RawMessage(bytes.Replace(stored, []byte(secret.URL), []byte("https://else.example/"), 1)), 3
	if err := call(s); !problem.Is(err, problem.ToolFailed) || len(caller.called) != 2 || bytes.Contains(rows.rows[0].Data, []byte(secret.URL)) {
		t.Errorf("at another address: %v after %d calls", err, len(caller.called))
	}
	rows.rows[0].Data = json.RawMessage(stored)
	s, caller = with(2)
	if err := call(s); !problem.Is(err, problem.ToolFailed) || len(caller.called) > 0 {
		t.Errorf("without its key: %v after %d calls", err, len(caller.called))
	}
	if list, err := s.List(t.Context(), "p"); err != nil || len(list) != 1 || list[0].Tool.Name != "mine" {
		t.Errorf("the list without the key: %+v, %v", list, err)
	}
}
