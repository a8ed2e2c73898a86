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
	if b := newTab(t, w); b != nil {
		b.signs(s.URL + "/")
		b.counts("Nothing waits")
	}
}
