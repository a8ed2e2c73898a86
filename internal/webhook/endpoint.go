package webhook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Own is the id under which a project's deliveries to URLs of single runs stand,
// and the secret that signs them.
const Own = "default"

// Kinds of rows.
const (
	endpointKind = "webhook"
	ownKind      = "webhook_own"      // a project's secret for URLs of single runs
	projectKind  = "webhook_project"  // a project that has had an endpoint: the server's
	markerKind   = "webhook_marker"   // how far a run's log has been told
	deliveryKind = "webhook_delivery" // what was, or is to be, sent
)

// Status is how an endpoint is.
type Status string

const (
	Enabled  Status = "enabled"
	Paused   Status = "paused"   // it has failed too often, and is asked less
	Disabled Status = "disabled" // it has said that it wants no more
)

// overlap is how long the secret before the last rotation still signs: the
// native API document's.
const overlap = 24 * time.Hour

// secretBytes is the length of a secret: as much as SHA-256 can use.
const secretBytes = 32

// secretPrefix tells a webhook's secret from other ones, by sight and for scanners.
const secretPrefix = "whsec_"

// Endpoint is who wants to be told. Its secrets are sealed.
type Endpoint struct {
	ID          string    `json:"-"`
	Created     time.Time `json:"-"`
	URL         string    `json:"url,omitempty"`
	Events      []string  `json:"events,omitempty"`
	Description string    `json:"description,omitempty"`
	Status      Status    `json:"status"`
	Why         string    `json:"why,omitempty"` // it is not enabled
	Failures    int       `json:"failures,omitempty"`
	Probe       time.Time `json:"probe,omitzero"` // when a paused one may be asked again
	Secret      []byte    `json:"secret"`
	Before      []byte    `json:"before,omitempty"` // the secret before this one
	Until       time.Time `json:"until,omitzero"`   // when Before stops to sign

	version int64
}

// New is an endpoint to be registered.
type New struct {
	URL, Description string
	Events           []string
}

const (
	maxURL         = 2048
	maxDescription = 500
)

// check returns what is wrong, by field. An address that stays, at, is not looked at
// again: each attempt does that, and a change of the events must not fail by it.
func (h *Hub) check(n *New, at string) error {
	faults := map[string]string{}
	if n.URL != at || at == "" {
		if err := h.CheckURL(n.URL); err != nil {
			faults["url"] = problem.From(err).Fields["url"]
		}
	}
	if len(n.Description) > maxDescription {
		faults["description"] = fmt.Sprintf("is too long: at most %d bytes.", maxDescription)
	}
	if len(n.Events) == 0 {
		faults["events"] = `name at least one event, or "*" for all: ` + strings.Join(Events(), ", ") + "."
	}
	for i, event := range n.Events {
		if slices.Contains(Events(), event) {
			continue
		}
		hint := "this server sends " + strings.Join(Events()[:4], ", ") + ", and all of them for \"*\"."
		if near := problem.Nearest(event, Events()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		faults[fmt.Sprintf("events[%d]", i)] = fmt.Sprintf("%q is not sent: %s", event, hint)
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return invalid
	}
	return nil
}

// CheckURL reports what is wrong with a URL that is to be told something, as an
// invalid_request about the field url: it must be https, or lead to an address
// that the operator has allowed.
func (h *Hub) CheckURL(text string) error {
	if len(text) > maxURL {
		return problem.Invalid("url", "is too long: at most %d bytes.", maxURL)
	}
	if _, err := h.cfg.Guard.CheckSecure(text); err != nil {
		said := err.Error()
		if denied := problem.From(err); denied.Code == problem.EgressDenied {
			said = denied.Detail
		}
		return problem.Invalid("url", "%s", strings.TrimSuffix(said, ".")+".")
	}
	return nil
}

// newSecret returns a secret and its sealed form.
func (h *Hub) newSecret(project, id string) (string, []byte) {
	var random [secretBytes]byte
	_, _ = rand.Read(random[:]) // it never fails: the process ends instead
	secret := secretPrefix + base64.StdEncoding.EncodeToString(random[:])
	return secret, h.cfg.Box.Seal([]byte(secret), sealedFor(project, id))
}

func sealedFor(project, id string) string { return "webhook:" + project + ":" + id }

// secrets are those that sign at this time, the newest first.
func (h *Hub) secrets(project string, e *Endpoint) ([]string, error) {
	sealed := [][]byte{e.Secret}
	if len(e.Before) > 0 && h.cfg.Now().Before(e.Until) {
		sealed = append(sealed, e.Before)
	}
	var found []string
	for i, one := range sealed {
		secret, err := h.cfg.Box.Open(one, sealedFor(project, e.ID))
		if err != nil && i > 0 {
			break // a rotation is how a secret is replaced that can't be opened any more
		}
		if err != nil {
			return nil, problem.New(problem.Conflict, "The secret of webhook %s can't be opened: it was sealed with another seal.key than the one in the data directory. "+
				"Put that one back and restart the server, or have a new secret made with POST /v1/webhooks/%s/rotate.", e.ID, e.ID).Because(err)
		}
		found = append(found, string(secret))
	}
	return found, nil
}

// rotate gives the endpoint a new secret; the one that it had signs for a while.
func (h *Hub) rotate(project string, e *Endpoint) (secret string) {
	e.Before, e.Until = e.Secret, h.cfg.Now().Add(overlap)
	secret, e.Secret = h.newSecret(project, e.ID)
	return secret
}

// find returns an endpoint, or not_found.
func (h *Hub) find(ctx context.Context, project, id string) (Endpoint, error) {
	kind := endpointKind
	if id == Own {
		kind = ownKind
	}
	row, err := h.cfg.Rows.Row(ctx, kind, project, id)
	if err != nil {
		return Endpoint{}, err
	}
	return readEndpoint(&row)
}

func readEndpoint(row *run.Row) (Endpoint, error) {
	e := Endpoint{ID: row.ID, Created: row.Created, version: row.Version}
	if err := json.Unmarshal(row.Data, &e); err != nil {
		return e, fmt.Errorf("reading webhook %s: %w", row.ID, err)
	}
	return e, nil
}

// write is what stores the endpoint in place of the version that was read; a new
// one has none. The URL is its name, so that it can't be there twice.
func (e *Endpoint) write(project string) (run.RowWrite, error) {
	data, err := json.Marshal(e)
	kind := endpointKind
	if e.ID == Own {
		kind = ownKind
	}
	return run.RowWrite{
		Row:    run.Row{Kind: kind, Project: project, ID: e.ID, Name: e.URL, Created: e.Created, Data: data},
		Expect: e.version,
	}, err
}
