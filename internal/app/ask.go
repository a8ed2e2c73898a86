package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"errand/client"
)

// ask shows each pending action to the person at the terminal and decides as they
// say. decided is false when they would rather leave it for later.
func (o *once) ask(ctx context.Context, run client.Run) (decided bool, err error) {
	var approve, reject []string
	for i, action := range run.PendingActions {
		o.p.note("\n%s wants to act: %s %s\n", o.p.bold(action.Tool), oneLine(action.Preview, 200), o.p.dim(action.ID))
		switch action.Reason {
		case "outcome_unknown":
			o.p.note("It was begun before and nobody knows what came of it. Approve = do it again; reject = treat it as done.\n")
		case "changed":
			o.p.note("The tool is no longer what was approved.\n")
		}
		choice, err := o.choose(ctx, action, len(run.PendingActions)-i)
		if err != nil {
			return false, err
		}
		switch choice {
		case 'a':
			approve = append(approve, action.ID)
		case 'r':
			reject = append(reject, action.ID)
		case 'A':
			for _, rest := range run.PendingActions[i:] {
				approve = append(approve, rest.ID)
			}
		default:
			return false, nil
		}
		if choice == 'A' {
			break
		}
	}
	for _, d := range []client.Decision{{Actions: approve}, {Actions: reject, Reject: true}} {
		if len(d.Actions) == 0 {
			continue
		}
		if _, err := o.api.Approvals.Decide(ctx, run.ID, d); err != nil {
			return false, err
		}
	}
	return true, nil
}

// choose reads one answer: a, r, A (all that are left) or q. The end of the input
// counts as q: a person who is gone has decided nothing.
func (o *once) choose(ctx context.Context, action client.Action, left int) (rune, error) {
	choices := "[a]pprove, [r]eject, [s]how arguments, [q]uit and decide later"
	if left > 1 {
		choices = "[a]pprove, approve a[l]l, [r]eject, [s]how arguments, [q]uit and decide later"
	}
	for {
		o.p.note("%s? ", choices)
		line, err := readLine(ctx, o)
		if errors.Is(err, io.EOF) {
			return 'q', nil
		}
		if err != nil {
			return 0, err
		}
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "a", "approve", "y", "yes":
			return 'a', nil
		case "r", "reject", "n", "no":
			return 'r', nil
		case "l", "all":
			return 'A', nil
		case "q", "quit":
			return 'q', nil
		case "s", "show":
			o.p.note("%s\n", indented(action.Arguments))
		}
	}
}

// readLine waits for a line or for ctx. After ctx the reader is left waiting: the
// process is about to end, and a read of a terminal can't be taken back.
func readLine(ctx context.Context, o *once) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := o.input.ReadString('\n')
		if line != "" {
			err = nil
		}
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func indented(text json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return printable(string(text))
	}
	return printable(out.String())
}
