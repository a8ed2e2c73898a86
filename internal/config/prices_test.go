package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A file of prices is read under the settings file, whose prices win; each says
// where it is from.
func TestPricesFile(t *testing.T) {
	dir := write(t, map[string]string{
		"errand.yaml": "prices:\n  openai/gpt-5: {input: 1, output: 2}\nprices_file: other.yaml\n",
		"ours.json": `{"as_of": "2026-11-20", "prices": {"openai/gpt-5": {"input": 7, "output": 7},
			"local/*": {"input": 0.5, "output": 1, "cached": 0.1, "image": 900, "above": {"tokens": 1000, "input": 1, "output": 2}}}}`,
	})
	got, err := Load(Source{Dir: dir, Env: []string{"ERRAND_PRICES=ours.json"}})
	if err != nil {
		t.Fatal(err)
	}
	tenth := 0.1
	want := map[string]Price{
		"openai/gpt-5": {Input: 1, Output: 2, Origin: "errand.yaml"},
		"local/*": {
			Input: 0.5, Output: 1, Cached: &tenth, Image: 900, Origin: "ours.json", AsOf: "2026-11-20",
			Above: &PriceAbove{Tokens: 1000, Input: 1, Output: 2},
		},
	}
	if diff := cmp.Diff(want, got.Prices); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadPrices(t *testing.T) {
	for text, want := range map[string]string{
		"prices: {a/b: {input: -1, output: 2}}":                              "is no price",
		"prices: {a/b: {input: 1, output: 2, cached: -0.1}}":                 "is no price",
		"prices: {a/b: {input: 1, output: 2, above: {input: 2, output: 3}}}": "above.tokens",
		"prices: {a/b: {input: 1, output: 2, image: -5}}":                    "numbers of tokens",
		"prices: {a/b: {inputs: 1}}":                                         "did you mean input?",
		"as_of: soon\nprices: {a/b: {input: 1, output: 2}}":                  "is no day",
		"price: {}": "did you mean prices?",
	} {
		dir := write(t, map[string]string{"p.yaml": text})
		_, err := Load(Source{Dir: dir, Flags: map[string]string{"prices": "p.yaml"}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "p.yaml") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Load(Source{Dir: t.TempDir(), Env: []string{"ERRAND_PRICES=nowhere.yaml"}}); err == nil {
		t.Error("a file of prices that is not there is not missed")
	}
}
