package native

import (
	"context"
	"time"

	"errand/internal/api/wire"
	"errand/internal/run"
)

// Bounds of a report: as many buckets as a day has minutes, and as many runs as are
// read within a second or so.
const (
	maxBuckets = 1440
	maxCounted = 200_000
	statsPage  = 2000
)

// statsReport counts the runs that were made in each bucket, as they stand now, and
// what they have used up.
type statsReport struct {
	Object   string     `json:"object"`
	Bucket   string     `json:"bucket"`
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Data     []statsRow `json:"data"`     // every bucket, also those without runs
	Complete bool       `json:"complete"` // false: there were too many runs; the oldest buckets miss some
	// Booked says of what time usage is: booked, of the calls of a day, which stays when
	// runs are deleted; or runs, of those made in the bucket.
	Booked string `json:"usage_of"`
}

type statsRow struct {
	At     time.Time          `json:"at"`
	Runs   int                `json:"runs"`
	Status map[run.Status]int `json:"by_status"`
	Usage  statsUsage         `json:"usage"`
}

type statsUsage struct {
	Input    int     `json:"input_tokens"`
	Output   int     `json:"output_tokens"`
	Total    int     `json:"total_tokens"`
	Cost     float64 `json:"cost_usd"`
	Unpriced bool    `json:"unpriced"`
}

func (u *statsUsage) add(used *run.Usage) {
	u.Input, u.Output = u.Input+used.Input, u.Output+used.Output
	u.Total, u.Cost, u.Unpriced = u.Input+u.Output, u.Cost+used.Cost.Dollars(), u.Unpriced || used.Unpriced
}

// buckets are the sizes of a report, and how many of them it has where it is not said.
func buckets(name string) (size time.Duration, usual int) {
	switch name {
	case "minute":
		return time.Minute, 60
	case "day":
		return 24 * time.Hour, 30
	}
	return time.Hour, 24
}

func (a *API) stats(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	report := statsReport{Object: "stats", Bucket: query.OneOf("bucket", "minute", "hour", "day"), Booked: "runs"}
	if report.Bucket == "" {
		report.Bucket = "hour"
	}
	size, usual := buckets(report.Bucket)
	from, to := query.Time("from"), query.Time("to")
	if to.IsZero() {
		to = a.cfg.Now().UTC()
	}
	report.To = to.Add(size - 1).Truncate(size) // days, too, begin with UTC's
	report.From = from.Truncate(size)
	if from.IsZero() {
		report.From = report.To.Add(-time.Duration(usual) * size)
	}
	count := int(report.To.Sub(report.From) / size)
	switch {
	case count < 1:
		query.Refuse("from", "must be before to")
	case count > maxBuckets:
		query.Refuse("from", "is %d buckets of a %s before to: a report has %d at most", count, report.Bucket, maxBuckets)
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	for i := range count {
		report.Data = append(report.Data, statsRow{At: report.From.Add(time.Duration(i) * size), Status: map[run.Status]int{}})
	}
	if err := a.countRuns(ctx, r, &report, size); err != nil {
		return wire.Response{}, err
	}
	if report.Bucket == "day" && a.cfg.Spending != nil && r.Caller.Agents == nil {
		if err := a.countSpent(ctx, r.Caller.Project, &report); err != nil {
			return wire.Response{}, err
		}
	}
	return wire.OK(report), nil
}

// countRuns counts the runs of a report, newest first, up to a bound.
func (a *API) countRuns(ctx context.Context, r *wire.Request, report *statsReport, size time.Duration) error {
	q := run.RunQuery{Project: r.Caller.Project, After: report.From, Until: report.To, Limit: statsPage}
	for counted := 0; counted < maxCounted; counted += statsPage {
		lines, err := a.cfg.Runs.Runs(ctx, q)
		if err != nil {
			return err
		}
		for i := range lines {
			line := &lines[i]
			q.Before = line.ID
			if n := int(line.CreatedAt.Sub(report.From) / size); n >= 0 && n < len(report.Data) && r.Caller.For(line.Agent) {
				row := &report.Data[n]
				row.Runs++
				row.Status[line.Status]++
				row.Usage.add(&line.Usage)
			}
		}
		if len(lines) < q.Limit {
			report.Complete = true
			return nil
		}
	}
	return nil
}

// countSpent takes the usage of days from the books, which know of each call when it
// was made, and of runs that are deleted.
func (a *API) countSpent(ctx context.Context, project string, report *statsReport) error {
	spends, err := a.cfg.Spending.Spent(ctx, project, run.DayOf(report.From), run.DayOf(report.To.Add(-1)))
	if err != nil {
		return err
	}
	report.Booked = "booked"
	rows := map[run.Day]*statsRow{}
	for i := range report.Data {
		report.Data[i].Usage = statsUsage{}
		rows[run.DayOf(report.Data[i].At)] = &report.Data[i]
	}
	for i := range spends {
		if row := rows[spends[i].Day]; row != nil {
			row.Usage.add(&spends[i].Usage)
		}
	}
	return nil
}
