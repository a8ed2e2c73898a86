package index

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"zombiezen.com/go/sqlite"

	"errand/internal/problem"
	"errand/internal/run"
)

// maxTerms is how many words of a query count: more are prose, and each costs.
const maxTerms = 24

// Search returns the project's documents that have words of the query, best first
// by bm25, each with the passage that has most of them. Nothing found is no error.
func (x *Index) Search(ctx context.Context, project, text string, limit int) ([]run.Source, error) {
	terms := match(text)
	if terms == "" {
		return nil, nil
	}
	var found []run.Source
	// Passages are cut for the best documents only: cutting costs more than ranking.
	const statement = `
		SELECT d.title, d.url, d.modified, snippet(words, 1, '', '', ' … ', 60) FROM words JOIN documents d ON d.id = words.rowid
		WHERE words MATCH ?1 AND words.rowid IN (
			SELECT words.rowid FROM words JOIN documents d ON d.id = words.rowid WHERE words MATCH ?1 AND d.project = ?2 ORDER BY words.rank LIMIT ?3
		) ORDER BY words.rank`
	err := x.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, statement, func(stmt *sqlite.Stmt) error {
			found = append(found, run.Source{
				Title: whole(stmt.ColumnText(0)), URL: stmt.ColumnText(1), Age: stmt.ColumnText(2),
				Snippet: strings.Join(strings.Fields(whole(stmt.ColumnText(3))), " "),
			})
			return nil
		}, terms, project, limit)
	})
	return found, err
}

// Document returns a document by its address, whole.
func (x *Index) Document(ctx context.Context, project, address string) (title, text string, err error) {
	there := false
	err = x.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT title, body FROM documents WHERE project = ? AND url = ?", func(stmt *sqlite.Stmt) error {
			title, text, there = whole(stmt.ColumnText(0)), whole(stmt.ColumnText(1)), true
			return nil
		}, project, address)
	})
	if err == nil && !there {
		err = problem.New(problem.NotFound, "There is no document %q in this project's index.", address)
	}
	return title, text, err
}

// match writes a query in FTS5's language: any of the words, each quoted, so that
// nothing in the text is syntax. What a text consists of beside words is dropped,
// and so are words that every text has, unless there are no others.
func match(text string) string {
	var terms, common []string
	for _, word := range strings.FieldsFunc(text, breaks) {
		word = strings.Trim(strings.ToLower(word), "-._@")
		if !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
			continue
		}
		quoted := `"` + strings.ReplaceAll(apart(word), seam, " ") + `"`
		switch {
		case slices.Contains(terms, quoted) || slices.Contains(common, quoted):
		case usual[word]:
			common = append(common, quoted)
		default:
			terms = append(terms, quoted)
		}
	}
	if len(terms) == 0 {
		terms = common
	}
	return strings.Join(terms[:min(len(terms), maxTerms)], " OR ")
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
