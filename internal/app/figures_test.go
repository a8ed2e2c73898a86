package app

import (
	"encoding/json"
	"net/http"
	"testing"

	"errand/internal/config"
	"errand/internal/obs"
)

// TestWhoReadsTheFigures: a program of this machine needs no key; whoever comes by a
// proxy, or by another name, needs one that may, of the project that has the house.
func TestWhoReadsTheFigures(t *testing.T) {
	t.Parallel()
	s := newWorld(t).serve()
	secret := func(body string) string {
		t.Helper()
		var made struct{ Secret string }
		if status, text := s.send("POST", "/v1/keys", body); status != http.StatusOK || json.Unmarshal([]byte(text), &made) != nil {
			t.Fatalf("%d %s", status, text)
		}
		return "Bearer " + made.Secret
	}
	reads, poor := secret(`{"name":"prometheus","scopes":["metrics:read"]}`), secret(`{"name":"poor"}`)
	foreign := secret(`{"name":"boss","project":"elsewhere","scopes":["admin"]}`)
	for name, asked := range map[string]struct {
		host, header, value, key string
		want                     int
	}{
		"this machine":                   {want: http.StatusOK},
		"by a proxy":                     {header: "X-Forwarded-For", value: "192.0.2.7", want: http.StatusUnauthorized},
		"by a proxy, with a key":         {header: "X-Forwarded-For", value: "192.0.2.7", key: reads, want: http.StatusOK},
		"by a name":                      {host: "errand.example", want: http.StatusUnauthorized},
		"by a name, with a key":          {host: "errand.example", key: reads, want: http.StatusOK},
		"with a key without the scope":   {host: "errand.example", key: poor, want: http.StatusForbidden},
		"with a key of another project":  {host: "errand.example", key: foreign, want: http.StatusForbidden},
		"by a proxy that says it is one": {header: "Via", value: "1.1 squid", want: http.StatusUnauthorized},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if asked.host != "" {
			r.Host = asked.host
		}
		if asked.header != "" {
			r.Header.Set(asked.header, asked.value)
		}
		if asked.key != "" {
			r.Header.Set("Authorization", asked.key)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != asked.want {
			t.Errorf("%s: %d, not %d", name, answer.StatusCode, asked.want)
		}
	}
}

func TestFiguresAsTheSettingsSay(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]struct{ there, open, near bool }{
		config.MetricsNear: {there: true, near: true}, config.MetricsKey: {there: true}, config.MetricsOpen: {there: true, open: true}, config.MetricsOff: {},
	} {
		a := &assembly{cfg: config.Config{Metrics: setting}, metrics: obs.NewMetrics("v1")}
		got := struct{ there, open, near bool }{}
		for _, route := range a.probes(nil) {
			if route.Path == "/metrics" {
				got.there, got.open, got.near = true, route.Open, route.Near != nil
				if !route.Open && (route.Scope != "metrics:read" || !route.House) {
					t.Errorf("%s: a key is asked for, and any will do: %+v", setting, route)
				}
			}
		}
		if got != want {
			t.Errorf("%s: %+v, not %+v", setting, got, want)
		}
	}
	a := &assembly{cfg: config.Config{PublicURL: "https://errand.example"}}
	if a.near(&http.Request{RemoteAddr: "127.0.0.1:9", Host: "127.0.0.1:8420"}) {
		t.Error("what a proxy passes on under this machine's name is taken for this machine")
	}
	if a = (&assembly{}); !a.near(&http.Request{RemoteAddr: "[::1]:9", Host: "localhost:8420"}) || a.near(&http.Request{RemoteAddr: "192.0.2.1:9", Host: "localhost:8420"}) {
		t.Error("this machine is not told from others")
	}
}
