package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// TestBasePath asks a server under a base path, as a proxy that it trusts.
func TestBasePath(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Env["ERRAND_BASE_PATH"], w.Env["ERRAND_TRUSTED_PROXIES"] = "/errand", "127.0.0.1"
	s := w.Start()
	if !strings.HasSuffix(s.URL, "/errand") {
		t.Fatalf("the banner says %s", s.URL)
	}
	root := strings.TrimSuffix(s.URL, "/errand")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	ask := func(method, url, body string) (*http.Response, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + rig.AdminKey, "Accept": "text/html", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "e.example",
		} {
			request.Header.Set(name, value)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(text)
	}
	if answer, _ := ask("GET", s.URL+"/", ""); answer.Header.Get("Location") != "/errand/ui/" {
		t.Errorf("a browser is sent to %q", answer.Header.Get("Location"))
	}
	if answer, _ := ask("GET", root+"/v1/runs", ""); answer.StatusCode != http.StatusNotFound {
		t.Errorf("without the base path: %d", answer.StatusCode)
	}
	if _, text := ask("GET", s.URL+"/.well-known/yao", ""); !strings.Contains(text, `"https://e.example/errand"`) {
		t.Errorf("%s", text)
	}
	if _, text := ask("GET", s.URL+"/v1/agents/none", ""); !strings.Contains(text, "/errand/docs#not_found") {
		t.Errorf("%s", text)
	}
	if answer, text := ask("POST", s.URL+"/v1/runs", `{"model":"auto","prompt":"hi","stream":true}`); answer.StatusCode != 200 || !strings.Contains(text, "run.finished") {
		t.Errorf("a stream: %d, %s", answer.StatusCode, text)
	}
	ask("POST", s.URL+"/v1/keys", `{"name":"far"}`)
	if _, text := ask("GET", s.URL+"/v1/audit", ""); !strings.Contains(text, "203.0.113.9") {
		t.Errorf("the audit log does not know who asked: %s", text)
	}
}

// TestLinkBehindAProxy: a decision by a link is written down with the address of whoever
// has pressed the button, and not with the proxy's; and only a proxy that is trusted is
// believed about it.
func TestLinkBehindAProxy(t *testing.T) {
	t.Parallel()
	for trusted, want := range map[string]string{"127.0.0.1": "203.0.113.9", "10.0.0.0/8": "127.0.0.1"} {
		w := rig.New(t)
		w.Env["ERRAND_TRUSTED_PROXIES"] = trusted
		s := w.Start()
		c := s.Client()
		c.Tool(w, "book.once", "once")
		waits := gated(t, c, "by link")
		var link struct{ URL string }
		c.Post("/v1/runs/"+waits.ID+"/actions/"+waits.Actions()[0]+"/links", nil, &link)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+link.URL, strings.NewReader("decision=approve"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		c.Until(waits.ID, "completed")
		var log struct{ Data []struct{ From string } }
		c.Get("/v1/audit?action=approval.decided", &log)
		if answer.StatusCode != http.StatusOK || len(log.Data) != 1 || log.Data[0].From != want {
			t.Errorf("behind %s: %d, %+v; want %s", trusted, answer.StatusCode, log.Data, want)
		}
	}
}
