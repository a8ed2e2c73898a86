package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestStory is a day at the desk: a key is made; its owner signs in, makes an agent,
// runs it, approves by keyboard, watches the answer as it is written, finds the run
// again; and the key is revoked.
func TestStory(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.post("/v1/tools", object{
		"name": "payments.transfer", "description": "Pays a supplier.", "effect": "once", "url": s.Tools.URL + "/payments.transfer",
		"parameters": object{"type": "object", "properties": object{"amount": object{"type": "number"}, "payee": object{"type": "string"}}, "required": []string{"amount", "payee"}},
	}, nil)
	seen := make(chan struct{}) // the page shows what is written, and is asked how the run stands
	show := sync.OnceFunc(func() { close(seen) })
	desk := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { show() }))
	t.Cleanup(func() { show(); desk.Close() })
	s.knows("seen", desk.URL)
	s.Model.Paces(60 * time.Millisecond)
	s.Model.Plays(func(c rig.Conversation) rig.Turn {
		if c.Step() == 0 {
			return rig.Turn{Calls: []rig.ToolCall{{Name: "payments.transfer", Arguments: "{\"amount\":12345678901234567890.50,\"payee\":\"Har\u200bbour <img src=x onerror=alert(1)>\"}"}}}
		}
		return rig.Turn{Text: "# Paid\n\n" + strings.Repeat("The supplier has its money, and the books agree. ", 12) + "**Nothing is open.**", Until: seen}
	})
	s.drives("story")
	if calls := s.Tools.Ledger("payments.transfer"); len(calls) != 1 || !strings.Contains(calls[0].Body, "12345678901234567890.50") {
		t.Errorf("the payments: %+v", calls)
	}
}
