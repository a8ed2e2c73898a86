package wire_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkRequest is what wire adds to a small POST: routing, key, body, decode,
// encode, fingerprint; without the log.
func BenchmarkRequest(b *testing.B) {
	w := newWorld(b)
	w.cfg.Logger = slog.New(slog.DiscardHandler)
	w.restart()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/things", strings.NewReader(`{"name":"x","count":3,"tags":["a","b"]}`))
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", "application/json")
		w.server.ServeHTTP(httptest.NewRecorder(), r)
	}
}
