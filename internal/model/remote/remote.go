// Package remote is what the clients of model providers have in common: the time
// limits of a call, the transport, the names of tools on the wire, the order of
// the parts of a reply, and what an error may say in public.
//
// What it promises: nothing that is quoted from a provider contains a secret of
// the endpoint; a name on the wire is legal at every provider and leads back to
// one tool; a wait is cut when its limit has passed, and the cut says which limit
// it was.
//
// A tour: remote.go (connections), watch.go (time limits), names.go (tool
// names), spans.go (the order of a reply's parts), failure.go (what a provider's
// error means), secret.go (what may be quoted), lesson.go (parameters that a
// model was found to refuse).
//
// To change how long a provider may take, edit watch.go; to read one more shape
// of error, edit failure.go.
package remote

import (
	"net"
	"net/http"
	"time"
)

// idlePerHost keeps the connections of a thousand parallel calls for the next
// thousand; net/http keeps two.
const idlePerHost = 1024

// connBuffer is the room that a connection has to read and to write: half of what
// net/http takes by itself, because every open stream has both. Heads fit, tokens
// are short, and what is longer goes around it.
const connBuffer = 2 << 10

// NewTransport returns a transport that is tuned for many calls at once. It
// speaks HTTP/1.1 only: with a connection for each call, a lost packet or a stuck
// connection holds up one stream and not a hundred.
func NewTransport(limits Timeouts) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: limits.Connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: limits.Connect,
		MaxIdleConnsPerHost: idlePerHost,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      connBuffer,
		WriteBufferSize:     connBuffer,
		DisableCompression:  true, // gzip would hold tokens back and cost CPU on both sides
	}
}
