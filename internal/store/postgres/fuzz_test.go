package postgres

import (
	"fmt"
	"testing"

	"errand/internal/run"
)

// FuzzHear: whoever may speak on the database's channel can make this node look at runs,
// and nothing else: a payload is heard up to where it makes no sense.
func FuzzHear(f *testing.F) {
	const id = "0192f3a4b5c6000112345678deadbeef"
	for _, seed := range []string{"other " + id + ":7", "self " + id + ":7", "other " + id + ":7," + id + ":8", "other " + id + ":-1", "other " + id + ":9223372036854775808", "other", "", " ", "other ,", "other " + id, "other x:1", "other *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		said := "other "
		h := &herald{self: "self", heard: func(id run.ID, seq int64) { said += fmt.Sprintf("%s:%d,", id, seq) }, missed: func() {}}
		if err := h.hearNews(payload); err != nil || len(said) == len("other ") {
			return
		}
		was := said
		said = "other "
		if err := h.hearNews(was[:len(was)-1]); err != nil || said != was {
			t.Errorf("%q was heard as %q, which is heard as %q: %v", payload, was, said, err)
		}
	})
}
