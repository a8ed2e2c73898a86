package index

import "testing"

func TestTitles(t *testing.T) {
	for content, want := range map[string]string{
		"# One\ntext": "One", "---\ntitle: \"Two\"\n---\n# Other": "Two", "---\nx: y\n---\n\n## Three ##\n": "Three", "text\n#tag\n": "", "\ufeff# Four": "Four", "#": "",
	} {
		if got, _ := textOf("x.md", content); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
	title, text := textOf("x.HTML", `<!doctype html><head><title> A
 b </title><script>no()</script></head><nav>menu<nav>deep</nav>er</nav><p>One<b>two</b></p><p>three<br>four &lt;five&gt;<svg><title>six</title></svg><textarea>seven`)
	if title != "A b" || text != "Onetwo\nthree\nfour <five>\nseven" {
		t.Errorf("%q %q", title, text)
	}
}
