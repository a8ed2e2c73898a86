package yao

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// The API keys of this API's settings page are keys like any other: they are in
// GET /v1/keys, too. Which of them were made here is in one row of their project.

const (
	settingKind = "setting"  // of rows
	keysSetting = "api-keys" // the row that lists them
	// maxKeys is how many of them may be in force at once: as many as the original has.
	maxKeys = 5
)

// keyList is what the row says.
type keyList struct {
	Keys []string `json:"keys"` // ids, oldest first

	version int64 // of the row; 0 = there is none yet
}

// keyBody is a key as this API shows it. The secret is there once, in the answer
// that makes it.
type keyBody struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"key_prefix"`
	Status    string     `json:"status"` // active, expired
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	Key       string     `json:"key,omitempty"`
}

type keysBody struct {
	Data []keyBody `json:"data"`
}

func (a *API) showKey(k *auth.Key, secret string) keyBody {
	shown := keyBody{ID: k.ID, Name: k.Name, Prefix: k.Prefix, Status: "active", CreatedAt: k.Created.UTC(), Key: secret}
	if !k.Expires.IsZero() {
		at := k.Expires.UTC()
		shown.ExpiresAt = &at
	}
	if !k.Live(a.cfg.Now()) {
		shown.Status = "expired" // those that were deleted are not shown
	}
	return shown
}

// keysMade returns the keys that were made here and not deleted.
func (a *API) keysMade(ctx context.Context, project string) (keyList, []auth.Key, error) {
	var list keyList
	row, err := a.cfg.Rows.Row(ctx, settingKind, project, keysSetting)
	switch {
	case problem.Is(err, problem.NotFound):
		return list, nil, nil
	case err == nil:
		err = json.Unmarshal(row.Data, &list)
	}
	if err != nil {
		return list, nil, fmt.Errorf("reading which keys were made: %w", err)
	}
	list.version = row.Version
	all, err := a.cfg.Keys.List(ctx, project)
	return list, slices.DeleteFunc(all, func(k auth.Key) bool {
		return !k.Revoked.IsZero() || !slices.Contains(list.Keys, k.ID)
	}), err
}

func (a *API) listKeys(ctx context.Context, r *wire.Request) (wire.Response, error) {
	_, made, err := a.keysMade(ctx, r.Caller.Project)
	if err != nil {
		return wire.Response{}, err
	}
	body := keysBody{Data: make([]keyBody, len(made))}
	for i := range made {
		body.Data[i] = a.showKey(&made[i], "")
	}
	return wire.OK(body), nil
}

type keyIn struct {
	Name      *string `json:"name"`
	ExpiresAt *string `json:"expires_at"`
}

func (a *API) createKey(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in keyIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	var draft auth.Draft
	if in.Name != nil {
		draft.Name = *in.Name
	}
	if in.ExpiresAt != nil && *in.ExpiresAt != "" {
		var err error
		if draft.Expires, err = time.Parse(time.RFC3339, *in.ExpiresAt); err != nil {
			return wire.Response{}, problem.Invalid("expires_at", "must be a time such as 2027-01-31T00:00:00Z, or null for a key that does not expire")
		}
	}
	for {
		answer, err := a.issue(ctx, r, draft)
		if conflict := (*run.RowConflict)(nil); !errors.As(err, &conflict) || conflict.Kind != settingKind {
			return answer, err
		} // another one was made meanwhile: count again
	}
}

// issue makes a key if there is room for one more.
func (a *API) issue(ctx context.Context, r *wire.Request, draft auth.Draft) (answer wire.Response, err error) {
	list, made, err := a.keysMade(ctx, r.Caller.Project)
	if err != nil {
		return answer, err
	}
	now, live := a.cfg.Now(), []string{}
	for i := range made {
		if made[i].Live(now) {
			live = append(live, made[i].ID)
		}
	}
	if len(live) >= maxKeys {
		return answer, problem.New(problem.InvalidRequest, "There are %d keys in force already, which is the most that there can be: delete one first.", maxKeys)
	}
	_, err = a.cfg.Keys.Create(ctx, r.Caller, draft, func(issued auth.Issued) ([]run.RowWrite, error) {
		answer = wire.Response{Status: http.StatusCreated, Body: a.showKey(&issued.Key, issued.Secret)}
		rows, err := r.Remember(answer)
		if err != nil {
			return nil, err
		}
		ids := []string{}
		for i := range made {
			ids = append(ids, made[i].ID)
		}
		data, err := json.Marshal(keyList{Keys: append(ids, issued.ID)})
		return append(rows, run.RowWrite{Expect: list.version, Row: run.Row{
			Kind: settingKind, Project: r.Caller.Project, ID: keysSetting, Created: now.UTC(), Data: data,
		}}), err
	})
	return answer, err
}

// madeHere returns nil for a key of this API's own, and not_found for any other.
func (a *API) madeHere(ctx context.Context, r *wire.Request) error {
	_, made, err := a.keysMade(ctx, r.Caller.Project)
	if err == nil && !slices.ContainsFunc(made, func(k auth.Key) bool { return k.ID == r.Path("key") }) {
		err = problem.New(problem.NotFound, "There is no API key %.80q here: GET /v1/setting/api-keys lists them.", r.Path("key"))
	}
	return err
}

func (a *API) renewKey(ctx context.Context, r *wire.Request) (answer wire.Response, err error) {
	if err := a.madeHere(ctx, r); err != nil {
		return answer, err
	}
	_, err = a.cfg.Keys.Renew(ctx, r.Caller, r.Path("key"), func(issued auth.Issued) ([]run.RowWrite, error) {
		answer = wire.OK(a.showKey(&issued.Key, issued.Secret))
		return r.Remember(answer)
	})
	return answer, err
}

// deletedKey says that a key is gone.
type deletedKey struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}

func (a *API) deleteKey(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := a.madeHere(ctx, r); err != nil {
		return wire.Response{}, err
	}
	gone, err := a.cfg.Keys.Revoke(ctx, r.Caller.Project, r.Path("key"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedKey{ID: gone.ID, Deleted: true}), nil
}
