package webagent

import (
	"encoding/json"

	"errand/internal/run"
)

// Traces are the rows that are about one run alone: its number. Its task stays, for
// that can be run again.
func Traces(s *run.State) []run.Row {
	var e echo
	if s.Spec.Dialect != Dialect || json.Unmarshal(s.Spec.Echo, &e) != nil || e.Run == 0 {
		return nil
	}
	return []run.Row{{Kind: runKind, Project: s.Spec.Project, ID: runRowID(e.Task, e.Run)}}
}
