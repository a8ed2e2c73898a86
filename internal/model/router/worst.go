package router

import "strings"

// Worst is the most that a call under one name can cost, whichever of its models
// answers. Prices are in micros per token.
type Worst struct {
	Input    float64 // of the dearest kind: read, cached or kept in a cache
	Output   float64
	Image    int  // tokens that a picture counts for at most
	Unpriced bool // of one of the models no price is known: it counts as free
}

// Worst returns the most that a call under this name can cost. What a name means
// to nobody costs nothing: the call is refused.
func (r *Router) Worst(model string) Worst {
	to, unknown := r.resolve(model)
	if unknown != nil {
		return Worst{Unpriced: true}
	}
	var worst Worst
	for _, one := range r.all(model, to) {
		known, priced := r.factsOf(one)
		worst.Unpriced = worst.Unpriced || !priced
		worst.Input = max(worst.Input, known.Input)
		for _, other := range []*float64{known.Cached, known.Written} {
			if other != nil {
				worst.Input = max(worst.Input, *other)
			}
		}
		worst.Output = max(worst.Output, known.Output)
		worst.Image = max(worst.Image, imageTokens(one.wire))
	}
	return worst
}

// What a picture counts for at most, in tokens. OpenAI's gpt-4o-mini counts 2,833
// and 5,667 for each of up to eight tiles. Of all others in models.json none counts
// more than 4,784, Anthropic's for the largest picture that it takes.
const (
	miniImage = 2_833 + 8*5_667
	mostImage = 4_800
)

func imageTokens(model string) int {
	if strings.Contains(model, "4o-mini") {
		return miniImage
	}
	return mostImage
}
