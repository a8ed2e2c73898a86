package app

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"time"

	"errand/internal/obs"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/tool"
)

// meter counts what the engine does.
type meter struct{ metrics *obs.Metrics }

// ModelCalled counts a model call by its provider, because models have too many
// names; what it took is counted with the model that answered, by stored.
func (m meter) ModelCalled(model string, _ run.Usage, took time.Duration, failure problem.Code) {
	provider, _, qualified := strings.Cut(model, "/")
	if !qualified && provider != "offline" {
		provider = "default" // an alias, or a name that means the only endpoint
	}
	m.metrics.ModelCalled(provider, cmp.Or(string(failure), "ok"), took)
}

// ToolCalled counts a tool call. Users choose tools' names, so they are no label.
func (m meter) ToolCalled(_ string, outcome run.Outcome, took time.Duration) {
	m.metrics.ToolCalled(string(outcome), took)
}

// RunEnded counts the end of a run.
func (m meter) RunEnded(dialect string, status run.Status, reason run.StopReason) {
	m.metrics.RunEnded(dialect, string(status), string(reason))
}

// Active says how many runs are driven and how many wait for it.
func (m meter) Active(drivers, waiting int) { m.metrics.Active(drivers, waiting) }

// watched tells the redactor of the secrets of registered tools, which come and
// go while the server runs, before their first call can put them into a log.
type watched struct {
	*tool.Set
	redactor *obs.Redactor
	seen     sync.Map // versions of definitions
}

// Current returns the tool as it is defined now.
func (w *watched) Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	found, check, err := w.Set.Current(ctx, project, name)
	if check != nil {
		if _, known := w.seen.LoadOrStore(found.Version, true); !known {
			w.redactor.Add(w.Secrets())
		}
	}
	return found, check, err
}

// storeSamples are the store's own figures.
func storeSamples(store interface{ Stats() store.Stats }) func() []obs.Sample {
	return func() []obs.Sample {
		s := store.Stats()
		total := func(name, help string, value int64) obs.Sample {
			return obs.Sample{Name: name, Help: help, Total: true, Value: float64(value)}
		}
		gauge := func(name, help string, value int64) obs.Sample {
			return obs.Sample{Name: name, Help: help, Value: float64(value)}
		}
		return []obs.Sample{
			total("errand_commits_total", "Commits to the store; divided by the groups, the average size of a group.", s.Commits),
			total("errand_commit_groups_total", "Writes to disk, each of which a group of commits shared.", s.Groups),
			gauge("errand_commit_group_largest", "Commits of the largest group so far.", s.Largest),
			gauge("errand_commits_queued", "Commits that wait to be written now.", s.Queued),
			total("errand_commit_conflicts_total", "Commits that someone else was quicker than.", s.Conflicts),
			total("errand_commit_failures_total", "Groups that could not be written.", s.Failures),
			total("errand_checkpoints_total", "Times that the write-ahead log was copied into the database.", s.Checkpoints),
			gauge("errand_store_bytes", "Size of the database file.", s.FileBytes),
			gauge("errand_store_wal_bytes", "Size of the write-ahead log.", s.WALBytes),
			gauge("errand_store_free_bytes", "Space inside the database file that will be used again.", s.FreeBytes),
		}
	}
}
