package client_test

import (
	"encoding/json"
	"testing"

	"errand/client"
)

// A gate has two forms on the wire, and keeps the one that it has.
func TestGateForms(t *testing.T) {
	const text = `{"required_for":["email.*",{"tool":"pay","when":"amount \u003e 100"}],"timeout":60,"on_timeout":"continue","separate":true,"quorum":2}`
	var approval client.Approval
	if err := json.Unmarshal([]byte(text), &approval); err != nil {
		t.Fatal(err)
	}
	if got := approval.RequiredFor; len(got) != 2 || got[0].String() != "email.*" || got[1].String() != "pay when amount > 100" {
		t.Errorf("%+v", got)
	}
	if again, err := json.Marshal(approval); err != nil || string(again) != text {
		t.Errorf("%s, %v", again, err)
	}
	if err := json.Unmarshal([]byte(`{"required_for":[7]}`), &approval); err == nil {
		t.Error("a number passed as a gate")
	}
}
