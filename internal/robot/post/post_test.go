package post_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/internal/egress"
	"errand/internal/robot"
	"errand/internal/robot/post"
)

var at = time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)

// receiver is whoever is called.
type receiver struct {
	request *http.Request
	body    string
	code    int
	header  http.Header
	err     error
}

// RoundTrip takes the call.
func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	r.request, r.body = request, string(body)
	if err = errors.Join(err, r.err); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: r.code, Header: r.header, Body: http.NoBody, Request: request}, nil
}

func (r *receiver) call(t *testing.T, n robot.Notice) robot.Answer {
	t.Helper()
	office := post.New(post.Config{
		Guard: egress.New(egress.Config{}), Now: func() time.Time { return at }, Agent: "errand/test",
		Client: func(bool) post.Poster { return &http.Client{Transport: r} },
	})
	return office.Call(t.Context(), n)
}

func mac(key, text string) []byte {
	hash := hmac.New(sha256.New, []byte(key))
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func TestARequestIsSigned(t *testing.T) {
	raw := strings.Repeat("k", 32)
	for name, c := range map[string]struct{ secret, key string }{
		"with a secret of ours":   {"whsec_" + base64.StdEncoding.EncodeToString([]byte(raw)), raw},
		"with one of its owner's": {"open sesame", "open sesame"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &receiver{code: 204}
			if got := r.call(t, robot.Notice{ID: "msg_1", URL: "https://93.184.216.34/in", Header: map[string]string{"X-Team": "7"}, Secret: c.secret, Body: []byte(`{"a":1}`)}); got != (robot.Answer{}) {
				t.Fatalf("it did not arrive: %+v", got)
			}
			const stamp = "1781161331"
			for header, want := range map[string]string{
				"Webhook-Id": "msg_1", "Webhook-Timestamp": stamp, "X-Team": "7", "Content-Type": "application/json", "User-Agent": "errand/test",
				"Webhook-Signature": "v1," + base64.StdEncoding.EncodeToString(mac(c.key, "msg_1."+stamp+`.{"a":1}`)),
				"Mynd-Signature":    "t=" + stamp + ",v1=" + hex.EncodeToString(mac(c.secret, stamp+`.{"a":1}`)),
			} {
				if got := r.request.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			if r.body != `{"a":1}` || r.request.Method != http.MethodPost {
				t.Errorf("it is a %s of %s", r.request.Method, r.body)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		r    receiver
		want robot.Answer
	}{
		"arrived":     {"https://93.184.216.34/", receiver{code: 200}, robot.Answer{}},
		"an error":    {"https://93.184.216.34/", receiver{code: 503, header: http.Header{"Retry-After": {"30"}}}, robot.Answer{Fault: "It answered 503.", After: 30 * time.Second}},
		"a date":      {"https://93.184.216.34/", receiver{code: 429, header: http.Header{"Retry-After": {at.Add(time.Minute).Format(http.TimeFormat)}}}, robot.Answer{Fault: "It answered 429.", After: time.Minute}},
		"gone":        {"https://93.184.216.34/", receiver{code: 410}, robot.Answer{Fault: "It answered 410.", Gone: true}},
		"elsewhere":   {"https://93.184.216.34/", receiver{code: 304}, robot.Answer{Fault: "It answered 304: redirects are not followed."}},
		"unreachable": {"https://93.184.216.34/", receiver{err: errors.New("connection to 10.0.0.7 refused")}, robot.Answer{Fault: "It could not be reached."}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.r.call(t, robot.Notice{URL: c.url}); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
	for _, url := range []string{"https://127.0.0.1/", "https://169.254.169.254/latest", "http://93.184.216.34/", "file:///etc/passwd"} {
		r := &receiver{code: 200}
		if got := r.call(t, robot.Notice{URL: url}); got.Fault == "" || r.request != nil {
			t.Errorf("%s was called: %+v", url, got)
		}
	}
}
