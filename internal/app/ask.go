package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"errand/client"
)

// ask shows each pending action to the person at the terminal and decides as they
// say. decided is false when they would rather leave it for later.
func (o *once) ask(ctx context.Context, run client.Run) (decided bool, err error) {
	var approve, reject []client.Decision
	for i := range run.PendingActions {
		action := &run.PendingActions[i]
		shown := action.Arguments
		o.present(action)
		choice, err := o.choose(ctx, action, len(run.PendingActions)-i)
		if err != nil {
			return false, err
		}
		switch choice {
		case 'a':
			approve = append(approve, approval(action, shown))
		case 'r':
			reject = append(reject, client.Decision{Actions: []string{action.ID}, Reject: true, Digest: action.Digest})
		case 'A':
			approve = append(approve, approval(action, shown))
			for _, rest := range run.PendingActions[i+1:] {
				approve = append(approve, approval(&rest, rest.Arguments))
			}
		default:
			return false, nil
		}
		if choice == 'A' {
			break
		}
	}
	for _, d := range append(approve, reject...) {
		var told *client.Error
		_, err := o.api.Approvals.Decide(ctx, run.ID, d)
		if errors.As(err, &told) && (told.Status == http.StatusBadRequest || told.Status == http.StatusConflict) {
			o.p.note("Not decided: %s\n", printable(told.Error()))
			return true, nil // what still waits is shown again, as it is now
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// present says what is about to be done, and what an approval would be for.
func (o *once) present(action *client.Action) {
	o.p.note("\n%s wants to act: %s %s\n", o.p.bold(action.Tool), oneLine(action.Preview, 200), o.p.dim(action.ID+" "+oneLine(action.Digest, 24)))
	switch action.Reason {
	case "outcome_unknown":
		o.p.note("It was begun before and nobody knows what came of it. Approve = do it again; reject = treat it as done.\n")
	case "changed":
		o.p.note("It is no longer what was approved.\n")
	}
	if n := len(action.Approvals.Given); n > 0 {
		o.p.note("%d of %d approvals are there.\n", n, n+action.Approvals.Missing)
	}
}

// approval approves an action as it was shown, or with what the person has put in
// place of its arguments.
func approval(action *client.Action, shown json.RawMessage) client.Decision {
	d := client.Decision{Actions: []string{action.ID}, Digest: action.Digest}
	if !bytes.Equal(action.Arguments, shown) {
		d.Arguments = action.Arguments
	}
	return d
}

// choose reads one answer: a, r, A (all that are left) or q. The end of the input
// counts as q: a person who is gone has decided nothing.
func (o *once) choose(ctx context.Context, action *client.Action, left int) (rune, error) {
	all := ""
	if left > 1 {
		all = ", approve a[l]l"
	}
	for {
		o.p.note("[a]pprove%s, [r]eject, [s]how arguments, [e]dit them, [q]uit and decide later? ", all)
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
		case "e", "edit":
			if err := o.edit(ctx, action); err != nil {
				return 0, err
			}
		}
	}
}

// edit reads other arguments for an action. The server holds them against the
// tool's schema when they are approved.
func (o *once) edit(ctx context.Context, action *client.Action) error {
	if action.Reason == "outcome_unknown" {
		o.p.note("It was begun already: it can be repeated as it was, or not at all.\n")
		return nil
	}
	o.p.note("Now: %s\nOther arguments, an object of JSON on one line; an empty line leaves them:\n", printable(string(action.Arguments)))
	line, err := readLine(ctx, o)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	text := strings.TrimSpace(line)
	switch {
	case text == "":
		o.p.note("They stay as they are.\n")
	case !strings.HasPrefix(text, "{") || !json.Valid([]byte(text)):
		o.p.note("That is no object of JSON: they stay as they are.\n")
	default:
		action.Arguments = json.RawMessage(text)
		o.p.note("Approve to call it with %s\n", printable(text))
	}
	return nil
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
