package file_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/file"
	"errand/internal/problem"
	"errand/internal/run"
)

// shoot keeps a screenshot of a text.
func (d *desk) shoot(project, text string) (file.File, error) {
	return d.Put(d.t.Context(), file.Info{Project: project, Name: "s.png", Type: "image/png", Purpose: file.Screenshot, Keep: time.Hour}, strings.NewReader(text))
}

func (d *desk) texts(project string) []string {
	var all []string
	for _, f := range list(d, project) {
		text, err := d.text(project, f.ID)
		if err != nil {
			d.t.Error(err)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

func newNarrowDesk(t *testing.T, most int64) *desk {
	d := newDesk(t)
	d.most = most
	d.open()
	return d
}

func TestAProjectHasNoMoreThanItMay(t *testing.T) {
	d := newNarrowDesk(t, 10)
	first := d.put("p", "a.txt", "12345")
	d.put("p", "b.txt", "12345") // the same bytes count again
	if _, err := d.Put(t.Context(), file.Info{Project: "p", Purpose: file.Context}, strings.NewReader("1")); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("one byte too many: %v", err)
	}
	d.put("q", "c.txt", "1234567890") // each project for itself
	if err := d.Delete(t.Context(), "p", first.ID); err != nil {
		t.Fatal(err)
	}
	d.put("p", "d.txt", "abcde")
	if got := d.texts("p"); !slices.Equal(got, []string{"12345", "abcde"}) || d.contents() != 3 {
		t.Errorf("%v, %d contents", got, d.contents())
	}
	d.most = 3 // less than is there
	d.open()
	for _, f := range list(d, "p") {
		if err := d.Delete(t.Context(), "p", f.ID); err != nil {
			t.Error(err)
		}
	}
	d.put("p", "e.txt", "123")
}

// TestWhatExpiresMakesRoom: the oldest first, and nothing where all of it would not
// do.
func TestWhatExpiresMakesRoom(t *testing.T) {
	d := newNarrowDesk(t, 10)
	d.put("p", "kept.txt", "1234")
	for _, text := range []string{"aa", "bb", "cc", "ddd"} {
		d.now = d.now.Add(time.Second)
		if _, err := d.shoot("p", text); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.texts("p"); !slices.Equal(got, []string{"1234", "cc", "ddd"}) {
		t.Errorf("%v", got)
	}
	if _, err := d.shoot("p", "1234567"); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("larger than all that can go: %v", err)
	}
	if got := d.texts("p"); !slices.Equal(got, []string{"1234", "cc", "ddd"}) {
		t.Errorf("something went for nothing: %v", got)
	}
	d.put("p", "new.txt", "12345")
	if got := d.texts("p"); !slices.Equal(got, []string{"1234", "12345"}) {
		t.Errorf("%v", got)
	}
	// The expiry of a file that has made room finds nothing, and books nothing.
	d.now = d.now.Add(2 * time.Hour)
	jobs, err := d.rows.Jobs(t.Context(), 0)
	if err != nil || len(jobs) != 4 {
		t.Fatalf("%d jobs, %v", len(jobs), err)
	}
	for _, job := range jobs {
		if err := d.Expire(t.Context(), job); err != nil {
			t.Error(err)
		}
	}
	d.put("p", "one.txt", "1")
	if _, err := d.shoot("p", "1"); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("%v", err)
	}
}

// TestFilesThatNobodyCounted: a store that an earlier version made has no numbers.
func TestFilesThatNobodyCounted(t *testing.T) {
	d := newDesk(t)
	for i := range 3 {
		d.put("p", fmt.Sprint(i), fmt.Sprint("123", i))
	}
	row, err := d.rows.Row(t.Context(), "file_usage", "p", "bytes")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.rows.Append(t.Context(), run.Commit{Rows: []run.RowWrite{{Row: row, Expect: row.Version, Delete: true}}}); err != nil {
		t.Fatal(err)
	}
	d.most = 15
	d.open()
	if _, err := d.shoot("p", "1234"); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("%v", err)
	}
	d.put("p", "x.txt", "123")
	if _, err := d.shoot("p", "1"); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("%v", err)
	}
}

func TestManyForTheLastRoom(t *testing.T) {
	d := newNarrowDesk(t, 50)
	var done sync.WaitGroup
	for i := range 20 {
		done.Go(func() {
			_, err := d.Put(t.Context(), file.Info{Project: "p", Purpose: file.Context}, strings.NewReader(fmt.Sprintf("%010d", i)))
			if err != nil && !problem.Is(err, problem.QuotaExceeded) {
				t.Error(err)
			}
		})
	}
	done.Wait()
	if got := d.texts("p"); len(got) != 5 || d.contents() != 5 {
		t.Errorf("%d files, %d contents, want 5", len(got), d.contents())
	}
}
