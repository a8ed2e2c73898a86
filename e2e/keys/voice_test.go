package keys

import (
	"net/http"
	"testing"

	"errand/e2e/rig"
)

type inbox struct {
	Data []struct {
		Run       string
		Approvals struct {
			Given   []string
			Missing int
		}
		May struct{ Approve bool }
	}
}

// TestKeysOfOnePersonAreOneVoice: whoever manages keys is one of a quorum and no more,
// with keys that they make, and gets no key of a colleague's; nor do they approve what
// another key of theirs has started.
func TestKeysOfOnePersonAreOneVoice(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	admin.Tool(w, "crm.note", "once")
	var ada, bob, second key
	admin.Post("/v1/keys", `{"name":"Ada","scopes":["runs:read","runs:write","runs:approve","agents:execute","tools:read","keys:write"]}`, &ada)
	admin.Post("/v1/keys", `{"name":"Bob","scopes":["runs:read","runs:approve"]}`, &bob)
	var made struct {
		ID     string
		Secret string `json:"key"`
	}
	s.Client(ada.Secret).Post("/v1/setting/api-keys", `{"name":"Ada's second"}`, &made)
	s.Client(ada.Secret).Post("/v1/keys/"+made.ID+"/rotate", nil, &second)
	s.Client(ada.Secret).Do("POST", "/v1/keys/"+bob.ID+"/rotate", nil).Refused(http.StatusForbidden, "scope_denied")

	var run rig.Run
	s.Client(second.Secret).Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"crm.note"}, "prompt": rig.Steps("voices", `crm.note {"n":1}`, rig.Say("Noted.")),
		"approval": map[string]any{"required_for": []string{"crm.note"}, "separate": true},
	}, &run)
	run = admin.Until(run.ID, "awaiting_approval")
	said := map[string]any{"action_ids": run.Actions()}
	for _, secret := range []string{second.Secret, ada.Secret} {
		var shown inbox
		if s.Client(secret).Get("/v1/approvals", &shown); len(shown.Data) != 1 || shown.Data[0].May.Approve {
			t.Errorf("the inbox lets the voice approve that has started the run: %+v", shown)
		}
		s.Client(secret).Do("POST", "/v1/runs/"+run.ID+"/approve", said).Refused(http.StatusForbidden, "scope_denied")
		s.Client(secret).Do("POST", "/v1/runs/"+run.ID+"/actions/"+run.Actions()[0]+"/links", nil).Refused(http.StatusForbidden, "scope_denied")
	}
	s.Client(bob.Secret).Post("/v1/runs/"+run.ID+"/approve", said, nil)
	admin.Until(run.ID, "completed")

	admin.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"crm.note"}, "prompt": rig.Steps("quorum", `crm.note {"n":2}`, rig.Say("Noted.")),
		"approval": map[string]any{"required_for": []string{"crm.note"}, "quorum": 2},
	}, &run)
	run = admin.Until(run.ID, "awaiting_approval")
	said = map[string]any{"action_ids": run.Actions()}
	for _, secret := range []string{second.Secret, ada.Secret, second.Secret} {
		s.Client(secret).Post("/v1/runs/"+run.ID+"/approve", said, nil)
		var shown inbox
		s.Client(secret).Get("/v1/approvals", &shown)
		if len(shown.Data) != 1 || shown.Data[0].Approvals.Missing != 1 || shown.Data[0].May.Approve {
			t.Fatalf("after the words of one person: %+v", shown)
		}
		if given := shown.Data[0].Approvals.Given; len(given) != 1 || given[0] != ada.ID {
			t.Errorf("the voices are %v and not Ada's", given)
		}
	}
	s.Client(bob.Secret).Post("/v1/runs/"+run.ID+"/approve", said, nil)
	admin.Until(run.ID, "completed")
}
