package router

// Worst is the most that a call under one name can cost, whichever of its models
// answers. Prices are in micros per token.
type Worst struct {
	Input    float64 // of the dearest kind: read, cached or kept in a cache
	Output   float64
	Image    int  // tokens that a picture counts for at most
	Unpriced bool // of one of the models no price is known: it counts as free
}

// Worst returns the most that a call under this name can cost, if its input has no
// more than so many tokens beside its pictures, of which there are so many. What a
// name means to nobody costs nothing: the call is refused.
func (r *Router) Worst(model string, tokens, pictures int) Worst {
	to, unknown := r.resolve(model)
	if unknown != nil {
		return Worst{Unpriced: true}
	}
	var worst Worst
	for _, one := range r.all(model, to) {
		known, priced := r.factsOf(one)
		image := r.image(one.wire, known)
		worst.Unpriced = worst.Unpriced || !priced
		worst.Image = max(worst.Image, image)
		worst.take(known.Tariff)
		worst.take(known.tariff(tokens + pictures*image))
	}
	return worst
}

func (w *Worst) take(t Tariff) {
	w.Input, w.Output = max(w.Input, t.Input), max(w.Output, t.Output)
	for _, other := range []*float64{t.Cached, t.Written} {
		if other != nil {
			w.Input = max(w.Input, *other)
		}
	}
}

// mostImage is what a picture counts for at most, in tokens, at models of which
// nothing is known. The list has it of each provider. OpenAI's newest count up to
// 10,000 patches, Anthropic's up to 4,784 tokens; gpt-4o-mini is dearer than all
// others with 2,833 and 5,667 for each of up to eight tiles.
const mostImage = 10_000

// image is what a picture counts for at most at a model, wherever it is served.
func (r *Router) image(wire string, known Facts) int {
	if known.Image > 0 {
		return known.Image
	}
	if found, ok := r.elsewhere(wire); ok && found.Image > 0 {
		return found.Image
	}
	return mostImage
}
