package robot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
)

// lessonKind is the kind of row that holds what an execution leaves to later ones.
// Its id is that of the robot, a slash, and the run's: those of one robot stand
// together, the newest last.
const lessonKind = "robot_lesson"

const (
	defaultKeep = 90   // days: a quarter is what a weekly task can learn from
	mostLessons = 12   // executions whose lessons a later one is told of
	lessonBytes = 1500 // of one execution's
	day         = 24 * time.Hour
)

// keeps reports whether the robot learns this.
func (p *Profile) keeps(what string) bool {
	l := p.Config.Learn
	return l != nil && l.On && (len(l.Types) == 0 || slices.Contains(l.Types, what))
}

// lesson is what one execution leaves to later ones, in words.
type lesson struct {
	Lines []string `json:"lines"`
}

// learnt is what there is to learn from an execution that has ended.
func learnt(p *Profile, s *run.State, e *Execution, insights []string) []string {
	var lines []string
	if p.keeps(LearnExecution) {
		line := fmt.Sprintf("%s: %q %s.", s.CreatedAt.Format("2 January 2006"), e.Name, e.Status)
		if e.Delivery != nil {
			line += " " + clip(e.Delivery.Content.Summary, 300)
		} else if e.Error != "" {
			line += " " + clip(e.Error, 300)
		}
		lines = append(lines, line)
	}
	if p.keeps(LearnFeedback) {
		for _, m := range s.Messages {
			lines = append(lines, "A person said meanwhile: "+clip(m.Text, 300))
		}
		for t := range s.Turns {
			for i := range s.Turns[t].Actions {
				if a := &s.Turns[t].Actions[i]; a.Stage == run.RejectedStage && a.Decision != nil {
					lines = append(lines, strings.TrimSpace(fmt.Sprintf("A person rejected a call of %s. %s", a.Tool.Name, clip(a.Decision.Reason, 300))))
				}
			}
		}
	}
	if p.keeps(LearnInsight) {
		for _, insight := range insights {
			lines = append(lines, "Learnt: "+clip(insight, 300))
		}
	}
	return bounded(lines)
}

// bounded keeps the first lines that fit.
func bounded(lines []string) []string {
	size := 0
	for i, line := range lines {
		if size += len(line); size > lessonBytes {
			return lines[:i]
		}
	}
	return lines
}

// lessonRow holds what was learnt for as long as the robot wants it kept.
func lessonRow(r *Robot, s *run.State, at time.Time, lines []string) (run.RowWrite, error) {
	keep := defaultKeep
	if r.Config.Learn != nil && r.Config.Learn.Keep > 0 {
		keep = r.Config.Learn.Keep
	}
	data, err := json.Marshal(lesson{lines})
	return run.RowWrite{
		Row: run.Row{
			Kind: lessonKind, Project: s.Spec.Project, ID: recordID(r.ID, s.ID), Created: at,
			Expires: at.Add(time.Duration(keep) * day), Data: data,
		},
		Expect: run.AnyVersion,
	}, err
}

// lessons are what the robot's latest executions have left, the oldest first.
func (d *Desk) lessons(ctx context.Context, project string, r *Robot) ([]string, error) {
	if r.Config.Learn == nil || !r.Config.Learn.On {
		return nil, nil
	}
	rows, err := d.Rows.Rows(ctx, run.RowQuery{Kind: lessonKind, Project: project, After: r.ID + "/~", Newest: true, Limit: mostLessons})
	if err != nil {
		return nil, fmt.Errorf("reading what robot %s has learnt: %w", r.ID, err)
	}
	var lines []string
	now := d.Now()
	for i := range slices.Backward(rows) {
		if !strings.HasPrefix(rows[i].ID, r.ID+"/") || !rows[i].Expires.After(now) || rows[i].Created.Before(r.CreatedAt) {
			continue // another robot's, perhaps one that had this id before
		}
		var l lesson
		if err := json.Unmarshal(rows[i].Data, &l); err != nil {
			return nil, fmt.Errorf("reading what robot %s has learnt: %w", r.ID, err)
		}
		lines = append(lines, l.Lines...)
	}
	return lines, nil
}

// clip is a text as one line of at most n bytes.
func clip(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
