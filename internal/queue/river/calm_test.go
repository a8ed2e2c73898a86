package river

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCalm: what River tells for information is for who debugs.
func TestCalm(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  "level=WARN msg=warned a=1 g.b=2\n",
		slog.LevelDebug: "level=DEBUG msg=debugged a=1\nlevel=DEBUG msg=informed a=1\nlevel=WARN msg=warned a=1 g.b=2\n",
	} {
		var out bytes.Buffer
		log := calm(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))).With("a", 1)
		log.Debug("debugged")
		log.Info("informed")
		log.WithGroup("g").Warn("warned", "b", 2)
		if out.String() != want {
			t.Errorf("at level %v:\n%s, want\n%s", level, out.String(), want)
		}
	}
}

// TestEcho: what River says each second while the database is away is in the log
// every ten.
func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := calm(slog.New(slog.NewTextHandler(&out, nil)))
		for range 25 {
			log.With("queue", "x").Error("away")
			time.Sleep(time.Second)
		}
		log.Error("and else")
		said := out.String()
		if strings.Count(said, "msg=away") != 3 || strings.Count(said, "unsaid=9") != 2 || !strings.Contains(said, "and else") {
			t.Errorf("said:\n%s", said)
		}
	})
}
