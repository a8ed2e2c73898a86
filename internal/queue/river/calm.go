package river

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sayEvery is how seldom the same line of River's is repeated. While the database is
// away, each of its parts says so once a second.
const sayEvery = 10 * time.Second

// calm returns a logger for River that says less: lines of level info come out as
// debug, for it tells every five seconds how many jobs it has done; and warnings and
// errors that repeat themselves are counted in place of being repeated.
func calm(logger *slog.Logger) *slog.Logger {
	return slog.New(calmer{logger.Handler(), &echo{last: map[string]said{}}})
}

type calmer struct {
	slog.Handler
	echo *echo
}

func (c calmer) Enabled(ctx context.Context, level slog.Level) bool {
	return c.Handler.Enabled(ctx, lowered(level))
}

func (c calmer) Handle(ctx context.Context, line slog.Record) error {
	line.Level = lowered(line.Level)
	if line.Level >= slog.LevelWarn {
		unsaid, again := c.echo.hear(line.Message, line.Time)
		if again {
			return nil
		}
		if unsaid > 0 {
			line.AddAttrs(slog.Int("unsaid", unsaid))
		}
	}
	return c.Handler.Handle(ctx, line)
}

func (c calmer) WithAttrs(attrs []slog.Attr) slog.Handler {
	return calmer{c.Handler.WithAttrs(attrs), c.echo}
}

func (c calmer) WithGroup(name string) slog.Handler {
	return calmer{c.Handler.WithGroup(name), c.echo}
}

func lowered(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}

// echo knows what was said when. Its messages are River's, of which there are few.
type echo struct {
	mu   sync.Mutex
	last map[string]said
}

type said struct {
	at     time.Time
	unsaid int // how often since then
}

// hear reports whether the message was said just now, and else how often it was not
// repeated since the last time.
func (e *echo) hear(message string, at time.Time) (unsaid int, again bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last, ok := e.last[message]
	if ok && at.Sub(last.at) < sayEvery {
		last.unsaid++
		e.last[message] = last
		return 0, true
	}
	e.last[message] = said{at: at}
	return last.unsaid, false
}
