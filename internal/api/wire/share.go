package wire

// share lets a page of another origin read the answer, where the family says that
// it may. It is about reading alone: who may do what is decided by keys.
func (r *Request) share(allow string) {
	origin := r.http.Header.Get("Origin")
	if origin == "" || r.family.Origin == nil || !r.family.Origin(origin) {
		return
	}
	header := r.writer.Header()
	header["Access-Control-Allow-Origin"] = []string{origin}
	header["Access-Control-Expose-Headers"] = []string{"X-Request-Id, Retry-After"}
	header["Vary"] = []string{"Origin"}
	if r.http.Header.Get("Access-Control-Request-Method") != "" {
		header["Access-Control-Allow-Methods"] = []string{allow}
		header["Access-Control-Allow-Headers"] = []string{"Content-Type, Authorization, X-Api-Key, Idempotency-Key"}
		header["Access-Control-Max-Age"] = []string{"600"} // as long as browsers keep it at the most
	}
}
