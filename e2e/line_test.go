package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

const chasePrompt = "Chase the three unpaid invoices over 30 days."

// again finds the command that a waiting run prints.
var again = regexp.MustCompile(`errand (run --data (\S+) --resume (run_[0-9a-f]{32})) --approve (act_\d+)`)

// resume does what the output of a run that waits says, once as it stands, and
// then for all that is left.
func resume(t *testing.T, w *rig.World, said string) {
	t.Helper()
	found := again.FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("no word of how to go on in\n%s", said)
	}
	first := w.Command(t, strings.Fields(strings.TrimPrefix(found[0], "errand "))...)
	if first.Code != 3 || !again.MatchString(first.Err) || strings.Contains(first.Err, found[4]+"  ") {
		t.Errorf("after one approval of three: exit code %d\n%s", first.Code, first.Err)
	}
	if n := len(w.Mail.Letters()); n != 1 {
		t.Errorf("%d mails after one approval", n)
	}
	rest := w.Command(t, append(strings.Fields(found[1]), "--approve", "all")...)
	if rest.Code != 0 || strings.TrimSpace(rest.Out) != "Wrote to 3 customers." {
		t.Errorf("exit code %d, %q\n%s", rest.Code, rest.Out, rest.Err)
	}
	if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func TestRunWithoutATerminal(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Plays(chase)
	stopped := w.Command(t, "run", "--agent", "agent.yaml", chasePrompt)
	if stopped.Code != 3 || len(w.Mail.Letters()) != 0 {
		t.Fatalf("exit code %d\n%s", stopped.Code, stopped.Err)
	}
	resume(t, w, stopped.Err)
}

func TestRunRejectAndFormats(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Plays(chase)
	stopped := w.Command(t, "run", "--agent", "agent.yaml", "--json", chasePrompt)
	var r rig.Run
	if err := json.Unmarshal([]byte(stopped.Out), &r); err != nil || stopped.Code != 3 || len(r.Pending) != 3 {
		t.Fatalf("exit code %d, %v\n%s", stopped.Code, err, stopped.Out)
	}
	rejected := w.Command(t, "run", "--resume", r.ID, "--reject", "all", "--stream")
	if rejected.Code != 0 || len(w.Mail.Letters()) != 0 {
		t.Errorf("exit code %d, %d mails\n%s", rejected.Code, len(w.Mail.Letters()), rejected.Err)
	}
	last := ""
	for line := range strings.Lines(rejected.Out) {
		var frame struct{ Event string }
		if err := json.Unmarshal([]byte(line), &frame); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		last = frame.Event
	}
	if last != "run.finished" {
		t.Errorf("the events end with %q", last)
	}
	for _, wrong := range [][]string{
		{"run"}, {"run", "--resume", r.ID, "again"}, {"run", "--approve", "act_01", "x"}, {"walk"}, {"run", "--no-such-flag", "x"},
	} {
		if result := w.Command(t, wrong...); result.Code != 2 || result.Err == "" || result.Out != "" {
			t.Errorf("%v: exit code %d, %q, %q", wrong, result.Code, result.Out, result.Err)
		}
	}
	if result := w.Command(t, "run", "--resume", r.ID, "--approve", "all"); result.Code == 3 {
		t.Errorf("a run that has ended waits: %s", result.Err)
	}
}

// TestRunFails shows the exit code of a run whose model is not there.
func TestRunFails(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Env["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1"
	result := w.Command(t, "run", "hello")
	if result.Code != 1 || !strings.Contains(result.Err, "model_") {
		t.Errorf("exit code %d: %s", result.Code, result.Err)
	}
}

// TestDemo holds the demo to what it says: three mails in the first part, two
// crashes and three mails in the second, without a network or a key.
func TestDemo(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	result := w.Command(t, "demo")
	if result.Code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", result.Code, result.Out, result.Err)
	}
	for words, times := range map[string]int{"kill -9": 2, "To: ": 6, "Two crashes, 3 customers, 3 e-mails": 1, "none lost, none sent twice": 1} {
		if n := strings.Count(result.Out, words); n < times {
			t.Errorf("%q is said %d times, want %d:\n%s", words, n, times, result.Out)
		}
	}
	for to := range owed() {
		if strings.Count(result.Out, to) < 2 {
			t.Errorf("no word of %s:\n%s", to, result.Out)
		}
	}
	if n := len(w.Model.Calls()) + len(w.Mail.Letters()); n != 0 {
		t.Errorf("the demo has used what the environment configures: %d times", n)
	}
}
