package router

import "errand/internal/run"

// estimated fills in what a provider has not said of a call: how many tokens it had.
// A call of which nothing is known must not look like one that was free, or no
// limit and no budget would hold it. So each byte of the request and of the reply
// counts as a token, which no tokenizer exceeds; and where the model was to think
// and has shown nothing of it, or was given up on because it took too long, all that it
// was allowed to.
func (r *Router) estimated(to *target, req *run.Request, reply *run.Reply, late bool) run.Usage {
	u := reply.Usage
	said := len(reply.Text) + len(reply.Reasoning)
	for i := range reply.Calls {
		said += len(reply.Calls[i].Name) + len(reply.Calls[i].Arguments)
	}
	if u.Input > 0 && (u.Output > 0 || said == 0 && !late) {
		return u
	}
	if u.Estimated = true; u.Input == 0 {
		text, pictures := req.Weigh()
		known, _ := r.factsOf(*to)
		u.Input = text + pictures*r.image(to.wire, known)
	}
	if u.Output == 0 {
		u.Output = said
		thinks := req.Params.Thinking > 0 || req.Params.Effort != ""
		if late || thinks && reply.Reasoning == "" {
			u.Output = max(said, req.Longest())
		}
	}
	return u
}
