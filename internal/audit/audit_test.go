package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/audit"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/memory"
)

var noon = time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)

// chained are lines as a store has them.
func chained(t *testing.T, n int) []run.Audit {
	t.Helper()
	s := memory.New(memory.Config{Now: func() time.Time { return noon }})
	defer s.Close()
	for i := range n {
		line := run.Audit{At: noon, Project: "default", Actor: "key_1", Action: "agent.created", Target: string(rune('a' + i))}
		if err := s.Append(t.Context(), run.Commit{Audit: []run.Audit{line}}); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := s.Audits(t.Context(), "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func verify(lines []run.Audit, known audit.Head) audit.Verdict {
	v := audit.Verifier{Chain: store.Chain, Known: known}
	for i := range lines {
		if !v.Take(&lines[i]) {
			break
		}
	}
	return v.Verdict()
}

func TestVerify(t *testing.T) {
	whole := verify(chained(t, 5), audit.Head{})
	if whole.Wrong != nil || whole.Lines != 5 || whole.Head.Seq != 5 {
		t.Fatalf("as it was written: %+v %+v", whole, whole.Wrong)
	}
	noted := whole.Head
	again, err := audit.ParseHead(noted.String())
	if err != nil || again != noted {
		t.Errorf("%v, %v", again, err)
	}
	for name, c := range map[string]struct {
		hurt  func([]run.Audit) []run.Audit
		seq   int64
		says  string
		known audit.Head
	}{
		"changed":  {func(l []run.Audit) []run.Audit { l[2].Target = "x"; return l }, 3, "not what was written", audit.Head{}},
		"a hash":   {func(l []run.Audit) []run.Audit { l[2].Hash[0]++; return l }, 3, "not what was written", audit.Head{}},
		"when":     {func(l []run.Audit) []run.Audit { l[0].At = noon.Add(time.Hour); return l }, 1, "not what was written", audit.Head{}},
		"removed":  {func(l []run.Audit) []run.Audit { return append(l[:1], l[2:]...) }, 2, "line 2 is missing", audit.Head{}},
		"swapped":  {func(l []run.Audit) []run.Audit { l[1], l[2] = l[2], l[1]; l[1].Seq, l[2].Seq = 2, 3; return l }, 2, "not what was written", audit.Head{}},
		"the end":  {func(l []run.Audit) []run.Audit { return l[:3] }, 4, "the log ends at line 3", noted},
		"all anew": {func(l []run.Audit) []run.Audit { return rewritten(l) }, 5, "written anew", noted},
	} {
		t.Run(name, func(t *testing.T) {
			got := verify(c.hurt(chained(t, 5)), c.known)
			if got.Wrong == nil || got.Wrong.Seq != c.seq || !strings.Contains(got.Wrong.Why, c.says) {
				t.Errorf("%+v", got.Wrong)
			}
		})
	}
	for _, text := range []string{"5", "0:00", "x:" + strings.Repeat("00", 32), "5:zz"} {
		if _, err := audit.ParseHead(text); err == nil {
			t.Errorf("%q is taken for a head", text)
		}
	}
}

// rewritten is a log that somebody has made to fit again.
func rewritten(lines []run.Audit) []run.Audit {
	var before [32]byte
	for i := range lines {
		lines[i].Actor = "key_2"
		lines[i].Hash = store.Chain(before, &lines[i])
		before = lines[i].Hash
	}
	return lines
}

func TestWitness(t *testing.T) {
	who := audit.Who{Actor: "key_1", Name: "me", Project: "default", From: "::1", Request: "req_1"}
	write := func(kind, id, name string, expect int64) run.RowWrite {
		return run.RowWrite{Row: run.Row{Kind: kind, Project: "p", ID: id, Name: name}, Expect: expect}
	}
	c := run.Commit{
		Audit: []run.Audit{{Project: "p", Action: "key.created", Target: "key_2"}, {At: noon, Actor: "key_9", Project: "p", Action: "scope.denied"}},
		Rows: []run.RowWrite{
			write("agent", "agt_1", "clerk", run.MustNotExist), write("agent_version", "agt_1/1", "", run.MustNotExist),
			write("tool", "tool_1", "crm.note", 3), write("key", "key_2", "0123hash", run.MustNotExist),
			{Row: run.Row{Kind: "webhook", Project: "p", ID: "wh_1"}, Delete: true}, {Row: run.Row{Kind: "agent", ID: "agt_2"}, Check: true},
		},
	}
	bare := run.Commit{Rows: c.Rows}
	audit.Witness(t.Context(), &bare, noon)
	if bare.Audit != nil {
		t.Errorf("what the server does by itself leaves %+v", bare.Audit)
	}
	audit.Witness(audit.With(t.Context(), who), &c, noon)
	made := run.Audit{At: noon, Project: "p", Actor: "key_1", ActorName: "me", From: "::1", Request: "req_1"}
	of := func(action, target, data string) run.Audit {
		line := made
		line.Action, line.Target = action, target
		if data != "" {
			line.Data = []byte(data)
		}
		return line
	}
	want := []run.Audit{
		of("key.created", "key_2", ""), {At: noon, Actor: "key_9", Project: "p", Action: "scope.denied"},
		of("agent.created", "agt_1", `{"name":"clerk"}`), of("tool.changed", "tool_1", `{"name":"crm.note"}`), of("webhook.deleted", "wh_1", ""),
	}
	if diff := cmp.Diff(want, c.Audit); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
