package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The search that a searching model asks for, by the tool's name on the wire.
const (
	searchName = "web_search"
	searchArgs = `{"query":"late payment rules 2026"}`
)

// cited is the result that an answer cites.
const cited = "https://www.example.org/2026/guides/late-payment-3.html"

// citation is how it stands in an answer.
const citation = "[[3]](" + cited + ") "

// citedPieces are the tokens of the citation.
var citedPieces = [...]string{"[[", "3", "]](", cited, ") "}

// pageOfHits is what a search engine finds: ten results, with everything that
// SearXNG says of each.
var pageOfHits = hits()

func hits() []byte {
	var results []string
	for i := 1; i <= 10; i++ {
		results = append(results, fmt.Sprintf(`{"template":"default.html","url":"https://www.example.org/2026/guides/late-payment-%d.html",`+
			`"title":"Late payment: what the law says, part %d","content":"Interest on a late payment is due from the thirty-first day after the invoice has come, unless `+
			`the contract says otherwise. A reminder is not required; the creditor may ask for a lump sum of 40 euros for each invoice beside it.",`+
			`"publishedDate":"2026-03-02T10:11:12","thumbnail":"","engine":"duckduckgo","parsed_url":["https","www.example.org","/2026/guides/late-payment-%d.html","","",""],`+
			`"img_src":"","priority":"","engines":["duckduckgo","brave"],"positions":[%d,%d],"score":%d.5,"category":"general"}`, i, i, i, i, i+1, 11-i))
	}
	return []byte(`{"query":"late payment rules 2026","number_of_results":0,"results":[` + strings.Join(results, ",") +
		`],"answers":[],"corrections":[],"infoboxes":[],"suggestions":["late payment interest"],"unresponsive_engines":[]}`)
}

// answerSearch finds at once what it finds for everybody.
func answerSearch(w http.ResponseWriter, r *http.Request) {
	if q := r.URL.Query(); q.Get("q") == "" || q.Get("format") != "json" {
		http.Error(w, "a query and format=json are wanted", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(pageOfHits)))
	_, _ = w.Write(pageOfHits) // a caller that hangs up gets no answer
}
