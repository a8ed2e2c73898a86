package auth_test

import (
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// opens tries a text as everything that this package takes from a request.
func (d *desk) opens(t *testing.T, text string) {
	t.Helper()
	if caller, err := d.Authenticate(t.Context(), text); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("%q is a secret of %s (%v)", text, caller.KeyID, err)
	}
	if caller, err := d.Session(t.Context(), text, true); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("%q is a session of %s (%v)", text, caller.KeyID, err)
	}
	if opened, err := d.SignInByLink(t.Context(), text, nil); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("%q is a link of %s (%v)", text, opened.Caller.KeyID, err)
	}
}

// TestStoredFormsOpenNothing: whoever reads the database, or a copy of it, has nothing
// to send, also while what is stored is in use.
func TestStoredFormsOpenNothing(t *testing.T) {
	d := newDesk(t)
	d.StoreLinks()
	made := d.issue(t, auth.Draft{Name: "ada"})
	opened := d.signIn(t, made.Secret)
	if _, _, err := d.Link(t.Context(), &opened.Caller); err != nil {
		t.Fatal(err)
	}
	d.wantSignedIn(t, opened.Token)
	tried := 0
	for _, kind := range []string{"key", "session", "sign_link"} {
		rows, err := d.rows.Rows(t.Context(), run.RowQuery{Kind: kind, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			for _, text := range append(regexp.MustCompile(`[A-Za-z0-9_-]{8,}`).FindAllString(string(row.Data), -1), row.ID, row.Name) {
				d.opens(t, text)
				tried++
			}
		}
	}
	if tried < 10 {
		t.Errorf("only %d texts were tried: have the kinds of rows other names?", tried)
	}
	d.wantSignedIn(t, opened.Token)
}

// FuzzSecret holds the form of a secret to its description, sk_live_<32>_<CRC-32 in
// base 62>, and to this: no text but those that were made opens anything.
func FuzzSecret(f *testing.F) {
	for _, seed := range []string{
		"", "sk_live_", "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV_000000", "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTUV_3kZfXs", "sk_live_0123456789ABCDEFGHIJKLMNOPQRSTU\x00_3kZfXs",
		" " + adminSecret, adminSecret + "\n", strings.ToUpper(adminSecret), "errand session\x00", "Bearer sk_live_", "nobody's", "\xff",
	} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^sk_live_[\s\S]{32}_[0-9A-Za-z]{6}$`)
	f.Fuzz(func(t *testing.T, text string) {
		want := form.MatchString(text) && len(text) == 47
		if want {
			sum, base := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text[:40])))), ""
			for _, digit := range sum.Text(62) { // which has the small letters first
				switch {
				case digit >= 'a' && digit <= 'z':
					digit += 'A' - 'a'
				case digit >= 'A' && digit <= 'Z':
					digit += 'a' - 'A'
				}
				base += string(digit)
			}
			want = text[41:] == strings.Repeat("0", 6-len(base))+base
		}
		if got := auth.LooksIssued(text); got != want {
			t.Errorf("%q looks issued: %v, want %v", text, got, want)
		}
		if text == adminSecret {
			return
		}
		d := newDesk(t)
		d.opens(t, text)
	})
}
