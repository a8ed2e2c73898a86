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
	"strings"
)

// Level is from what level on lines are written. It may be changed while they are.
type Level struct{ level slog.LevelVar }

// Set takes the word debug, info, warn or error, and reports whether it is one.
func (l *Level) Set(word string) bool {
	known := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := known[word]
	if ok {
		l.level.Set(level)
	}
	return ok
}

// Word is the level in force.
func (l *Level) Word() string { return strings.ToLower(l.level.Level().String()) }

// NewLogger returns a logger that writes to w in the format text or json, from a
// level on, without the redactor's secrets.
func NewLogger(w io.Writer, format string, from *Level, redactor *Redactor) *slog.Logger {
	options := &slog.HandlerOptions{Level: &from.level}
	var inner slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		inner = slog.NewJSONHandler(w, options)
	}
	return slog.New(handler{inner, redactor})
}
