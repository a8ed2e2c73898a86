package run

import (
	"strings"
	"testing"
)

func TestPreview(t *testing.T) {
	for _, test := range []struct{ template, arguments, want string }{
		{"To: {{to}}", `{"to":"meridian@example.com"}`, "To: meridian@example.com"},
		{"To: {{to}} · {{subject}}", `{"to":["a@b","c@d"],"subject":"Hi"}`, "To: a@b, c@d · Hi"},
		{"{{n}} {{gone}}!", `{"n":9007199254740993}`, "9007199254740993 !"},
		{"", `{"b":true,"a":{"x":1}}`, `a: {"x":1}, b: true`},
		{"{{to", `{"to":"x"}`, ""},
		{"{{to}}", "{\"to\":\"evil\u202egpj\\n.exe\u200b\"}", `evil\u202egpj .exe\u200b`},
		{"{{to}}", `not json`, "not json"},
		{"{{to}}", `{"to":"` + strings.Repeat("é", 300) + `"}`, strings.Repeat("é", 199) + "…"},
	} {
		if got := Preview(&Tool{Preview: test.template}, test.arguments, nil); got != test.want {
			t.Errorf("%q of %s: %q, want %q", test.template, test.arguments, got, test.want)
		}
	}
}

// A digest differs when anything differs that an approval is for, also when two
// parts only trade a letter.
func TestDigest(t *testing.T) {
	spec := Spec{Agent: &AgentRef{ID: "agt_1", Version: 1}}
	seen := map[string]string{}
	for name, digest := range map[string]string{
		"plain":     Digest(&spec, &Tool{Name: "ab", Version: "c"}, `{}`),
		"shifted":   Digest(&spec, &Tool{Name: "a", Version: "bc"}, `{}`),
		"arguments": Digest(&spec, &Tool{Name: "ab", Version: "c"}, `{ }`),
		"agent":     Digest(&Spec{Agent: &AgentRef{ID: "agt_1", Version: 2}}, &Tool{Name: "ab", Version: "c"}, `{}`),
		"no agent":  Digest(&Spec{}, &Tool{Name: "ab", Version: "c"}, `{}`),
	} {
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
}

func TestScopes(t *testing.T) {
	for _, test := range []struct {
		granted, wanted string
		want            bool
	}{
		{"runs:read", "runs:read", true},
		{"runs:read", "runs:write", false},
		{"admin", "anything", true},
		{"", "", true},
		{"context:*", "context:finance", true},
		{"context:*", "finance:read", true},
		{"finance:read", "context:finance", true},
		{"context:finance", "finance:read", true},
		{"finance:write", "context:finance", false},
		{"context:calendar", "context:finance", false},
	} {
		if got := ScopeIn(strings.Split(test.granted, ","), test.wanted); got != test.want {
			t.Errorf("%q grants %q: %v", test.granted, test.wanted, got)
		}
	}
}

func TestParseID(t *testing.T) {
	id := NewID(epoch, 7, 42)
	for _, prefix := range []string{"", "run_", "exec_", "chatcmpl-", "agent-"} {
		if got, err := ParseID(prefix + id.String()); err != nil || got != id {
			t.Errorf("%s: %v, %v", prefix, got, err)
		}
	}
	for _, bad := range []string{"", "run_", "run_run_" + id.String(), "RUN_" + id.String(), strings.ToUpper("run_" + id.String()), id.String()[1:], id.String() + "0", "xyz_" + id.String(), strings.Repeat("g", 32)} {
		if got, err := ParseID(bad); err == nil {
			t.Errorf("%q passes for %v", bad, got)
		}
	}
	if !id.Time().Equal(epoch) || NewID(epoch, 8, 0).String() <= id.String() {
		t.Error("ids are not ordered by time")
	}
}
