package obs

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"errand/internal/secret"
)

// mask stands for a secret.
const mask = "[redacted]"

// minSecret is the shortest value that is searched for: a shorter one would
// blacken ordinary words, and is no secret worth the name.
const minSecret = 6

// Redactor replaces secrets by value, wherever they appear. It is safe for
// concurrent use.
type Redactor struct {
	mu       sync.Mutex // held by Add
	forms    map[string]bool
	replacer atomic.Pointer[strings.Replacer]
}

// NewRedactor returns a redactor of the given values and of the forms in which they
// may stand in a text.
func NewRedactor(secrets []string) *Redactor {
	r := &Redactor{forms: map[string]bool{}}
	r.Add(secrets)
	return r
}

// Add takes more secrets. None is ever forgotten: what was a secret may still be
// on its way into the log.
func (r *Redactor) Add(secrets []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.forms)
	for _, value := range secrets {
		if len(value) < minSecret {
			continue
		}
		for _, form := range secret.Forms(value) {
			r.forms[form] = true
		}
	}
	if len(r.forms) == before {
		return
	}
	// The replacer takes the first that fits: a secret that begins with another
	// one must be tried before it.
	longest := slices.SortedFunc(maps.Keys(r.forms), func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(longest))
	for _, form := range longest {
		pairs = append(pairs, form, mask)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// Redact returns text without the secrets.
func (r *Redactor) Redact(text string) string {
	if replacer := r.replacer.Load(); replacer != nil {
		return replacer.Replace(text)
	}
	return text
}

// handler redacts each record before another handler writes it.
type handler struct {
	slog.Handler
	redactor *Redactor
}

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Redact(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.clean(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	cleaned := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cleaned[i] = h.clean(a)
	}
	return handler{h.Handler.WithAttrs(cleaned), h.redactor}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.redactor}
}

// clean redacts one attribute. A value that is neither text nor a number becomes
// text here: what it would print later cannot be searched.
func (h handler) clean(a slog.Attr) slog.Attr {
	value := a.Value.Resolve()
	switch value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.redactor.Redact(value.String()))
	case slog.KindGroup:
		members := value.Group()
		cleaned := make([]slog.Attr, len(members))
		for i, member := range members {
			cleaned[i] = h.clean(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(cleaned...)}
	case slog.KindAny:
		return slog.String(a.Key, h.redactor.Redact(fmt.Sprint(value.Any())))
	default:
		return slog.Attr{Key: a.Key, Value: value}
	}
}
