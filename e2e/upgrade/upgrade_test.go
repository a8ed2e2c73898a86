//go:build unix

package upgrade

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
	"errand/internal/store/postgres/pgtest"
)

// schemaDir has a file for each format of the database.
const schemaDir = "../../internal/store/sqlite/schema"

// TestEveryFormatHasItsFixture: a program of each format but the newest, which is
// not released before it has one, has left its data here.
func TestEveryFormatHasItsFixture(t *testing.T) {
	newest, have := newestFormat(t), formats(t)
	// What no program has ever left behind, and why.
	never := map[int]string{4: "it came in one change with format 5"}
	for n := 1; n < newest; n++ {
		if _, there := have[n]; !there && never[n] == "" {
			t.Errorf("there is no testdata/format-%d.tar.gz: make it with the last program of that format, scripts/fixture.sh COMMIT", n)
		}
	}
	for n := range have {
		if n > newest {
			t.Errorf("testdata/format-%d.tar.gz is of a format that %s does not have", n, schemaDir)
		}
	}
}

func newestFormat(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir(schemaDir)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestUpgrade takes up the data of each format with today's program.
func TestUpgrade(t *testing.T) {
	all := formats(t)
	var older int // the newest format that is not today's
	for n := range all {
		if n < newestFormat(t) {
			older = max(older, n)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(all)) {
		t.Run(fmt.Sprintf("format %d", n), func(t *testing.T) {
			t.Parallel()
			w := rig.New(t)
			delete(w.Env, "ERRAND_STORE") // the formats are those of SQLite
			past := unpack(t, all[n], w.Data())
			if past.Format != n || len(past.Runs) < 14 {
				t.Fatalf("the archive is of format %d and has %d runs", past.Format, len(past.Runs))
			}
			server := w.Start()
			u := upgraded{t: t, w: w, c: server.Client(), past: past}
			u.reads(server.URL)
			u.goesOn()
			u.staysApart(server.URL)
			u.works()
			u.sound()
			server.Terminate()
			u.kept(w.Data())
			u.copies()
			if n == older {
				u.moves()
			}
		})
	}
}

// upgraded is the data of an earlier program under today's.
type upgraded struct {
	t    *testing.T
	w    *rig.World
	c    *rig.Client
	past manifest
}

// reads holds that everything is shown as it was.
func (u upgraded) reads(url string) {
	u.t.Helper()
	s := speaker{t: u.t, url: url, key: rig.AdminKey}
	for name, run := range u.past.Runs {
		if run.Run == nil {
			continue // the kill has cut it: it is at work again
		}
		same := missing
		if name == needsRoom {
			same = grown
		}
		if lost := same(run.Run, s.must("GET", "/v1/runs/"+run.ID, nil)); len(lost) > 0 {
			u.t.Errorf("the run %q reads differently:\n%s", name, strings.Join(lost, "\n"))
		}
		now := s.must("GET", "/v1/runs/"+run.ID+"/events?limit=1000", nil)
		if lost := same(run.Log, now); len(lost) > 0 {
			u.t.Errorf("the log of %q reads differently:\n%s", name, strings.Join(lost, "\n"))
		}
		if n := len(u.c.Events(run.ID)); n < run.Events || n > run.Events && name != needsRoom {
			u.t.Errorf("%q has %d events now, and had %d", name, n, run.Events)
		}
	}
	for path, was := range u.past.Shown {
		if lost := missing(was, asJSON(s.must("GET", path, nil))); len(lost) > 0 {
			u.t.Errorf("GET %s reads differently:\n%s", path, strings.Join(lost, "\n"))
		}
	}
	// The secret of webhooks/default is among them: seal.key still opens what it has sealed.
	if u.past.Shown["/v1/webhooks/default"] == nil {
		u.t.Error("the fixture has nothing that was sealed")
	}
	key := speaker{t: u.t, url: url, key: u.past.Secret}
	key.must("GET", "/v1/runs/"+u.past.Runs["answered"].ID, nil)
}

// moving are fields that say how things stand at the moment: a schedule's times go
// on, a budget's month ends, the world in which the webhook and the MCP server were is
// gone, and what the kill has cut is at work again.
var moving = []string{"next_run", "next_runs", "missed_count", "failures", "spent", "left", "unpriced", "resets_at", "last_used_at"}

// reworded is what an answer says differently, by its end, and why that is the same.
var reworded = map[string]string{
	".agents was [] and is <nil>": "a key for all agents: it said so by an empty list",
}

// missing lists what was in an answer and is not in today's with the same value. An
// answer may have gained fields.
func missing(was, is json.RawMessage) []string { return unlike(was, is, false) }

// grown is missing for what may have gone on by itself: its lists may be longer. A run
// that waits for room asks for it again when its budget's month has ended.
func grown(was, is json.RawMessage) []string { return unlike(was, is, true) }

func unlike(was, is json.RawMessage, longer bool) []string {
	var old, now any
	if err := json.Unmarshal(was, &old); err != nil {
		return []string{err.Error()}
	}
	if err := json.Unmarshal(is, &now); err != nil {
		return []string{err.Error()}
	}
	return slices.DeleteFunc(differ(old, now, "", longer), func(line string) bool {
		for said := range reworded {
			if strings.HasSuffix(line, said) {
				return true
			}
		}
		return false
	})
}

func differ(was, is any, at string, longer bool) []string {
	var lost []string
	switch old := was.(type) {
	case map[string]any:
		now, same := is.(map[string]any)
		if !same {
			return []string{fmt.Sprintf("%s was %v and is %v", at, was, is)}
		}
		for name, value := range old {
			if !slices.Contains(moving, name) {
				lost = append(lost, differ(value, now[name], at+"."+name, longer)...)
			}
		}
		return lost
	case []any:
		now, same := is.([]any)
		if !same || len(now) < len(old) || len(now) > len(old) && !longer {
			return []string{fmt.Sprintf("%s was %v and is %v", at, was, is)}
		}
		for i := range old {
			lost = append(lost, differ(old[i], now[i], fmt.Sprintf("%s[%d]", at, i), longer)...)
		}
		return lost
	}
	if !reflect.DeepEqual(was, is) {
		return []string{fmt.Sprintf("%s was %v and is %v", at, was, is)}
	}
	return nil
}

// goesOn decides, answers and resumes what waits, and holds that each run ends as it
// would have under the program that began it.
func (u upgraded) goesOn() {
	u.t.Helper()
	id := func(name string) string { return u.past.Runs[name].ID }
	approve := func(name, action, answer string) {
		u.t.Helper()
		r := u.c.Until(id(name), "awaiting_approval")
		if len(r.Pending) != 1 || r.Pending[0].ID != action {
			u.t.Fatalf("%q waits for %+v", name, r.Pending)
		}
		u.c.Post("/v1/runs/"+r.ID+"/approve", object{"action_ids": r.Actions(), "digest": r.Pending[0].Digest}, nil)
		if r = u.c.Until(r.ID, "completed"); r.Summary() != answer {
			u.t.Errorf("%q answers %q", name, r.Summary())
		}
	}
	approve("waits", "act_02", "Wrote at last.")
	approve("partly", "act_02", "Wrote to both.")
	u.c.Post("/v1/runs/"+id("paused")+"/resume", nil, nil)
	approve("paused", "act_01", "Wrote after a pause.")
	u.c.Post("/v1/runs/"+id("asks its caller")+"/tool_outputs", object{"outputs": []object{{"action_id": "act_01", "output": "Sunny."}}}, nil)
	if r := u.c.Until(id("asks its caller"), "completed"); r.Summary() != "It is sunny." {
		u.t.Errorf("%+v", r)
	}
	if _, there := u.past.Runs[needsRoom]; there {
		u.c.Do("PATCH", "/v1/budgets/tight", object{"max_tokens": 1000000})
		if r := u.c.Until(id(needsRoom), "completed"); r.Summary() != "There was room." {
			u.t.Errorf("%+v", r)
		}
	}
	if r := u.c.Until(id(cutModel), "completed"); r.Summary() != "Went on." {
		u.t.Errorf("%+v", r)
	}
	if r := u.c.Until(id(cutMail), "awaiting_approval"); len(r.Pending) != 1 || r.Pending[0].Reason != "outcome_unknown" {
		u.t.Fatalf("nobody knows whether its mail went out, and it waits for %+v", r.Pending)
	}
	approve(cutMail, "act_01", "Wrote, or not.")
	for _, to := range []string{"waits@example.com", "second@example.com", "paused@example.com", "cut@example.com"} {
		if n := u.w.Mail.Addressees()["<"+to+">"] + u.w.Mail.Addressees()[to]; n != 1 {
			u.t.Errorf("%d mails to %s: %v", n, to, u.w.Mail.Addressees())
		}
	}
	if n := len(u.w.Mail.Letters()); n != 4 {
		u.t.Errorf("%d mails in all, and four were owed: %v", n, u.w.Mail.Addressees())
	}
}

// staysApart holds that a second project reads as it did, that its run goes on by its
// own key's word, and that the first project still sees none of it.
func (u upgraded) staysApart(url string) {
	u.t.Helper()
	if u.past.Second == nil {
		return
	}
	run := u.past.Second.Run
	theirs := speaker{t: u.t, url: url, key: u.past.Second.Secret}
	if lost := missing(run.Run, theirs.must("GET", "/v1/runs/"+run.ID, nil)); len(lost) > 0 {
		u.t.Errorf("the second project's run reads differently:\n%s", strings.Join(lost, "\n"))
	}
	ours := speaker{t: u.t, url: url, key: rig.AdminKey}
	if _, absent := ours.ask("GET", "/v1/runs/"+run.ID, nil); !absent {
		u.t.Error("the first project sees the second's run")
	}
	theirs.must("POST", "/v1/runs/"+run.ID+"/approve", object{"action_ids": []string{"act_01"}})
	theirs.until(run.ID, "completed")
	if n := u.w.Mail.Addressees()["<theirs@example.com>"] + u.w.Mail.Addressees()["theirs@example.com"]; n != 1 {
		u.t.Errorf("%d mails of the second project: %v", n, u.w.Mail.Addressees())
	}
}

// works gives what is stored new work.
func (u upgraded) works() {
	u.t.Helper()
	var r rig.Run
	u.c.Post("/v1/agents/clerk/run", object{"prompt": rig.Steps("anew", `time.now {}`, rig.Say("It is late."))}, &r)
	if r.Status != "completed" || r.Summary() != "It is late." {
		u.t.Errorf("%+v %+v", r, r.Error)
	}
	u.c.Post("/v1/runs", object{"model": "auto", "previous_run_id": u.past.Runs["continued"].ID, "prompt": "Go on."}, &r)
	if r.Status != "completed" {
		u.t.Errorf("a conversation does not go on: %+v %+v", r, r.Error)
	}
	if _, there := u.past.Runs["webagent"]; there {
		var again struct{ Status, Result string }
		u.c.Post("/api/tasks/1/runs", object{"parameters": object{"a": "4", "b": "5"}}, &again)
		if again.Result != "4 + 5 = 9" {
			u.t.Errorf("the workflow of an earlier day answers %+v", again)
		}
	}
	if _, there := u.past.Runs["robot"]; there {
		var turn struct {
			Status    string
			Execution string `json:"execution_id"`
		}
		u.c.Post("/v1/agent/robots/analyst/completions", object{
			"chat_id": "settling", "messages": []object{{"role": "user", "content": "yes"}},
		}, &turn)
		if turn.Execution == "" {
			u.t.Fatalf("the goal of an earlier day is confirmed, and the robot says %+v", turn)
		}
		u.c.Until(turn.Execution, "completed")
	}
}

// sound asks the doctor, who looks through the audit log, too.
func (u upgraded) sound() {
	u.t.Helper()
	got := u.w.Command(u.t, "doctor", "--deep", "--json")
	var found struct {
		Checks []struct{ Name, Level, Found string }
	}
	if err := json.Unmarshal([]byte(got.Out), &found); err != nil || len(found.Checks) < 10 {
		u.t.Fatalf("%v in %+v", err, got)
	}
	for _, check := range found.Checks {
		if check.Level == "fail" && !(check.Name == "clock" && u.young()) {
			u.t.Errorf("the doctor finds %+v", check)
		}
	}
}

// young reports that this machine's clock shows an earlier day than that on which the
// fixture was made, which the doctor rightly finds.
func (u upgraded) young() bool {
	var run struct {
		At time.Time `json:"created_at"`
	}
	_ = json.Unmarshal(u.past.Runs["robot"].Run, &run)
	if run.At.IsZero() {
		_ = json.Unmarshal(u.past.Runs["paused"].Run, &run)
	}
	return time.Now().Before(run.At)
}

// kept holds that no stored event has changed.
func (u upgraded) kept(dir string) {
	u.t.Helper()
	all := maps.Clone(u.past.Runs)
	if second := u.past.Second; second != nil {
		all["of the second project"] = second.Run
	}
	for name, run := range all {
		n, digest := logDigest(u.t, dir, run.ID, run.Events)
		if n != run.Events || digest != run.Digest {
			u.t.Errorf("the first %d of the stored events of %q are not what they were (%d)", run.Events, name, n)
		}
	}
}

// copies makes a backup, and restores it elsewhere.
func (u upgraded) copies() {
	u.t.Helper()
	copied, target := filepath.Join(u.w.Dir, "backup.tar"), filepath.Join(u.w.Dir, "restored")
	for _, args := range [][]string{{"backup", copied}, {"restore", "--data", target, copied}} {
		if got := u.w.Command(u.t, args...); got.Code != 0 {
			u.t.Fatalf("%v: %+v", args, got)
		}
	}
	u.kept(target)
}

// moves copies the data to PostgreSQL, where every run reads the same.
func (u upgraded) moves() {
	u.t.Helper()
	server := u.w.Start()
	before := speaker{t: u.t, url: server.URL, key: rig.AdminKey}
	shown := map[string]json.RawMessage{}
	for _, run := range u.past.Runs {
		for _, path := range []string{"/v1/runs/" + run.ID, "/v1/runs/" + run.ID + "/events?limit=1000"} {
			shown[path] = before.must("GET", path, nil)
		}
	}
	server.Terminate()
	u.w.Env["ERRAND_STORE"] = pgtest.Database(u.t)
	if got := u.w.Command(u.t, "migrate"); got.Code != 0 {
		u.t.Fatalf("%+v", got)
	}
	server = u.w.Start()
	after := speaker{t: u.t, url: server.URL, key: rig.AdminKey}
	for path, was := range shown {
		if lost := missing(was, after.must("GET", path, nil)); len(lost) > 0 {
			u.t.Errorf("GET %s reads differently on PostgreSQL:\n%s", path, strings.Join(lost, "\n"))
		}
	}
	if got := u.w.Command(u.t, "doctor", "--deep"); got.Code != 0 && !u.young() {
		u.t.Errorf("the doctor finds on PostgreSQL:\n%s%s", got.Out, got.Err)
	}
	server.Terminate()
}
