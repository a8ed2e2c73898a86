package wire

import (
	"fmt"
	"strings"

	"errand/internal/run"
)

// Halted is the text with which a dialect that has no word for it ends its answer
// when a run waits for someone: it names the run, what waits, and how to go on.
// It is empty for a run that does not wait.
func Halted(s *run.State) string {
	name := "run_" + s.ID.String()
	switch s.Status {
	case run.AwaitingApproval:
		var waiting []string
		for _, a := range s.Pending() {
			waiting = append(waiting, entry(fmt.Sprintf("- %s, %s (%s)", a.ID, a.Tool.Name, strings.ReplaceAll(a.Reason, "_", " ")), a.Preview))
		}
		return fmt.Sprintf("This run has halted: a person has to decide before it goes on.\n\n%s\n\nRun: %s. Approve or reject with POST /v1/runs/%s/approve, or with `errand approvals`; it goes on by itself then.",
			strings.Join(waiting, "\n"), name, name)
	case run.AwaitingInput:
		var owed []string
		for _, a := range s.PendingCalls() {
			owed = append(owed, entry(fmt.Sprintf("- %s, %s", a.ID, a.Tool.Name), a.Preview))
		}
		return fmt.Sprintf("This run waits for the output of calls that its caller has to make.\n\n%s\n\nRun: %s. Send the outputs with POST /v1/runs/%s/tool_outputs.",
			strings.Join(owed, "\n"), name, name)
	case run.PausedStatus:
		return fmt.Sprintf("This run has been paused. Run: %s. Resume it with POST /v1/runs/%s/resume.", name, name)
	}
	return ""
}

// entry is an action in a list; a call without arguments has no preview.
func entry(action, preview string) string {
	if preview == "" {
		return action
	}
	return action + ": " + preview
}
