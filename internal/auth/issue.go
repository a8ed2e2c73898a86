package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	maxNameRunes = 100       // one line of a list
	pageSize     = 200       // rows read at once
	maxLimit     = 1_000_000 // of a key: more is no limit
)

var projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

const projectRule = "a project's name is 1 to 63 lower-case letters, digits, - and _, and begins with a letter or digit"

// Draft is a key as its maker wants it.
type Draft struct {
	Name    string    // required
	Scopes  []string  // nil = DefaultScopes, as far as the maker has them
	Project string    // empty = the maker's own; another one needs admin, and is made when new
	Agents  []string  // ids of the agents that it is for; nil = all
	Limits  Limits    // zero = those of the server
	Expires time.Time // zero = never
	Known   []string  // further scopes that may be granted: those that tools ask for
}

// Issued is a new key with its secret, which is never seen again.
type Issued struct {
	Key
	Secret string
}

// Create makes a key. The rows that also returns are written in the same
// transaction (a remembered answer); also may be nil. Errors: invalid_request
// (name, scopes[i], project, expires_at), scope_denied when the key would be
// granted more than its maker has, *run.RowConflict for a row of also.
func (b *Book) Create(ctx context.Context, maker Caller, draft Draft, also func(Issued) ([]run.RowWrite, error)) (Issued, error) {
	now := b.now()
	if err := b.check(&draft, maker, now); err != nil {
		return Issued{}, err
	}
	id := newKeyID(now)
	voice, err := b.voiceFor(ctx, maker, id)
	if err != nil {
		return Issued{}, err
	}
	secret := newSecret()
	issued := Issued{Secret: secret, Key: Key{
		ID: id, Name: draft.Name, Prefix: prefixOf(secret), Scopes: draft.Scopes, Voice: voice,
		Project: draft.Project, Agents: draft.Agents, Limits: draft.Limits, Expires: draft.Expires, Created: now.UTC().Truncate(time.Millisecond),
	}}
	row, err := rowOf(issued.Key, fingerprint(secret))
	if err != nil {
		return Issued{}, err
	}
	writes := []run.RowWrite{{Row: row, Expect: run.MustNotExist}}
	if also != nil {
		more, err := also(issued)
		if err != nil {
			return Issued{}, err
		}
		writes = append(writes, more...)
	}
	if err := b.write(ctx, issued.Project, run.Commit{Rows: writes, Audit: lineOf("key.created", &issued.Key)}); err != nil {
		return Issued{}, fmt.Errorf("creating a key: %w", err)
	}
	return issued, nil
}

// check completes the draft and holds it to the rules.
func (b *Book) check(draft *Draft, maker Caller, now time.Time) error {
	faults := map[string]string{}
	draft.Name = strings.TrimSpace(draft.Name)
	if n := utf8.RuneCountInString(draft.Name); n == 0 || n > maxNameRunes {
		faults["name"] = fmt.Sprintf("give the key a name of 1 to %d characters", maxNameRunes)
	} else if strings.ContainsFunc(draft.Name, run.Hidden) {
		// The trace says by this name who has approved what.
		faults["name"] = "must not contain control characters, nor any that can't be seen or that turn the text around"
	}
	if draft.Project = cmp.Or(draft.Project, maker.Project); !projectName.MatchString(draft.Project) {
		faults["project"] = projectRule
	}
	if !draft.Expires.IsZero() && !draft.Expires.After(now) {
		faults["expires_at"] = "this time has passed: name one that is still to come"
	}
	if draft.Limits.PerMinute < 0 || draft.Limits.PerMinute > maxLimit {
		faults["requests_per_minute"] = fmt.Sprintf("must be from 1 to %d, or left out for no limit of its own", maxLimit)
	}
	if draft.Limits.AtOnce < 0 || draft.Limits.AtOnce > maxLimit {
		faults["runs_at_once"] = fmt.Sprintf("must be from 1 to %d, or left out for no limit", maxLimit)
	}
	checkScopes(draft.Scopes, draft.Known, faults)
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return invalid
	}
	if draft.Project != maker.Project {
		if err := Allow(maker, "admin"); err != nil {
			return err
		}
	}
	if draft.Scopes == nil {
		draft.Scopes = slices.DeleteFunc(DefaultScopes(), func(scope string) bool { return Allow(maker, scope) != nil })
	}
	for _, scope := range draft.Scopes {
		if err := Allow(maker, scope); err != nil {
			return err
		}
	}
	return nil
}

// newKeyID makes an id that sorts by age.
func newKeyID(now time.Time) string {
	var tail [6]byte
	_, _ = rand.Read(tail[:])
	return fmt.Sprintf("key_%012x%s", now.UnixMilli(), hex.EncodeToString(tail[:]))
}

// write commits what is given together with the project, if that is new.
func (b *Book) write(ctx context.Context, project string, given run.Commit) error {
	for {
		commit := given
		switch owner, err := b.Project(ctx, project); {
		case problem.Is(err, problem.NotFound):
			commit.Rows = append(slices.Clip(given.Rows), b.newProject(project))
		case err != nil:
			return err
		case owner.Erasure != nil:
			return beingErased(project)
		default: // it must still be so when the key is written
			check := run.Row{Kind: projectKind, ID: project}
			commit.Rows = append(slices.Clip(given.Rows), run.RowWrite{Row: check, Expect: owner.version, Check: true})
		}
		err := b.rows.Append(ctx, commit)
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) && conflict.Kind == projectKind {
			continue // someone else has made the project meanwhile: it is there now
		}
		return err
	}
}

// lineOf is the line of the audit log for what was done to a key. Who did it, and
// when, is known at the edge.
func lineOf(action string, key *Key) []run.Audit {
	data, _ := json.Marshal(struct { // of strings and times: it is always encoded
		Name    string    `json:"name"`
		Scopes  []string  `json:"scopes"`
		Agents  []string  `json:"agents,omitempty"`
		Voice   string    `json:"voice,omitempty"` // where it is another key's
		Expires time.Time `json:"expires_at,omitzero"`
	}{key.Name, key.Scopes, key.Agents, key.borrowed(), key.Expires})
	return []run.Audit{{Project: key.Project, Action: action, Target: key.ID, Data: data}}
}

// List returns the project's keys, oldest first, revoked ones included.
func (b *Book) List(ctx context.Context, project string) ([]Key, error) {
	used, err := b.used(ctx)
	if err != nil {
		return nil, err
	}
	var keys []Key
	for after := ""; ; {
		page, err := b.rows.Rows(ctx, run.RowQuery{Kind: keyKind, After: after, Limit: pageSize})
		if err != nil {
			return nil, fmt.Errorf("listing keys: %w", err)
		}
		for _, row := range page {
			key, err := keyOf(row)
			if err != nil {
				return nil, err
			}
			if key.Used = used[key.ID]; key.Project == project {
				keys = append(keys, key)
			}
		}
		if len(page) < pageSize {
			slices.SortStableFunc(keys, func(a, b Key) int { return a.Created.Compare(b.Created) })
			return keys, nil
		}
		after = page[len(page)-1].ID
	}
}

// Revoke ends a key at once and returns it. Errors: not_found, also for a key of
// another project; conflict when it is revoked already.
func (b *Book) Revoke(ctx context.Context, project, id string) (Key, error) {
	for {
		row, err := b.rows.Row(ctx, keyKind, "", id)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return Key{}, fmt.Errorf("revoking a key: %w", err)
		}
		var key Key
		if err == nil {
			if key, err = keyOf(row); err != nil {
				return Key{}, err
			}
		}
		if key.ID == "" || key.Project != project {
			return Key{}, problem.New(problem.NotFound, "There is no key %q in this project: GET /v1/keys lists them.", id)
		}
		if !key.Revoked.IsZero() {
			return Key{}, problem.New(problem.Conflict, "The key %s has been revoked already.", id)
		}
		key.Revoked = b.now().UTC().Truncate(time.Millisecond)
		changed, err := rowOf(key, row.Name)
		if err != nil {
			return Key{}, err
		}
		err = b.rows.Append(ctx, run.Commit{
			Rows: []run.RowWrite{{Row: changed, Expect: row.Version}}, Audit: lineOf("key.revoked", &key),
		})
		b.forget() // also after an error: the write may have happened
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) {
			continue // changed meanwhile, perhaps revoked: look again
		}
		if err != nil {
			return Key{}, fmt.Errorf("revoking a key: %w", err)
		}
		return key, nil
	}
}
