// Package post takes what robots deliver to other servers: one signed request, and
// what came of it.
//
// It promises that a request goes only where the operator lets requests go, is
// signed as all webhooks of this server are, follows no redirect, and has an answer
// within ten seconds. It keeps nothing and tries nothing again: that is the
// courier's, in internal/robot.
//
// To change how a request looks, edit this file; how it is signed, sign.go.
package post

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/robot"
)

// attemptTime is how long a receiver may take to answer, as for webhooks.
const attemptTime = 10 * time.Second

// Poster sends a request. An http.Client is one.
type Poster interface {
	Do(request *http.Request) (*http.Response, error)
}

// Config is what an Office needs. Guard and Now must be set.
type Config struct {
	Guard *egress.Guard
	Now   func() time.Time
	Agent string // User-Agent
	// Client returns what calls the URLs; open is for http, which leads only to
	// what the operator has allowed. Nil = clients of Guard.
	Client func(open bool) Poster
}

// Office makes the requests. Make one with New.
type Office struct {
	cfg        Config
	https, own Poster // own is for http
}

// New returns an Office.
func New(cfg Config) *Office {
	if cfg.Client == nil {
		cfg.Client = func(open bool) Poster {
			return cfg.Guard.Client(egress.Options{Timeout: attemptTime, MaxBody: 1 << 10, Holes: open})
		}
	}
	return &Office{cfg: cfg, https: cfg.Client(false), own: cfg.Client(true)}
}

// Call makes one request.
func (o *Office) Call(ctx context.Context, n robot.Notice) robot.Answer {
	address, err := o.cfg.Guard.CheckSecure(n.URL) // what is allowed may have changed since it was saved
	if err != nil {
		return robot.Answer{Fault: problem.From(err).Detail}
	}
	bounded, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodPost, address.String(), bytes.NewReader(n.Body))
	if err != nil {
		return robot.Answer{Fault: "The URL can't be called."}
	}
	for name, value := range n.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", o.cfg.Agent)
	sign(request.Header, &n, o.cfg.Now())
	client := o.https
	if address.Scheme == "http" {
		client = o.own
	}
	response, err := client.Do(request)
	if err != nil {
		return robot.Answer{Fault: egress.Unreached(bounded, err, attemptTime)}
	}
	_ = response.Body.Close() // whatever it says beside its status
	return judge(response, o.cfg.Now())
}

// judge is what a receiver's answer says.
func judge(response *http.Response, now time.Time) robot.Answer {
	code := response.StatusCode
	a := robot.Answer{Fault: fmt.Sprintf("It answered %d.", code), Gone: code == http.StatusGone}
	if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
		a.After = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(response.Header.Get("Retry-After")); err == nil {
		a.After = max(0, at.Sub(now)) // a time that has passed is now
	}
	switch {
	case code >= 200 && code < 300:
		return robot.Answer{}
	case code >= 300 && code < 400:
		a.Fault = fmt.Sprintf("It answered %d: redirects are not followed.", code)
	}
	return a
}
