package index

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "default"

// web is a small web of pages.
type web map[string]string

func (w web) Page(_ context.Context, address string) (title, final, text string, err error) {
	text, ok := w[address]
	if !ok {
		return "", "", "", problem.New(problem.ToolFailed, "no such page")
	}
	return "Page " + address[len(address)-1:], address + "?moved", text, nil
}

func open(t *testing.T, dir string) *Index {
	t.Helper()
	clock := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	x, err := Open(t.Context(), Config{
		Dir: dir, Pages: web{"https://example.com/a": "Tariffs for steel"}, Now: func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

func put(t *testing.T, x *Index, batch Batch) (Source, Change) {
	t.Helper()
	source, change, err := x.Put(t.Context(), project, batch)
	if err != nil {
		t.Fatal(err)
	}
	return source, change
}

func files(pairs ...string) []File {
	var all []File
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, File{Path: pairs[i], Content: pairs[i+1]})
	}
	return all
}

func titles(t *testing.T, x *Index, query string) []string {
	t.Helper()
	found, err := x.Search(t.Context(), project, query, 10)
	if err != nil {
		t.Fatalf("Search(%q): %v", query, err)
	}
	names := []string{}
	for _, one := range found {
		names = append(names, one.Title)
	}
	return names
}

func TestNothingAddedIsNoFile(t *testing.T) {
	dir := t.TempDir()
	x := open(t, dir)
	if found := titles(t, x, "anything"); len(found) != 0 {
		t.Error(found)
	}
	if all, err := x.Sources(t.Context(), project, "", 10); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	if _, err := x.Remove(t.Context(), project, "idx_none"); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made a file: %v", err)
	}
}

func TestAddAgainAndRemove(t *testing.T) {
	dir := t.TempDir()
	x := open(t, dir)
	source, change := put(t, x, Batch{Name: "handbook", Origin: "/srv/handbook", Files: files("fees.md", "# Late fees\nFive percent.", "a/(b).txt", "Holidays are in August.", "c.html", "<title>Tea &amp; cake</title><p>At <b>four</b></p>")})
	if diff := cmp.Diff(Change{Added: 3}, change); diff != "" {
		t.Error(diff)
	}
	want := Source{ID: source.ID, Kind: Directory, Name: "handbook", URL: "index://handbook/", Origin: "/srv/handbook", Documents: 3, Bytes: int64(len("Five percent.") + len("Holidays are in August.") + len("At four"))}
	if diff := cmp.Diff(want, source, cmpopts.IgnoreFields(Source{}, "Created", "Updated")); diff != "" {
		t.Error(diff)
	}
	if mode, err := os.Stat(filepath.Join(dir, FileName)); err != nil || mode.Mode().Perm() != 0o600 {
		t.Error(mode, err)
	}
	_, change = put(t, x, Batch{Name: "handbook", Origin: "/srv/handbook", Files: files("fees.md", "# Late fees\nSix percent.", "a/(b).txt", "Holidays are in August."), Gone: []string{"c.html", "never.txt"}})
	if diff := cmp.Diff(Change{Changed: 1, Unchanged: 1, Removed: 1}, change); diff != "" {
		t.Error(diff)
	}
	for query, want := range map[string][]string{"five": {}, "six": {"Late fees"}, "tea": {}, "holiday": {"(b).txt"}} {
		if diff := cmp.Diff(want, titles(t, x, query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	listed, err := x.Documents(t.Context(), project, "handbook", "", 10)
	if err != nil || len(listed) != 2 || listed[0].Path != "a/(b).txt" || listed[0].URL != "index://handbook/a/%28b%29.txt" || listed[0].Digest == "" {
		t.Errorf("%+v, %v", listed, err)
	}
	title, text, err := x.Document(t.Context(), project, "index://handbook/fees.md")
	if err != nil || title != "Late fees" || text != "Six percent." {
		t.Error(title, text, err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, dir) // it is all there after a restart
	if diff := cmp.Diff([]string{"Late fees"}, titles(t, x, "fee")); diff != "" {
		t.Error(diff)
	}
	if removed, err := x.Remove(t.Context(), project, "handbook"); err != nil || removed.ID != source.ID {
		t.Error(removed, err)
	}
	if found := titles(t, x, "fee holiday"); len(found) != 0 {
		t.Error(found)
	}
	if _, err := x.Documents(t.Context(), project, "handbook", "", 10); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	x := open(t, t.TempDir())
	source, change, err := x.Add(t.Context(), project, "https://example.com/a#part")
	if err != nil || change.Added != 1 || source.Name != "https://example.com/a" || source.URL != "https://example.com/a?moved" || source.Documents != 1 {
		t.Errorf("%+v %+v %v", source, change, err)
	}
	if _, change, err = x.Add(t.Context(), project, "https://example.com/a"); err != nil || change.Unchanged != 1 {
		t.Errorf("%+v %v", change, err)
	}
	found, err := x.Search(t.Context(), project, "steel tariff", 5)
	if diff := cmp.Diff([]run.Source{{Title: "Page a", URL: "https://example.com/a?moved", Snippet: "Tariffs for steel"}}, found); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, _, err := x.Add(t.Context(), project, "https://example.com/none"); !problem.Is(err, problem.ToolFailed) {
		t.Error(err)
	}
}

func TestProjectsAreApart(t *testing.T) {
	x := open(t, t.TempDir())
	source, _ := put(t, x, Batch{Name: "a", Files: files("x.txt", "salary of the director")})
	if found, err := x.Search(t.Context(), "other", "salary", 5); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
	if _, _, err := x.Document(t.Context(), "other", "index://a/x.txt"); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if _, err := x.Remove(t.Context(), "other", source.ID); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if _, _, err := x.Put(t.Context(), "other", Batch{Name: "a", Gone: []string{"x.txt"}}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"x.txt"}, titles(t, x, "salary")); diff != "" {
		t.Errorf("another project took it away: %s", diff)
	}
}

func TestRanking(t *testing.T) {
	x := open(t, t.TempDir())
	filler := strings.Repeat("Something else entirely is written here. ", 30)
	put(t, x, Batch{Name: "a", Files: files(
		"aside.txt", filler+"An invoice is mentioned once.",
		"title.md", "# Invoices\n"+filler,
		"both.txt", "The invoice is overdue. An overdue invoice is chased.",
		"none.txt", filler,
	)})
	if diff := cmp.Diff([]string{"both.txt", "Invoices", "aside.txt"}, titles(t, x, "What about overdue invoices?")); diff != "" {
		t.Error(diff)
	}
	found, err := x.Search(t.Context(), project, "mentioned", 1)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Snippet, "An invoice is mentioned once.") || len(found[0].Snippet) > 700 {
		t.Errorf("%+v %v", found, err)
	}
	if found := titles(t, x, "is the capital of France"); len(found) != 0 {
		t.Errorf("usual words found %v", found)
	}
	if found := titles(t, x, "is"); len(found) == 0 {
		t.Error("a query of usual words alone finds nothing")
	}
}

func TestScriptsWithoutSpaces(t *testing.T) {
	x := open(t, t.TempDir())
	put(t, x, Batch{Name: "a", Files: files("ja.txt", "お支払いは請求書の日付から三十日以内にお願いします。", "zh.txt", "发票必须在三十天内支付。", "de.txt", "Die Straße ist überfällig.", "ru.txt", "Счёт просрочен.")})
	for query, want := range map[string]string{"請求書": "ja.txt", "发票": "zh.txt", "strasse straße": "de.txt", "uberfallig": "de.txt", "счёт": "ru.txt", "支払い": "ja.txt"} {
		if got := titles(t, x, query); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	found, err := x.Search(t.Context(), project, "請求書", 1)
	if err != nil || len(found) != 1 || found[0].Snippet != "お支払いは請求書の日付から三十日以内にお願いします。" {
		t.Errorf("%+v %v", found, err)
	}
}

func TestAnyTextIsAQuery(t *testing.T) {
	x := open(t, t.TempDir())
	put(t, x, Batch{Name: "a", Files: files("x.txt", "near and not a column, title: INV-1041 for a@b.example")})
	for _, query := range []string{
		`"`, `'`, `"unbalanced`, `a AND`, `NOT near`, `NEAR(a b, 3)`, `title: x`, `{title} : x`, `-title:x`, `^near`, `nea*`, `a + b`, `(((`, `)`, `*`, `""`, `col1 : "x" OR`,
		"\x00", "\xff\xfe", "'; DROP TABLE documents; --", strings.Repeat("near ", 100_000), strings.Repeat("(", 5000), strings.Repeat("ä", 50_000), "\u200b", "near\u202e", "~!@#$%^&*()_+=-[]{}|;:,./<>?",
	} {
		if _, err := x.Search(t.Context(), project, query, 5); err != nil {
			t.Errorf("%.40q: %v", query, err)
		}
	}
	for query, want := range map[string]int{`"near`: 1, "INV-1041?": 1, "inv-1042": 0, "a@b.example": 1, `near AND "missing"`: 1, "NEAR(near, 3)": 1, "title:": 1} {
		if got := titles(t, x, query); len(got) != want {
			t.Errorf("%s: %v, want %d", query, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	x := open(t, t.TempDir())
	_, change := put(t, x, Batch{Name: "a", Files: append(files(
		"ok.txt", "x", "report.pdf", "%PDF", "../up.txt", "x", "/abs.txt", "x", "a//b.txt", "x", "", "x", "nul.txt", "a\x00b", "none", "x", "a\nb.txt", "x",
		strings.Repeat("long/", 400)+"x.txt", "x", "big.txt", strings.Repeat("x", MaxContent+1),
	), File{Path: "d.txt", Digest: strings.Repeat("d", 200)})})
	if change.Added != 1 || len(change.Refused) != 11 {
		t.Errorf("%d added, %d refused", change.Added, len(change.Refused))
	}
	whys := ""
	for _, refused := range change.Refused {
		whys += refused.Why + "\n"
	}
	for _, want := range []string{".pdf files are not read", "must be relative", "it is not text", "can't be seen", "too long", "more than 4 MiB"} {
		if !strings.Contains(whys, want) {
			t.Errorf("nobody says %q:\n%s", want, whys)
		}
	}
	for _, name := range []string{"", "UP", "a/b", ".a", "ä", strings.Repeat("a", 64)} {
		if _, _, err := x.Put(t.Context(), project, Batch{Name: name}); !problem.Is(err, problem.InvalidRequest) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestManyDocuments(t *testing.T) {
	x := open(t, t.TempDir())
	words := strings.Fields("invoice ledger payment customer reminder contract delivery tariff steel harbour quarter report meeting budget")
	documents, at := 10_000, 1000
	if raced {
		documents, at = 200, 100
	}
	for start := 0; start < documents; start += at {
		var batch []File
		for i := start; i < start+at; i++ {
			text := fmt.Sprintf("Number n%d. ", i)
			for j := range 40 {
				text += words[(i*7+j*j)%len(words)] + " "
			}
			batch = append(batch, File{Path: fmt.Sprintf("d%d/%d.txt", i%10, i), Content: text})
		}
		if _, change := put(t, x, Batch{Name: "many", Files: batch}); change.Added != at {
			t.Fatal(change)
		}
	}
	begun := time.Now()
	for i := range 20 {
		if got := titles(t, x, fmt.Sprintf("payment reminder for n%d", i*documents/20)); len(got) != 10 || got[0] != fmt.Sprintf("%d.txt", i*documents/20) {
			t.Fatalf("%d: %v", i, got)
		}
	}
	each := time.Since(begun) / 20
	t.Logf("%v a search in %d documents", each, documents)
	if each > time.Second {
		t.Errorf("%v a search", each)
	}
	seen, after := 0, ""
	for {
		page, err := x.Documents(t.Context(), project, "many", after, 1000)
		if err != nil || len(page) == 0 {
			break
		}
		seen, after = seen+len(page), page[len(page)-1].Path
	}
	if seen != documents {
		t.Errorf("listed %d", seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, project, "payment", 5); err == nil {
		t.Error("a cancelled search succeeded")
	}
}

func TestReadersBesideAWriter(t *testing.T) {
	x := open(t, t.TempDir())
	put(t, x, Batch{Name: "a", Files: files("x.txt", "first")})
	var working sync.WaitGroup
	for n := range 4 {
		working.Go(func() {
			for i := range 20 {
				if n == 0 {
					_, _, err := x.Put(t.Context(), project, Batch{Name: "a", Files: files(fmt.Sprintf("%d.txt", i), "second first")})
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if found, err := x.Search(t.Context(), project, "first", 50); err != nil || len(found) == 0 {
					t.Error(len(found), err)
				}
			}
		})
	}
	working.Wait()
}

func TestDamagedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), Config{Dir: dir})
	if !problem.Is(err, problem.Conflict) || !strings.Contains(problem.From(err).Detail, "Move it away") {
		t.Error(err)
	}
}

// TestFullDisk: what does not fit is refused whole, by its own code, and what is
// there is still found.
func TestFullDisk(t *testing.T) {
	x := open(t, t.TempDir())
	put(t, x, Batch{Name: "a", Files: files("x.txt", "first")})
	full := func(pages int) {
		var taken []*sqlite.Conn
		for range connections {
			conn, err := x.pool.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil); err != nil {
				t.Fatal(err)
			}
			taken = append(taken, conn)
		}
		for _, conn := range taken {
			x.pool.Put(conn)
		}
	}
	full(1) // less than there is already: not a page more
	large := Batch{Name: "a", Files: files("y.txt", strings.Repeat("second and more ", 20_000))}
	if _, _, err := x.Put(t.Context(), project, large); !problem.Is(err, problem.StorageFull) {
		t.Errorf("%v, want storage_full", err)
	}
	if diff := cmp.Diff([]string{"x.txt"}, titles(t, x, "first second")); diff != "" {
		t.Error(diff)
	}
	full(1 << 20)
	if _, change := put(t, x, large); change.Added != 1 {
		t.Errorf("%+v: it does not go on when there is room", change)
	}
}

func TestTitles(t *testing.T) {
	for content, want := range map[string]string{
		"# One\ntext": "One", "---\ntitle: \"Two\"\n---\n# Other": "Two", "---\nx: y\n---\n\n## Three ##\n": "Three", "text\n#tag\n": "", "\ufeff# Four": "Four", "#": "",
	} {
		if got, _ := textOf("x.md", content); got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
	title, text := textOf("x.HTML", `<!doctype html><head><title> A
 b </title><script>no()</script></head><nav>menu<nav>deep</nav>er</nav><p>One<b>two</b></p><p>three<br>four &lt;five&gt;<svg><title>six</title></svg><textarea>seven`)
	if title != "A b" || text != "Onetwo\nthree\nfour <five>\nseven" {
		t.Errorf("%q %q", title, text)
	}
}

// FuzzQuery and its text: nothing that is indexed or asked may break the index.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{{"late fees", "fees"}, {"<p>x", `"`}, {"請求書", "請"}, {"\x00", "\xff"}, {"a b", "a AND (b"}} {
		f.Add(seed[0], seed[1])
	}
	x, err := Open(context.Background(), Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { x.Close() })
	f.Fuzz(func(t *testing.T, text, query string) {
		for _, name := range []string{"x.html", "x.md"} {
			if _, _, err := x.Put(t.Context(), project, Batch{Name: "f", Files: files(name, text)}); err != nil {
				t.Fatal(err)
			}
		}
		found, err := x.Search(t.Context(), project, query, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range found {
			if !utf8.ValidString(one.Snippet + one.Title) {
				t.Errorf("%q", one)
			}
		}
	})
}
