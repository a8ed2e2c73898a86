package canary

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/e2e/rig"
	"errand/internal/secret"
)

// cage has the canaries, and everyone outside whom the server speaks to.
type cage struct {
	*httptest.Server
	mu      sync.Mutex
	birds   map[string]string // secrets, by what they are
	arrived map[string]bool   // those that came where they belong
	heard   strings.Builder   // all else that the server has said to others
	signed  []string          // "signature\nbody" of deliveries
}

// bird is a secret that looks different in every encoding.
func bird(name string) string { return "k+" + name + "/9f2c&7=" + strings.Repeat("z", 9) }

func newCage(t *testing.T, w *rig.World) *cage {
	t.Helper()
	c := &cage{birds: map[string]string{}, arrived: map[string]bool{}}
	for _, name := range []string{"admin", "provider", "smtp", "searxng", "collector", "tool", "filetool", "token", "header", "query", "refused", "target", "verify"} {
		c.birds[name] = bird(name)
	}
	model, err := url.Parse(w.Model.URL)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(model)
	behind.FlushInterval = -1
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/", func(rw http.ResponseWriter, r *http.Request) { c.model(rw, r, behind) })
	mux.HandleFunc("/tool/", c.tool)
	mux.HandleFunc("/searx/search", func(rw http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		c.came("searxng", password)
		_, _ = io.WriteString(rw, `{"results":[{"url":"https://example.com/","title":"A page","content":"With words."}]}`)
	})
	mux.HandleFunc("/v1/traces", func(_ http.ResponseWriter, r *http.Request) {
		c.came("collector", r.Header.Get("Api-Key"))
		c.hears(r)
	})
	mux.HandleFunc("/hook/", func(_ http.ResponseWriter, r *http.Request) {
		body := c.hears(r)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.signed = append(c.signed, r.Header.Get("Mynd-Signature")+"\n"+body)
	})
	mux.Handle("/mcp", c.remote())
	c.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		c.CloseClientConnections()
		c.Close()
	})
	return c
}

// keep is told of a secret that the server has made.
func (c *cage) keep(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.birds[name] = value
}

// proves notes whether a secret did what it is for.
func (c *cage) proves(name string, did bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived[name] = did
}

func (c *cage) proven(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.arrived[name]
}

// came notes that a secret is where it belongs.
func (c *cage) came(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived[name] = c.arrived[name] || strings.TrimPrefix(value, "Bearer ") == c.birds[name]
}

// hears keeps a body to be searched.
func (c *cage) hears(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard.Write(body)
	c.heard.WriteByte('\n')
	return string(body)
}

// quote is what a careless program answers: its request's secrets in every form.
func (c *cage) quote(names ...string) string {
	var text []string
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		text = append(text, forms(c.birds[name])...)
	}
	return strings.Join(text, " ")
}

// forms are the encodings in which a secret is looked for. Hex is the one that the
// server does not cut out of what others quote, so nobody quotes it here.
func forms(value string) []string { return secret.Forms(value) }

func (c *cage) model(rw http.ResponseWriter, r *http.Request, behind http.Handler) {
	c.came("provider", r.Header.Get("Authorization"))
	body := c.hears(r)
	var asked rig.Conversation
	if json.Unmarshal([]byte(body), &asked) == nil {
		switch prompt := asked.Prompt(); {
		case strings.HasPrefix(prompt, "refused"):
			rw.WriteHeader(http.StatusUnauthorized)
			said, _ := json.Marshal(map[string]any{"error": map[string]string{"message": "Incorrect API key: " + c.quote("provider")}}) // texts always have a JSON form
			_, _ = rw.Write(said)
			return
		case strings.HasPrefix(prompt, "broken"):
			rw.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(rw, "not JSON: "+c.quote("provider"))
			return
		}
	}
	r.Body = io.NopCloser(strings.NewReader(body))
	behind.ServeHTTP(rw, r)
}

func (c *cage) tool(rw http.ResponseWriter, r *http.Request) {
	c.came("tool", r.Header.Get("X-Token"))
	c.came("filetool", r.Header.Get("X-File"))
	c.hears(r)
	switch {
	case strings.HasSuffix(r.URL.Path, "broken"):
		rw.WriteHeader(http.StatusInternalServerError)
	case strings.HasSuffix(r.URL.Path, "denied"):
		rw.WriteHeader(http.StatusForbidden)
	}
	if r.Header.Get("X-File") != "" {
		_, _ = io.WriteString(rw, c.quote("filetool"))
		return
	}
	_, _ = io.WriteString(rw, c.quote("tool"))
}

// remote is an MCP server that quotes what it was called with.
func (c *cage) remote() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "desk"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look", Description: "Looks."}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: c.quote("token", "header", "query")}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "fail", Description: "Fails."}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New(c.quote("token", "header", "query"))
	})
	next := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c.came("token", r.Header.Get("Authorization"))
		c.came("header", r.Header.Get("X-Desk"))
		c.came("query", r.URL.Query().Get("key"))
		next.ServeHTTP(rw, r)
	})
}

// signs reports whether a delivery was signed with this secret.
func (c *cage) signs(value string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.signed {
		head, body, _ := strings.Cut(d, "\n")
		stamp, _, _ := strings.Cut(strings.TrimPrefix(head, "t="), ",")
		hash := hmac.New(sha256.New, []byte(value))
		_, _ = io.WriteString(hash, stamp+"."+body)
		if head == "t="+stamp+",v1="+hex.EncodeToString(hash.Sum(nil)) {
			return true
		}
	}
	return false
}

// post is a mail server that wants a password.
type post struct{ c *cage }

func (c *cage) post(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return post{c}, nil }))
	server.Domain, server.AllowInsecureAuth = "localhost", true
	server.ErrorLog = log.New(io.Discard, "", 0)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // ends with Close
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return "smtp://" + url.UserPassword("clerk", c.birds["smtp"]).String() + "@" + listener.Addr().String()
}

func (p post) AuthMechanisms() []string { return []string{sasl.Plain} }

func (p post) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		p.c.came("smtp", password)
		return nil
	}), nil
}

func (p post) Mail(string, *smtp.MailOptions) error { return nil }
func (p post) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, Message: "no such box; your password was " + p.c.quote("smtp")}
	}
	return nil
}
func (p post) Data(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
func (p post) Reset()                 {}
func (p post) Logout() error          { return nil }
