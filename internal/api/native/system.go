package native

import (
	"context"
	"slices"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// System is the server itself. internal/app has the implementation.
type System interface {
	// Standing is how the server stands now. It costs next to nothing.
	Standing(ctx context.Context) Standing
	// Doctor looks at what the server uses and keeps. It takes seconds. Errors:
	// conflict while another look goes on.
	Doctor(ctx context.Context) ([]Finding, error)
}

// Standing is how a server stands.
type Standing struct {
	Version, Go     string
	Began           time.Time
	Model           string // that answers where nobody names one
	Driven, Waiting int    // runs
	MaxActive       int
	Streams         int
	Store           StoreStanding
	Chromium        string   // empty = there are no browser tools
	Egress          []string // networks that tools may reach although they are not public
	Engines         []string // that web.search asks, in order
}

// StoreStanding is how the store of a server stands, since the server began.
type StoreStanding struct {
	Kind            string // sqlite, postgres
	Path            string // of the data directory
	File, WAL       int64  // bytes
	Inside          int64  // free bytes inside the file, to be used again
	Disk            *int64 // free bytes of the data directory; nil = not known
	Groups, Commits int64
	Largest, Queued int64
	Failures        int64
}

// Finding is one thing that the doctor has looked at.
type Finding struct {
	Check string `json:"check"`
	Level string `json:"level"` // ok, warn, fail
	Found string `json:"found"`
}

type systemBody struct {
	Object    string         `json:"object"`
	Version   string         `json:"version"`
	Go        string         `json:"go"`
	StartedAt time.Time      `json:"started_at"`
	Now       time.Time      `json:"now"`
	Uptime    int64          `json:"uptime_s"`
	URL       *string        `json:"public_url"`
	LogLevel  *string        `json:"log_level"`
	Model     string         `json:"default_model"`
	Runs      systemRuns     `json:"runs"`
	Streams   int            `json:"streams"`
	Feeds     int            `json:"feeds"` // of them, those of whole projects
	Store     systemStore    `json:"store"`
	Providers []providerBody `json:"providers"`
	Browser   *string        `json:"browser"`
	Egress    []string       `json:"egress_allow"`
	Engines   []string       `json:"search_engines"`
	Doctor    *doctorBody    `json:"doctor,omitzero"`
}

type systemRuns struct {
	Driven    int `json:"driven"`
	Waiting   int `json:"waiting"`
	MaxActive int `json:"max_active"`
}

type systemStore struct {
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	File     int64  `json:"file_bytes"`
	WAL      int64  `json:"wal_bytes"`
	Inside   int64  `json:"reusable_bytes"`
	Disk     *int64 `json:"disk_free_bytes"`
	Commits  int64  `json:"commits"`
	Groups   int64  `json:"commit_groups"`
	Largest  int64  `json:"largest_group"`
	Queued   int64  `json:"queued_commits"`
	Failures int64  `json:"failed_groups"`
}

// providerBody is an endpoint of models: what its models have in common.
type providerBody struct {
	Name   string      `json:"name"`
	Models int         `json:"models"`
	Health *healthBody `json:"health"`
}

type doctorBody struct {
	OK     bool      `json:"ok"`
	Checks []Finding `json:"checks"`
}

func (a *API) system() (System, error) {
	if a.cfg.System == nil {
		return nil, problem.New(problem.NotAvailable, "This server says nothing of itself.")
	}
	return a.cfg.System, nil
}

// getSystem is for whoever answers for the whole server: it names paths and addresses.
func (a *API) getSystem(ctx context.Context, r *wire.Request, s System) (wire.Response, error) {
	query := r.Query()
	look := query.Bool("doctor", false)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	now, at := a.cfg.Now().UTC(), s.Standing(ctx)
	body := systemBody{
		Object: "system", Version: at.Version, Go: at.Go, StartedAt: at.Began.UTC(), Now: now, Uptime: int64(now.Sub(at.Began).Seconds()),
		URL: optional(a.cfg.PublicURL), Model: at.Model, Runs: systemRuns{at.Driven, at.Waiting, at.MaxActive}, Streams: at.Streams, Feeds: int(a.feeds.Load()),
		Store: systemStore{
			Kind: at.Store.Kind, Path: at.Store.Path, File: at.Store.File, WAL: at.Store.WAL, Inside: at.Store.Inside, Disk: at.Store.Disk,
			Commits: at.Store.Commits, Groups: at.Store.Groups, Largest: at.Store.Largest, Queued: at.Store.Queued, Failures: at.Store.Failures,
		},
		Providers: providersOf(a.cfg.Models.Models()), Browser: optional(at.Chromium), Egress: listed(at.Egress), Engines: listed(at.Engines),
	}
	if a.cfg.Log != nil {
		body.LogLevel = optional(a.cfg.Log.Level())
	}
	if look {
		found, err := s.Doctor(ctx)
		if err != nil {
			return wire.Response{}, err
		}
		sick := slices.ContainsFunc(found, func(f Finding) bool { return f.Level == "fail" })
		body.Doctor = &doctorBody{OK: !sick, Checks: append([]Finding{}, found...)}
	}
	return wire.OK(body), nil
}

// providersOf are the endpoints behind the names that a run can use, in their order.
func providersOf(models []Model) []providerBody {
	all := []providerBody{}
	for i := range models {
		m := &models[i]
		if m.Resolves != "" {
			continue // another name of one of the others
		}
		at := slices.IndexFunc(all, func(p providerBody) bool { return p.Name == m.Provider })
		if at < 0 {
			all, at = append(all, providerBody{Name: m.Provider}), len(all)
		}
		all[at].Models++
		if all[at].Health == nil && m.Health != nil {
			all[at].Health = showHealth(m.Health)
		}
	}
	return all
}
