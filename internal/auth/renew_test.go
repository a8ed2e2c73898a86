package auth_test

import (
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// A renewed key keeps all but its secret; the old one opens nothing at once.
func TestRenew(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	store := memory.New(memory.Config{Now: func() time.Time { return now }})
	defer store.Close()
	book := auth.NewBook(store, func() time.Time { return now })
	maker := auth.Caller{Project: auth.DefaultProject, KeyID: "key_1", Scopes: []string{"admin"}}
	made, err := book.Create(t.Context(), maker, auth.Draft{Name: "ci", Expires: now.Add(time.Hour)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Authenticate(t.Context(), made.Secret); err != nil {
		t.Fatal(err)
	}
	told := ""
	renewed, err := book.Renew(t.Context(), maker, made.ID, func(i auth.Issued) ([]run.RowWrite, error) {
		told = i.Secret
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if renewed.ID != made.ID || renewed.Name != "ci" || !renewed.Expires.Equal(made.Expires) || renewed.Secret == made.Secret || told != renewed.Secret {
		t.Errorf("renewed: %+v", renewed)
	}
	if _, err := book.Authenticate(t.Context(), made.Secret); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("the old secret: %v", err)
	}
	caller, err := book.Authenticate(t.Context(), renewed.Secret)
	if err != nil || caller.KeyID != made.ID {
		t.Errorf("the new secret: %+v, %v", caller, err)
	}

	other := maker
	other.Project = "other"
	if _, err := book.Renew(t.Context(), other, made.ID, nil); !problem.Is(err, problem.NotFound) {
		t.Errorf("from another project: %v", err)
	}
	weak := maker
	weak.Scopes = []string{"keys:write"}
	if _, err := book.Renew(t.Context(), weak, made.ID, nil); !problem.Is(err, problem.ScopeDenied) {
		t.Errorf("by a key that has less: %v", err)
	}
	now = now.Add(2 * time.Hour)
	if _, err := book.Renew(t.Context(), maker, made.ID, nil); !problem.Is(err, problem.Conflict) {
		t.Errorf("after it has expired: %v", err)
	}
}
