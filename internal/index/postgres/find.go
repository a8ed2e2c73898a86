package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"errand/internal/index"
)

// ranked is a search, with SQLite's constants of bm25. How often a part has a term is
// what ts_rank_cd counts of the term alone, where a word in a title weighs four times
// as much. A large vector is unpacked once, by joining nothing to it. How many
// documents have a term is counted among those that are found; of the best ones the
// part is shown where the terms are, and the one behind it.
//
// $1 all terms, $2 how many, $3 the project, $4 documents of the project, $5 words of
// one of them, $6 and on the terms.
const ranked = `
WITH found AS MATERIALIZED (
  SELECT document, min(words) AS words%[2]s FROM (
    SELECT p.document, p.words%[1]s FROM index_vectors p%[6]s WHERE p.lexemes @@ (SELECT $1::text::tsquery)
  ) parts GROUP BY document
), rare AS (
  SELECT 0%[3]s FROM found
), best AS (
  SELECT document, 0%[4]s AS score FROM found, rare ORDER BY score DESC, document LIMIT $2
)
SELECT d.title, d.url, d.modified, rich.part, t.rest, t.body
FROM best JOIN index_documents d ON d.id = best.document AND d.project = $3
CROSS JOIN LATERAL (
  SELECT part FROM (SELECT p.part%[1]s FROM index_vectors p%[6]s WHERE p.document = best.document) parts, rare
  ORDER BY 0%[5]s DESC, part LIMIT 1
) rich
CROSS JOIN LATERAL (
  SELECT string_agg(p.body, '' ORDER BY p.part) AS body,
    EXISTS (SELECT FROM index_texts WHERE document = best.document AND part > rich.part + 1) AS rest
  FROM index_texts p WHERE p.document = best.document AND p.part IN (rich.part, rich.part + 1)
) t
ORDER BY best.score DESC, best.document`

const (
	unpacked  = " CROSS JOIN LATERAL (SELECT CASE WHEN pg_column_size(p.lexemes) > 8000 THEN p.lexemes || ''::tsvector ELSE p.lexemes END AS lexemes OFFSET 0) v"
	firstTerm = 6
)

// findSQL is the search for so many terms.
func findSQL(terms int) string {
	var often, sums, worths, scores, parts strings.Builder
	for i := range terms {
		fmt.Fprintf(&often, ", 4 * ts_rank_cd('{0.25, 0.25, 0.25, 1}', v.lexemes, (SELECT $%d::text::tsquery))::float8 AS often%d", firstTerm+i, i)
		fmt.Fprintf(&sums, ", sum(often%d) AS often%[1]d", i)
		hits := fmt.Sprintf("(count(*) FILTER (WHERE often%d > 0))", i)
		fmt.Fprintf(&worths, ", greatest(ln((greatest($4::float8, %[1]s) - %[1]s + 0.5) / (%[1]s + 0.5)), 1e-6) AS worth%d", hits, i)
		fmt.Fprintf(&scores, " + worth%d * often%[1]d * 2.2 / (often%[1]d + 1.2 * (0.25 + 0.75 * words::float8 / $5::float8))", i)
		fmt.Fprintf(&parts, " + worth%d * often%[1]d", i)
	}
	return fmt.Sprintf(ranked, &often, &sums, &worths, &scores, &parts, unpacked)
}

// Find returns the documents that have any of the terms, best first, each with the part
// that has most of them and the one behind it.
func (b *Backing) Find(ctx context.Context, project string, q *index.Query, limit int) (found []index.Found, err error) {
	p, err := b.share(ctx, project)
	if err != nil || p.documents == 0 {
		return nil, err
	}
	var terms []string
	for i := range q.Terms {
		if term := phrase(p.mark, &q.Terms[i]); term != "" {
			terms = append(terms, term)
		}
	}
	if len(terms) == 0 {
		return nil, nil
	}
	mean := max(1, float64(p.words)/float64(p.documents))
	arguments := []any{"(" + strings.Join(terms, ") | (") + ")", limit, text(project), float64(p.documents), mean}
	for _, term := range terms {
		arguments = append(arguments, term)
	}
	err = b.search(ctx, func(rows pgx.Rows) error {
		var one index.Found
		var part int
		var rest bool
		if err := rows.Scan(&one.Title, &one.URL, &one.Modified, &part, &rest, &one.Text); err != nil {
			return fmt.Errorf("reading a document: %w", err)
		}
		if part > 0 {
			one.Text = "… " + one.Text // no word: a passage at its beginning shows that there is more
		}
		if rest {
			one.Text += " …"
		}
		found = append(found, one)
		return nil
	}, findSQL(len(terms)), arguments...)
	return found, err
}

// share is a project's line.
type share struct{ mark, documents, bytes, words int64 }

func (s *share) scan(rows pgx.Rows) error {
	return rows.Scan(&s.mark, &s.documents, &s.bytes, &s.words)
}

const shareColumns = "mark, documents, bytes, words"

// share returns a project's line; all zeros where it has none.
func (b *Backing) share(ctx context.Context, project string) (s share, err error) {
	err = b.query(ctx, s.scan, "SELECT "+shareColumns+" FROM index_projects WHERE project = $1", text(project))
	return s, err
}
