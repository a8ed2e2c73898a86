package router

import (
	"testing"

	"errand/internal/model/script"
)

// The dearest of the models that may answer is what counts, whichever of its prices
// it is.
func TestWorst(t *testing.T) {
	dear, cheap := 9.0, 0.1
	r, err := New(Config{
		Offline: script.Steps(), Connect: func(Endpoint) (Model, error) { return script.Steps(), nil },
		Endpoints: []Endpoint{{Name: "a", BaseURL: "http://127.0.0.1:1/v1"}, {Name: "b", BaseURL: "http://127.0.0.1:2/v1"}},
		Facts: map[string]Facts{
			"a/m": {Tariff: Tariff{Input: 3, Cached: &cheap, Written: &dear, Output: 4}}, "a/plain": {Tariff: Tariff{Input: 3, Cached: &cheap, Output: 4}},
			"b/gpt-4o-mini": {Tariff: Tariff{Input: 1, Output: 40}},
			"b/long":        {Tariff: Tariff{Input: 1, Output: 40}, Image: 500, Above: &Above{Tokens: 2000, Tariff: Tariff{Input: 2, Output: 80}}},
		},
		Fallbacks: map[string][]string{"a/m": {"b/gpt-4o-mini"}, "a/plain": {"b/other", "offline"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]Worst{
		"a/m":           {Input: 9, Output: 40, Image: 48_169},
		"a/plain":       {Input: 3, Output: 4, Image: mostImage, Unpriced: true},
		"b/gpt-4o-mini": {Input: 1, Output: 40, Image: 48_169},
		"offline":       {Image: mostImage},
		"nobody/m":      {Unpriced: true},
		"b/long":        {Input: 1, Output: 40, Image: 500},
	} {
		if got := r.Worst(model, 1000, 2); got != want {
			t.Errorf("%s: %+v, want %+v", model, got, want)
		}
	}
	for _, much := range [][2]int{{2001, 0}, {1001, 2}} {
		if got := r.Worst("b/long", much[0], much[1]); got.Input != 2 || got.Output != 80 {
			t.Errorf("of %d tokens and %d pictures: %+v", much[0], much[1], got)
		}
	}
}
