package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Session says who a key is. Whoever asks with a key has no session: those are for
// browsers.
type Session struct {
	Project string   `json:"project"`
	Scopes  []string `json:"scopes"`
	Agents  []string `json:"agents"` // ids of those that the key is for; nil = all
	Key     struct {
		ID        string     `json:"id"`
		Name      string     `json:"name"`
		ExpiresAt *time.Time `json:"expires_at"`
	} `json:"key"`
}

// SessionLink is an address that signs a browser in, once.
type SessionLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Sessions are those of browsers that have signed in.
type Sessions struct{ c *Client }

// Get says who this client's key is.
func (s *Sessions) Get(ctx context.Context) (who Session, err error) {
	err = s.c.do(ctx, call{method: http.MethodGet, path: "/v1/session", into: &who})
	return who, err
}

// Link makes an address that signs a browser in as this client's key, once and within
// a quarter of an hour. It begins with the client's own address where the server
// knows none that others see it under. It needs the scope admin.
func (s *Sessions) Link(ctx context.Context) (link SessionLink, err error) {
	err = s.c.do(ctx, call{method: http.MethodPost, path: "/v1/session/links", into: &link})
	if err != nil {
		return link, err
	}
	base, err := url.Parse(s.c.base)
	if err != nil {
		return link, fmt.Errorf("reading the address of the server: %w", err)
	}
	whole, err := base.Parse(link.URL)
	if err != nil {
		return link, fmt.Errorf("reading the address of the page: %w", err)
	}
	link.URL = whole.String()
	return link, nil
}
