package feed

import (
	"strconv"
	"strings"
	"testing"

	"errand/internal/run"
)

// FuzzCursor reads where a reader wants to go on: only a place of this process's own
// numbering, which has been, is one; from anywhere else a reader is told to begin anew.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "7.0", "7.3", "7.4", "7.-1", "7.+3", "7.03", "8.1", "7", ".", "7.9223372036854775808", "7.1.2", " 7.1", "\x00"} {
		f.Add(seed)
	}
	const told = 3
	source := New(7)
	for i := range told {
		source.Tell([]run.Append{{ID: run.ID{byte(i + 1)}, Events: []run.Event{{Seq: 1, Type: run.RunCreated}}, Summary: run.Summary{ID: run.ID{byte(i + 1)}, Project: "p"}}})
	}
	if source.next != told {
		f.Fatalf("%d changes, want %d", source.next, told)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		at, resync := source.begin(cursor)
		number, ours := strings.CutPrefix(cursor, "7.")
		n, err := strconv.ParseInt(number, 10, 64)
		switch known := ours && err == nil && n >= 0 && n <= told; {
		case at < 0 || at > told:
			t.Errorf("%q begins at %d", cursor, at)
		case cursor == "" && (resync != Begin || at != told), cursor != "" && known != (resync == ""), cursor != "" && !known && resync != Restart, known && at != n:
			t.Errorf("%q begins at %d, %q", cursor, at, resync)
		}
		batch, _ := source.take("p", &at)
		if resync == "" && len(batch.Changes) != told-int(n) {
			t.Errorf("behind %q there are %d changes", cursor, len(batch.Changes))
		}
	})
}
