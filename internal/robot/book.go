package robot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Kind is the kind of row that holds robots: its id is the member_id and its name
// the display_name.
const Kind = "robot"

// Rows reads stored objects; a store has these methods.
type Rows interface {
	// Row returns the row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// RowByName returns the row with this name, or a not_found problem.
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	// Rows lists rows in the query's order.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}

// Box seals secrets. seal.Box is one.
type Box interface {
	Seal(plain []byte, context string) []byte
	Open(sealed []byte, context string) ([]byte, error)
}

// Book finds robots, and makes the rows that change them. Both fields must be set.
type Book struct {
	Rows Rows
	Box  Box
}

// Find returns the robot with this member_id or display_name, or a not_found
// problem.
func (b *Book) Find(ctx context.Context, project, id string) (Robot, error) {
	row, err := b.Rows.Row(ctx, Kind, project, id)
	if problem.Is(err, problem.NotFound) {
		row, err = b.Rows.RowByName(ctx, Kind, project, id)
	}
	if problem.Is(err, problem.NotFound) {
		return Robot{}, problem.New(problem.NotFound, "There is no robot %q in this project: GET /v1/agent/robots lists them.", id)
	}
	if err != nil {
		return Robot{}, fmt.Errorf("finding robot %q: %w", id, err)
	}
	return decode(&row)
}

// List returns up to limit robots in order of member_id, behind the one with id
// after; empty = from the first.
func (b *Book) List(ctx context.Context, project, after string, limit int) ([]Robot, error) {
	rows, err := b.Rows.Rows(ctx, run.RowQuery{Kind: Kind, Project: project, After: after, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("listing robots: %w", err)
	}
	robots := make([]Robot, len(rows))
	for i := range rows {
		if robots[i], err = decode(&rows[i]); err != nil {
			return nil, err
		}
	}
	return robots, nil
}

func decode(row *run.Row) (Robot, error) {
	r := Robot{version: row.Version}
	if err := json.Unmarshal(row.Data, &r); err != nil {
		return r, fmt.Errorf("decoding robot %s: %w", row.ID, err)
	}
	return r, nil
}

// Create returns a new robot and the rows that hold it. The commit fails with a
// *run.RowConflict when the member_id is taken, and with one whose Name is true
// when the display_name is.
func (b *Book) Create(project, id, by string, p Profile, at time.Time) (Robot, []run.RowWrite, error) {
	at = at.UTC().Truncate(time.Millisecond)
	r := Robot{ID: id, CreatedAt: at, UpdatedAt: at, UpdatedBy: by}
	r.Keyring = map[string][]byte{ownSecret: b.Box.Seal([]byte(newSecret()), sealedFor(project, id, ownSecret))}
	return b.change(project, r, p)
}

// Change returns the robot with a new profile and the rows that hold it. The
// commit fails with a *run.RowConflict when someone else has changed it meanwhile.
func (b *Book) Change(project, by string, r Robot, p Profile, at time.Time) (Robot, []run.RowWrite, error) {
	r.UpdatedBy, r.UpdatedAt = by, at.UTC().Truncate(time.Millisecond)
	return b.change(project, r, p)
}

// Delete returns the rows that remove the robot, unless someone has changed it
// meanwhile. Its executions stay.
func (b *Book) Delete(project string, r Robot) []run.RowWrite {
	row := run.Row{Kind: Kind, Project: project, ID: r.ID}
	return []run.RowWrite{{Row: row, Expect: r.version, Delete: true}}
}

func (b *Book) change(project string, r Robot, p Profile) (Robot, []run.RowWrite, error) {
	r.Profile = p.withDefaults()
	b.lockUp(project, &r)
	data, err := json.Marshal(r)
	if err != nil {
		return r, nil, fmt.Errorf("encoding robot %s: %w", r.ID, err)
	}
	row := run.Row{Kind: Kind, Project: project, ID: r.ID, Name: r.DisplayName, Created: r.CreatedAt, Data: data}
	write := run.RowWrite{Row: row, Expect: r.version} // 0, MustNotExist, for a new one
	r.version++
	return r, []run.RowWrite{write}, nil
}

// ownSecret is what the robot's own secret is called in its keyring.
const ownSecret = "own"

// SecretPrefix tells a secret that this server has made and that signs from other
// ones, as for webhooks: what follows is the key in base64.
const SecretPrefix = "whsec_"

func newSecret() string {
	var random [32]byte         // as much as SHA-256 can use
	_, _ = rand.Read(random[:]) // it never fails: the process ends instead
	return SecretPrefix + base64.StdEncoding.EncodeToString(random[:])
}

func sealedFor(project, id, what string) string { return "robot:" + project + ":" + id + ":" + what }

// lockUp moves the secrets of a profile into the keyring, which keeps those of
// targets that stay and forgets the others'. What says nothing is not
// stored. The profile that the caller has is not changed.
func (b *Book) lockUp(project string, r *Robot) {
	ring := map[string][]byte{ownSecret: r.Keyring[ownSecret]}
	keep := func(what, secret string) {
		if secret != "" {
			ring[what] = b.Box.Seal([]byte(secret), sealedFor(project, r.ID, what))
		} else if len(r.Keyring[what]) > 0 {
			ring[what] = r.Keyring[what]
		}
	}
	c := &r.Config
	c.Integrations, c.KB, c.DB = nil, nil, nil // Check has let nothing else pass
	if c.Delivery != nil {
		delivery := *c.Delivery
		delivery.Process = nil
		c.Delivery = &delivery
	}
	if c.Delivery != nil && c.Delivery.Webhook != nil {
		webhook := *c.Delivery.Webhook
		webhook.Targets = slices.Clone(webhook.Targets)
		for i := range webhook.Targets {
			keep(webhook.Targets[i].URL, webhook.Targets[i].Secret)
			webhook.Targets[i].Secret = ""
		}
		c.Delivery.Webhook = &webhook
	}
	r.Keyring = ring
}

// Secret is the robot's own secret: it signs its events, and what goes to webhook
// targets that have none of their own.
func (b *Book) Secret(project string, r *Robot) (string, error) {
	return b.secret(project, r, ownSecret)
}

// Rotate gives the robot a new secret of its own; the rows of a Change that
// follows hold it.
func (b *Book) Rotate(project string, r Robot) (Robot, string) {
	secret := newSecret()
	r.Keyring = maps.Clone(r.Keyring)
	if r.Keyring == nil {
		r.Keyring = map[string][]byte{}
	}
	r.Keyring[ownSecret] = b.Box.Seal([]byte(secret), sealedFor(project, r.ID, ownSecret))
	return r, secret
}

// secret opens that of a webhook target, or the robot's own where it has none.
func (b *Book) secret(project string, r *Robot, what string) (string, error) {
	if len(r.Keyring[what]) == 0 {
		what = ownSecret
	}
	plain, err := b.Box.Open(r.Keyring[what], sealedFor(project, r.ID, what))
	if err != nil {
		return "", fmt.Errorf("opening a secret of robot %s: %w", r.ID, err)
	}
	return string(plain), nil
}

// NewID makes a member_id: 12 digits, as the API document's.
func NewID() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprint(n.Int64() + 100_000_000_000), nil
}
