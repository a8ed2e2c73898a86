// Package obs is how the operator sees the server: logs and metrics.
//
// It promises that no configured secret is ever written to the log, in plain,
// base64 or URL-encoded form, and that the metrics keep a bounded number of
// series: labels are statuses, classes, codes and route patterns, never ids,
// names that users choose, or addresses.
//
// To add a figure, edit metrics.go; to change what a log line looks like, edit
// log.go; to change what is kept out of it, edit redact.go.
package obs

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes to w in the format text or json, from
// the level debug, info, warn or error on, without the redactor's secrets.
func NewLogger(w io.Writer, format, level string, redactor *Redactor) *slog.Logger {
	var from slog.Level
	if err := from.UnmarshalText([]byte(level)); err != nil {
		from = slog.LevelInfo // config has checked the word
	}
	options := &slog.HandlerOptions{Level: from}
	var inner slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		inner = slog.NewJSONHandler(w, options)
	}
	return slog.New(handler{inner, redactor})
}
