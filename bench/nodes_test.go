package main

import (
	"strings"
	"testing"
)

// TestNodesSection holds that the section about nodes is written from what was measured,
// and stays as it was when the rest of the document is written anew.
func TestNodesSection(t *testing.T) {
	measured := &bench{options: options{rounds: 3}, load: "1.50", squads: map[string]*squad{}}
	for i, name := range squads() {
		one := []float64{float64(100 * (i + 1))}
		measured.squads[name] = &squad{rate: one, p50: one, p99: one, alone: one, cpu: one, database: one}
	}
	page, err := (&bench{rows: []row{{figure: "speed"}}}).page(machine{})
	if err != nil {
		t.Fatal(err)
	}
	first := splice(page, measured.nodesSection(page, machine{Cores: 2}))
	for _, want := range []string{"## Several nodes", "| SQLite, one server | 100 |", "| PostgreSQL, three nodes | 400 |", "2.00 x", "| speed |"} {
		if !strings.Contains(first, want) {
			t.Errorf("the page has no %q:\n%s", want, first)
		}
	}
	again := splice(page, (&bench{}).nodesSection(first, machine{}))
	if again != first {
		t.Errorf("written anew it is\n%s\nand was\n%s", again, first)
	}
}
