package index

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"errand/internal/problem"
	"errand/internal/run"
)

// maxTerms is how many words of a query count: more are prose, and each costs.
const maxTerms = 24

// Query is what a text asks for: documents that have any of its terms.
type Query struct{ Terms []Term }

// Term is a word, or several that stand next to one another.
type Term struct {
	Text  string   // as it was asked for, in lower case
	Words []string // as Words cuts it
}

// Search returns the project's documents that have words of the query, best first
// by bm25, each with the passage that has most of them. Nothing found is no error.
func (x *Index) Search(ctx context.Context, project, text string, limit int) ([]run.Source, error) {
	q := Ask(text)
	if len(q.Terms) == 0 {
		return nil, nil
	}
	found, err := x.keep.Find(ctx, project, q, limit)
	var sources []run.Source
	for i := range found {
		sources = append(sources, run.Source{Title: found[i].Title, URL: found[i].URL, Age: found[i].Modified, Snippet: q.Passage(found[i].Text)})
	}
	return sources, err
}

// Document returns a document by its address, whole.
func (x *Index) Document(ctx context.Context, project, address string) (title, text string, err error) {
	found, err := x.keep.Text(ctx, project, address)
	if err == nil && found == nil {
		err = problem.New(problem.NotFound, "There is no document %q in this project's index.", address)
	}
	if err != nil {
		return "", "", err
	}
	return found.Title, found.Text, nil
}

// Ask makes a query of any text: each of its words is a word, and nothing in it is
// syntax. What a text consists of beside words is dropped, and so are words that
// every text has, unless there are no others.
func Ask(text string) *Query {
	var terms, common []Term
	for _, word := range strings.FieldsFunc(text, breaks) {
		word = strings.Trim(strings.ToLower(word), "-._@")
		if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
			continue
		}
		same := func(t Term) bool { return t.Text == word }
		switch {
		case len(terms) == maxTerms || slices.ContainsFunc(terms, same) || slices.ContainsFunc(common, same):
		case usual[word] && len(common) < maxTerms:
			common = append(common, termOf(word))
		case !usual[word]:
			terms = append(terms, termOf(word))
		}
	}
	if len(terms) == 0 {
		terms = common
	}
	return &Query{terms}
}

func termOf(text string) Term {
	t := Term{Text: text}
	for words := Cut(text); words.Next(); {
		t.Words = append(t.Words, string(words.Word))
	}
	return t
}

// breaks reports characters between words. A number such as INV-1041 and an
// address stay together and are found as they stand.
func breaks(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !strings.ContainsRune("-._@", r)
}

// usual are words that say nothing of what is looked for. With them a question
// about anything would find every English text.
var usual = map[string]bool{
	"a": true, "about": true, "after": true, "all": true, "am": true, "an": true, "and": true, "any": true, "are": true, "as": true, "at": true,
	"be": true, "been": true, "but": true, "by": true, "can": true, "could": true, "did": true, "do": true, "does": true, "for": true, "from": true,
	"had": true, "has": true, "have": true, "he": true, "her": true, "his": true, "how": true, "i": true, "if": true, "in": true, "into": true,
	"is": true, "it": true, "its": true, "me": true, "my": true, "no": true, "not": true, "of": true, "on": true, "or": true, "our": true,
	"please": true, "she": true, "should": true, "so": true, "some": true, "tell": true, "than": true, "that": true, "the": true, "their": true,
	"them": true, "then": true, "there": true, "these": true, "they": true, "this": true, "those": true, "to": true, "us": true, "was": true,
	"we": true, "were": true, "what": true, "when": true, "where": true, "which": true, "who": true, "whom": true, "why": true, "will": true,
	"with": true, "would": true, "you": true, "your": true,
}
