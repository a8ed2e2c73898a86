//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

func TestRunOnATerminal(t *testing.T) {
	t.Run("approves each", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		w.Model.Plays(chase)
		s := w.Sit(t, "run", "--agent", "agent.yaml", chasePrompt)
		s.Reads("[a]pprove", 1)
		if n := len(w.Mail.Letters()); n != 0 {
			t.Errorf("%d mails before anyone was asked", n)
		}
		s.Types("show\n")
		s.Reads(`"subject"`, 1)
		for i := range 3 {
			s.Reads("? ", i+2)
			s.Types("a\n")
		}
		code, said := s.Ends()
		if code != 0 || !strings.Contains(said, "Wrote to 3 customers.") || !strings.Contains(said, "finance.read") {
			t.Errorf("exit code %d:\n%s", code, said)
		}
		if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
			t.Errorf("mails (-want +got):\n%s", diff)
		}
	})
	t.Run("rejects", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		w.Model.Plays(chase)
		s := w.Sit(t, "run", "--agent", "agent.yaml", chasePrompt)
		for i := range 3 {
			s.Reads("[r]eject", i+1)
			s.Types("r\n")
		}
		if code, said := s.Ends(); code != 0 || len(w.Mail.Letters()) != 0 {
			t.Errorf("exit code %d, %d mails:\n%s", code, len(w.Mail.Letters()), said)
		}
	})
	t.Run("edits", editsOnATerminal)
	t.Run("decides later", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		w.Model.Plays(chase)
		s := w.Sit(t, "run", "--agent", "agent.yaml", chasePrompt)
		s.Reads("[q]uit", 1)
		s.Types("q\n")
		code, said := s.Ends()
		if code != 3 || !strings.Contains(said, "--resume run_") {
			t.Fatalf("exit code %d:\n%s", code, said)
		}
		resume(t, w, said)
	})
	t.Run("Ctrl-C cancels", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		w.Model.Plays(chase)
		s := w.Sit(t, "run", "--agent", "agent.yaml", chasePrompt)
		s.Reads("[a]pprove", 1)
		s.Types("\x03")
		if code, said := s.Ends(); code != 130 || len(w.Mail.Letters()) != 0 {
			t.Errorf("exit code %d:\n%s", code, said)
		}
		var list struct{ Data []rig.Run }
		if w.Start().Client().Get("/v1/runs", &list); len(list.Data) != 1 || list.Data[0].Status != "cancelled" {
			t.Errorf("%+v", list)
		}
	})
}

// editsOnATerminal puts other arguments in the place of a call's, first some that
// do not satisfy its schema.
func editsOnATerminal(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Plays(chase)
	s := w.Sit(t, "run", "--agent", "agent.yaml", chasePrompt)
	s.Reads("sha256:", 1) // what an approval would be for
	s.Reads("[e]dit", 1)
	s.Types("e\n")
	s.Reads("on one line", 1)
	s.Types(`{"to":7}` + "\n")
	for asked := 2; asked <= 4; asked++ {
		s.Reads("[e]dit", asked)
		s.Types(map[bool]string{true: "a\n", false: "r\n"}[asked == 2])
	}
	s.Reads("Not decided", 1) // 7 is nobody's address: all three are asked about again
	s.Reads("[e]dit", 5)
	s.Types("e\n")
	s.Reads("on one line", 2)
	s.Types(`{"to":"ada@example.com","subject":"Hi","body":"Only you."}` + "\n")
	for asked := 6; asked <= 8; asked++ {
		s.Reads("[e]dit", asked)
		s.Types(map[bool]string{true: "a\n", false: "r\n"}[asked == 6])
	}
	code, said := s.Ends()
	if diff := cmp.Diff(map[string]int{"ada@example.com": 1}, w.Mail.Addressees()); code != 0 || diff != "" {
		t.Errorf("exit code %d, mails (-want +got):\n%s\n%s", code, diff, said)
	}
}

func TestEraseOnATerminal(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	w.Env["ERRAND_URL"] = s.URL
	c.Post("/v1/projects", `{"name":"shop"}`, nil)
	for _, answer := range []struct {
		typed string
		code  int
		says  string
	}{{"yes\n", 1, "nothing was erased"}, {"shop\n", 0, "being erased"}} {
		term := w.Sit(t, "projects", "erase", "shop")
		term.Reads("to go on: ", 1)
		term.Types(answer.typed)
		if code, said := term.Ends(); code != answer.code || !strings.Contains(said, answer.says) {
			t.Errorf("%q: exit code %d:\n%s", answer.typed, code, said)
		}
	}
	w.Eventually("the end of the project", func() bool { return c.Do("GET", "/v1/projects/shop", nil).Status == 404 })
}
