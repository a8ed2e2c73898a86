package remote

import (
	"strings"
	"testing"

	"errand/internal/run"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 70)
	own := []string{"email.send", "email_send", "email send", "größe", "", long + "x", long + "y", "日本"}
	var tools []run.Tool
	for _, name := range own {
		tools = append(tools, run.Tool{Name: name})
	}
	mapped := NewNames(tools)
	seen := map[string]bool{}
	for _, name := range own {
		wire := mapped.ToWire(name)
		if !Legal(wire) || seen[wire] {
			t.Errorf("%q became %q, which is not legal or taken", name, wire)
		}
		seen[wire] = true
		if back := mapped.Own(wire); back != name {
			t.Errorf("%q became %q and then %q", name, wire, back)
		}
	}
	for name, want := range map[string]string{"email_send": "email_send", "email.send": "email_send_21d2ebe3", "größe": "gr__e"} {
		if got := mapped.ToWire(name); name != "email.send" && got != want || !strings.HasPrefix(got, want[:5]) {
			t.Errorf("ToWire(%q) = %q, want %q", name, got, want)
		}
	}
	if got := NewNames([]run.Tool{{Name: "email.send"}}).ToWire("email.send"); got != "email_send" {
		t.Errorf("email.send alone became %q", got)
	}
	if got := mapped.Own("invented"); got != "invented" {
		t.Errorf("an invented name became %q", got)
	}
}

// A name that is made unique may meet one that is legal as it is, by chance or
// because whoever runs a server wants it to.
func TestNamesThatMeet(t *testing.T) {
	own := []string{"email_send", "email.send", hashed("email_send", "email.send")}
	var tools []run.Tool
	for _, name := range own {
		tools = append(tools, run.Tool{Name: name})
	}
	mapped := NewNames(tools)
	for _, name := range own {
		if wire := mapped.ToWire(name); mapped.Own(wire) != name || !Legal(wire) {
			t.Errorf("%q became %q, which leads to %q", name, wire, mapped.Own(wire))
		}
	}
}
