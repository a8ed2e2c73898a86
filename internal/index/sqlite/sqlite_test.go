package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/index"
	"errand/internal/index/indextest"
	"errand/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "default"

func open(t testing.TB, dir string) *Backing {
	t.Helper()
	b, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIndex(t *testing.T) {
	indextest.Test(t, func(t testing.TB) indextest.Place {
		dir := t.TempDir()
		return func(t testing.TB) index.Backing { return open(t, dir) }
	})
}

// world is an index in a directory of its own.
func world(t testing.TB, dir string) (*index.Index, *Backing) {
	b := open(t, dir)
	x := index.New(index.Config{Keep: b})
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x, b
}

func put(t testing.TB, x *index.Index, batch index.Batch) index.Change {
	t.Helper()
	_, change, err := x.Put(t.Context(), project, batch)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func TestNothingAddedIsNoFile(t *testing.T) {
	dir := t.TempDir()
	x, _ := world(t, dir)
	if found, err := x.Search(t.Context(), project, "anything", 10); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
	if all, err := x.Sources(t.Context(), project, "", 10); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	if _, err := x.Remove(t.Context(), project, "idx_none"); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if n, err := x.Clear(t.Context(), project, 10); n != 0 || err != nil {
		t.Errorf("of nothing %d went (%v)", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made a file: %v", err)
	}
	put(t, x, index.Batch{Name: "a"})
	if mode, err := os.Stat(filepath.Join(dir, FileName)); err != nil || mode.Mode().Perm() != 0o600 {
		t.Error(mode, err)
	}
}

func TestDamagedFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("not a database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir)
	if !problem.Is(err, problem.Conflict) || !strings.Contains(problem.From(err).Detail, "Move it away") {
		t.Error(err)
	}
}

// TestFullDisk: what does not fit is refused whole, by its own code, and what is
// there is still found.
func TestFullDisk(t *testing.T) {
	x, b := world(t, t.TempDir())
	put(t, x, index.Batch{Name: "a", Files: indextest.Files("x.txt", "first")})
	full := func(pages int) {
		var taken []*sqlite.Conn
		for range connections {
			conn, err := b.pool.Take(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := sqlitex.ExecuteTransient(conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil); err != nil {
				t.Fatal(err)
			}
			taken = append(taken, conn)
		}
		for _, conn := range taken {
			b.pool.Put(conn)
		}
	}
	full(1) // less than there is already: not a page more
	large := index.Batch{Name: "a", Files: indextest.Files("y.txt", strings.Repeat("second and more ", 20_000))}
	if _, _, err := x.Put(t.Context(), project, large); !problem.Is(err, problem.StorageFull) {
		t.Errorf("%v, want storage_full", err)
	}
	found, err := x.Search(t.Context(), project, "first second", 10)
	if err != nil || len(found) != 1 || found[0].Title != "x.txt" {
		t.Error(found, err)
	}
	full(1 << 20)
	if change := put(t, x, large); change.Added != 1 {
		t.Errorf("%+v: it does not go on when there is room", change)
	}
}

// samples are texts of all sorts.
func samples(t testing.TB) []string {
	texts := []string{
		"µ μ ϐ ẛ ı I İ ÿ Ÿ ΐ ΰ ϑ Ⅳ ⓐ ÀÉÎÕÜ ñandú Łódź Ørsted ﬁne ǅ ẞ İstanbul ſea K Å Ω ΟΔΟΣ ς й ё Ѓ が ガ ｶﾞ 한국어 हिन्दी עברית العَرَبية ab\u0301c \u0301x e\u0308\u0301 ½ Ⅷ ２３ 𝔘𝔫𝔦 §data\U000E0001 ǖ ṩ ệ Ǻ",
		"お支払いは請求書の日付から三十日以内にお願いします。INV三10 ค่าใช้จ่าย ລາວ ខ្មែរ မြန်မာ",
		"caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling hissing fizzed failing filing happy sky relational conditional rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti triplicate formative formalize electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou communism activate angulariti homologous effective bowdlerize probate rate cease controll roll yyy sayings eed ing ed s ss ies sses abies oed aing yed",
		strings.Repeat("long", 15) + "ing " + strings.Repeat("long", 16) + "ing " + strings.Repeat("y", 64) + " " + strings.Repeat("ä", 32) + "s",
	}
	files, err := filepath.Glob("../../../docs/*.md")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	if indextest.Raced {
		files = files[:2]
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// TestWords: what package index cuts texts into is what FTS5 has of them.
func TestWords(t *testing.T) {
	for _, text := range samples(t) {
		ours, theirs := ourWords(text), ftsWords(t, text)
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%.40s: FTS5 has (-), and package index (+)\n%s", text, diff)
		}
	}
}

func ourWords(text string) (all []string) {
	for words := index.Cut(text); words.Next(); {
		all = append(all, string(words.Word))
	}
	return all
}

// ftsWords asks FTS5 for the words of a text, in their order.
func ftsWords(t testing.TB, text string) (all []string) {
	b := open(t, t.TempDir())
	defer b.Close()
	x := index.New(index.Config{Keep: b})
	put(t, x, index.Batch{Name: "w", Files: indextest.Files("x.txt", text)})
	err := b.write(t.Context(), func(conn *sqlite.Conn) error {
		if err := exec(conn, "CREATE VIRTUAL TABLE temp.seen USING fts5vocab(main, words, instance)"); err != nil {
			return err
		}
		return query(conn, "SELECT term FROM temp.seen WHERE col = 'body' ORDER BY offset", func(stmt *sqlite.Stmt) error {
			all = append(all, stmt.ColumnText(0))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPassages: package index cuts passages where FTS5's own function does.
func TestPassages(t *testing.T) {
	texts := samples(t)
	random, vocabulary := rand.New(rand.NewPCG(3, 4)), strings.Fields("run. node: lease, of, seconds, it it. that. they\n\nserve-data and. and: 請求書 call\t")
	for range 30 {
		var text strings.Builder
		for range random.IntN(300) {
			text.WriteString(vocabulary[min(random.IntN(len(vocabulary)), random.IntN(len(vocabulary)))] + " ")
			if random.IntN(9) == 0 {
				text.WriteString("\n  ")
			}
		}
		texts = append(texts, text.String())
	}
	x, b := world(t, t.TempDir())
	for i, text := range texts {
		put(t, x, index.Batch{Name: "p", Files: indextest.Files(fmt.Sprintf("%02d.txt", i), text)})
	}
	seen := 0
	for _, text := range []string{"backup", "run that waits", "PostgreSQL node lease", "errand serve --data", "approval of a gated tool call by a person", "index.db", "nobody knows 503", "請求書", "node and lease", "call-run serve-data", "they run", "the is of", "server seconds minutes hours days"} {
		q := index.Ask(text)
		const statement = "SELECT body, snippet(words, 1, '', '', ' … ', 60) FROM words WHERE words MATCH ? ORDER BY rowid"
		err := b.read(t.Context(), func(conn *sqlite.Conn) error {
			return query(conn, statement, func(stmt *sqlite.Stmt) error {
				seen++
				want := strings.Join(strings.Fields(whole(stmt.ColumnText(1))), " ")
				if diff := cmp.Diff(want, q.Passage(whole(stmt.ColumnText(0)))); diff != "" {
					t.Errorf("%s: FTS5 cuts (-), and package index (+)\n%s", text, diff)
				}
				return nil
			}, match(q))
		})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if seen < 50 {
		t.Errorf("only %d passages were looked at", seen)
	}
}

// FuzzQuery and its text: nothing that is indexed or asked may break the index.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{{"late fees", "fees"}, {"<p>x", `"`}, {"請求書", "請"}, {"\x00", "\xff"}, {"a b", "a AND (b"}} {
		f.Add(seed[0], seed[1])
	}
	x, _ := world(f, f.TempDir())
	f.Fuzz(func(t *testing.T, text, query string) {
		for _, name := range []string{"x.html", "x.md"} {
			put(t, x, index.Batch{Name: "f", Files: indextest.Files(name, text)})
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
