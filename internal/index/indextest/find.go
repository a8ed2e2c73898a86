package indextest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/index"
)

func ranking(t *testing.T, place Place) {
	x := place.open(t, 0)
	filler := strings.Repeat("Something else entirely is written here. ", 30)
	x.put(index.Batch{Name: "a", Files: Files(
		"aside.txt", filler+"An invoice is mentioned once.",
		"title.md", "# Invoices\n"+filler,
		"both.txt", "The invoice is overdue. An overdue invoice is chased.",
		"none.txt", filler,
	)})
	if diff := cmp.Diff([]string{"both.txt", "Invoices", "aside.txt"}, x.titles("What about overdue invoices?")); diff != "" {
		t.Error(diff)
	}
	found, err := x.Search(t.Context(), project, "mentioned", 1)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Snippet, "An invoice is mentioned once.") || len(found[0].Snippet) > 700 {
		t.Errorf("%+v %v", found, err)
	}
	if found := x.titles("is the capital of France"); len(found) != 0 {
		t.Errorf("usual words found %v", found)
	}
	if found := x.titles("is"); len(found) == 0 {
		t.Error("a query of usual words alone finds nothing")
	}
}

// paper is a document of a corpus, in words.
type paper struct {
	name        string
	title, body []string
}

// order holds the order of what is found against bm25, worked out here.
func order(t *testing.T, place Place) {
	x := place.open(t, 0)
	random := rand.New(rand.NewPCG(1, 2))
	vocabulary := strings.Fields("invoice ledger payment customer reminder contract delivery tariff steel harbour quarter report meeting budget")
	draw := func(n int) (words []string) {
		for range n {
			words = append(words, vocabulary[min(random.IntN(len(vocabulary)), random.IntN(len(vocabulary)))])
		}
		return words
	}
	var papers []paper
	var files []index.File
	for i := range 50 {
		p := paper{name: fmt.Sprint(i, ".md"), title: draw(1 + random.IntN(3)), body: draw(5 + random.IntN(60))}
		papers = append(papers, p)
		files = append(files, Files(p.name, "# "+strings.Join(p.title, " ")+"\n"+strings.Join(p.body, " "))...)
	}
	x.put(index.Batch{Name: "a", Files: files})
	for _, query := range []string{"budget", "steel harbour", "invoice meeting budget", "payments reminders invoices", "report quarter tariff delivery"} {
		scores := bm25(papers, strings.Fields(query))
		found, err := x.Search(t.Context(), project, query, len(papers))
		if err != nil || len(found) != len(scores) {
			t.Errorf("%s: %d found, want %d (%v)", query, len(found), len(scores), err)
		}
		last := math.Inf(1)
		for i, one := range found {
			score := scores[strings.TrimPrefix(one.URL, "index://a/")]
			if score > last+1e-4 {
				t.Errorf("%s: number %d, %s, is worth %f, and the one before it %f", query, i, one.URL, score, last)
			}
			last = score
		}
	}
}

// bm25 is the worth of each paper that has any of the words.
func bm25(papers []paper, query []string) map[string]float64 {
	stems := func(words []string) (all []string) {
		for cut := index.Cut(strings.Join(words, " ")); cut.Next(); {
			all = append(all, string(cut.Word))
		}
		return all
	}
	count := func(words []string, word string) (n float64) {
		for _, one := range words {
			if one == word {
				n++
			}
		}
		return n
	}
	length := 0.0
	for _, p := range papers {
		length += float64(len(p.title)+len(p.body)) / float64(len(papers))
	}
	scores := map[string]float64{}
	for _, word := range stems(query) {
		hits := map[string]float64{}
		for _, p := range papers {
			if n := 4*count(stems(p.title), word) + count(stems(p.body), word); n > 0 {
				hits[p.name] = n * 2.2 / (n + 1.2*(0.25+0.75*float64(len(p.title)+len(p.body))/length))
			}
		}
		n, all := float64(len(hits)), float64(len(papers))
		for name, hit := range hits {
			scores[name] += max(1e-6, math.Log((all-n+0.5)/(n+0.5))) * hit
		}
	}
	return scores
}

// passages: what is shown of a document, to the letter.
func passages(t *testing.T, place Place) {
	x := place.open(t, 0)
	between := strings.Fields(strings.Repeat("lorem ipsum dolor ", 40))
	fill := func(n int) string { return strings.TrimSpace(strings.Repeat("lorem ipsum dolor ", n)) }
	for name, c := range map[string]struct{ text, query, want string }{
		"whole":     {"Short\n\ttext  about\nzebras.", "zebra", "Short text about zebras."},
		"title":     {"# Zebra\n" + fill(40), "zebra", fill(20) + " …"},
		"beginning": {"The zebra sleeps. " + fill(40), "zebra", "The zebra sleeps. " + fill(19) + " …"},
		"end":       {fill(40) + " And the zebra.", "zebra", "… " + fill(19) + " And the zebra."},
		"middle":    {fill(40) + " zebra " + fill(40), "zebra", "… " + strings.Join(between[120-29:], " ") + " zebra " + strings.Join(between[:30], " ") + " …"},
		"sentence":  {fill(40) + ". Of zebras: they sleep. " + fill(40), "zebra", "… Of zebras: they sleep. " + fill(18) + " lorem ipsum …"},
		"most":      {"One zebra. " + fill(60) + ". A zebra, a lion. " + fill(60), "zebra lion", "… A zebra, a lion. " + fill(18) + " lorem ipsum …"},
		"phrase":    {fill(40) + ". No inv here, 1041. " + fill(60) + ". It is INV-1041. " + fill(60), "inv-1041", "… It is INV-1041. " + fill(18) + " lorem ipsum …"},
	} {
		x.put(index.Batch{Name: "p", Files: Files(name+".md", c.text)})
		found, err := x.Search(t.Context(), project, c.query, 1)
		if err != nil || len(found) != 1 || found[0].Snippet != c.want {
			t.Errorf("%s: %+v %v\nwant %q", name, found, err, c.want)
		}
		x.put(index.Batch{Name: "p", Gone: []string{name + ".md"}})
	}
}

// words: forms of a word are one word, and what is not is another one.
func words(t *testing.T, place Place) {
	x := place.open(t, 0)
	for text, queries := range map[string][2]string{
		"connected relational hopping flies": {"connection relate hop flied", "connive relay hope flea"},
		"Überfällige Straße ÀÉÎ o\u0308l":    {"uberfallig straße aei ol", "ueberfaellig strasse aéiü"},
		"ΟΔΟΣ Ёлка":                          {"οδος οδοσ ёлка", "елка"},
		"v1.2.3 a_b c-d e@f.g":               {"v1.2.3 a_b c-d e@f.g b g", "v1.3 b_a d-c f@e.g"},
		"data→base ½ ２３":                     {"data base", "database"},
	} {
		x.put(index.Batch{Name: "w", Files: Files("x.txt", text)})
		for i, word := range strings.Fields(queries[0]) {
			if got := x.titles(word); len(got) != 1 {
				t.Errorf("%s: %q (%d) does not find it", text, word, i)
			}
		}
		for _, word := range strings.Fields(queries[1]) {
			if got := x.titles(word); len(got) != 0 {
				t.Errorf("%s: %q finds it", text, word)
			}
		}
	}
}

func scripts(t *testing.T, place Place) {
	x := place.open(t, 0)
	x.put(index.Batch{Name: "a", Files: Files("ja.txt", "お支払いは請求書の日付から三十日以内にお願いします。", "zh.txt", "发票必须在三十天内支付。", "de.txt", "Die Straße ist überfällig.", "ru.txt", "Счёт просрочен.", "th.txt", "ค่าใช้จ่าย")})
	for query, want := range map[string]string{"請求書": "ja.txt", "发票": "zh.txt", "strasse straße": "de.txt", "uberfallig": "de.txt", "счёт": "ru.txt", "支払い": "ja.txt", "จ่าย": "th.txt"} {
		if got := x.titles(query); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	if got := x.titles("票发"); len(got) != 0 {
		t.Errorf("characters in another order find %q", got)
	}
	found, err := x.Search(t.Context(), project, "請求書", 1)
	if err != nil || len(found) != 1 || found[0].Snippet != "お支払いは請求書の日付から三十日以内にお願いします。" {
		t.Errorf("%+v %v", found, err)
	}
}

func anyTextIsAQuery(t *testing.T, place Place) {
	x := place.open(t, 0)
	x.put(index.Batch{Name: "a", Files: Files("x.txt", `near and not a column, title: INV-1041 for a@b.example, it's \ 'quoted'`)})
	for _, query := range []string{
		`"`, `'`, `"unbalanced`, `a AND`, `NOT near`, `NEAR(a b, 3)`, `title: x`, `{title} : x`, `-title:x`, `^near`, `nea*`, `a + b`, `(((`, `)`, `*`, `""`, `col1 : "x" OR`,
		"\x00", "\xff\xfe", "'; DROP TABLE documents; --", strings.Repeat("near ", 100_000), strings.Repeat("(", 5000), strings.Repeat("ä", 50_000), "\u200b", "near\u202e", "~!@#$%^&*()_+=-[]{}|;:,./<>?",
		`near & !x | y <-> z`, `near:*`, `near:AB`, `'near' \' \\`, "%s %1$d $1 ?1",
	} {
		if _, err := x.Search(t.Context(), project, query, 5); err != nil {
			t.Errorf("%.40q: %v", query, err)
		}
	}
	for query, want := range map[string]int{
		`"near`: 1, "INV-1041?": 1, "inv-1042": 0, "a@b.example": 1, `near AND "missing"`: 1, "NEAR(near, 3)": 1, "title:": 1, "nea*": 0, "nea:*": 0, "!near": 1, `\'quoted`: 1,
	} {
		if got := x.titles(query); len(got) != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
}

// largeDocument: of a large one the end is found as the beginning is, and
// it comes back whole.
func largeDocument(t *testing.T, place Place) {
	x := place.open(t, 0)
	var text strings.Builder
	text.WriteString("Alpha begins. ")
	most := 700_000 // more than one text search vector of PostgreSQL's can have
	if Raced {
		most = 100_000
	}
	for i := 0; text.Len() < most-100; i++ {
		fmt.Fprintf(&text, "n%d ", i)
	}
	text.WriteString("At last the okapi-7 ends.")
	x.put(index.Batch{Name: "large", Files: Files("x.txt", text.String(), "one.txt", "okapi "+strings.Repeat("x", 300_000)+" 7")})
	for query, want := range map[string]string{"alpha": "Alpha begins. n0 n1", "okapi-7": "At last the okapi-7 ends.", "n10000": " n10000 "} {
		found, err := x.Search(t.Context(), project, query, 5)
		if err != nil || len(found) != 1 || !strings.Contains(found[0].Snippet, want) || len(found[0].Snippet) > 700 {
			t.Errorf("%s: %d found, %.900q %v", query, len(found), found, err)
		}
	}
	if got := x.titles(strings.Repeat("x", 300_000)); len(got) != 1 || got[0] != "one.txt" {
		t.Errorf("a long word finds %q", got)
	}
	if _, whole, err := x.Document(t.Context(), project, "index://large/x.txt"); err != nil || whole != text.String() {
		t.Errorf("%d bytes come back of %d (%v)", len(whole), text.Len(), err)
	}
}

func manyDocuments(t *testing.T, place Place) {
	x := place.open(t, 0)
	words := strings.Fields("invoice ledger payment customer reminder contract delivery tariff steel harbour quarter report meeting budget")
	documents, at := 3000, 1000
	if Raced {
		documents, at = 200, 100
	}
	for start := 0; start < documents; start += at {
		var batch []index.File
		for i := start; i < start+at; i++ {
			text := fmt.Sprintf("Number n%d. ", i)
			for j := range 40 {
				text += words[(i*7+j*j)%len(words)] + " "
			}
			batch = append(batch, index.File{Path: fmt.Sprintf("d%d/%d.txt", i%10, i), Content: text})
		}
		if _, change := x.put(index.Batch{Name: "many", Files: batch}); change.Added != at {
			t.Fatal(change)
		}
	}
	begun := time.Now()
	for i := range 20 {
		if got := x.titles(fmt.Sprintf("payment reminder for n%d", i*documents/20)); len(got) != 10 || got[0] != fmt.Sprintf("%d.txt", i*documents/20) {
			t.Fatalf("%d: %v", i, got)
		}
	}
	t.Logf("%v a search in %d documents", time.Since(begun)/20, documents)
	listed := map[string]bool{}
	for after := ""; ; {
		page, err := x.Documents(t.Context(), project, "many", after, 1000)
		if err != nil || len(page) == 0 {
			break
		}
		for _, d := range page {
			listed[d.Path], after = true, d.Path
		}
	}
	if len(listed) != documents {
		t.Errorf("listed %d", len(listed))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, project, "payment", 5); err == nil {
		t.Error("a cancelled search succeeded")
	}
}

func readersBesideAWriter(t *testing.T, place Place) {
	x := place.open(t, 0)
	x.put(index.Batch{Name: "a", Files: Files("x.txt", "first")})
	var working sync.WaitGroup
	for n := range 4 {
		working.Go(func() {
			for i := range 20 {
				if n == 0 {
					_, _, err := x.Put(t.Context(), project, index.Batch{Name: "a", Files: Files(fmt.Sprintf("%d.txt", i), "second first")})
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if found := x.titles("first"); !slices.Contains(found, "x.txt") && len(found) < 10 {
					t.Error(found)
				}
			}
		})
	}
	working.Wait()
}
