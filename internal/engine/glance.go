package engine

import (
	"cmp"
	"context"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// pollEvery is how often a node looks how far the logs have come that it has to do
// with. Mostly it has heard already; a word that got lost delays no longer than this.
const pollEvery = time.Second

// glance is a look at the line of a run that has no driver here: to find out whether it
// needs one, and what its readers here have not heard.
type glance struct {
	again   bool   // somebody has asked since it began
	drive   bool   // the run gets a driver here if nobody has it
	project string // whose run it is, if that is known
}

// Heard takes in that another node has committed a run's log up to seq. It does not
// block, and may be told too late, too often, or never.
func (e *Engine) Heard(id run.ID, seq int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.feeds[id]
	switch d := e.drivers[id]; {
	case d != nil:
		if d.feed.known() < seq {
			d.prod()
		}
	case f != nil && f.known() < seq, e.waiting.has(id):
		e.glanceAt(id, "", false)
	}
}

// glanceAt looks at the run soon; many who ask at once have one look. The lock is held.
func (e *Engine) glanceAt(id run.ID, project string, drive bool) {
	if e.ctx.Err() != nil {
		return // Close waits for those that have begun
	}
	g := e.glances[id]
	if g == nil {
		g = &glance{}
		e.glances[id] = g
		e.outlook.Add(1)
		go e.look(id, g)
	} else {
		g.again = true
	}
	g.drive, g.project = g.drive || drive, cmp.Or(g.project, project)
}

// look reads the line until nobody has asked meanwhile. Whoever only reads along is
// served by the next poll when the store does not answer; a run that may need a driver
// is looked at until it does.
func (e *Engine) look(id run.ID, g *glance) {
	defer e.outlook.Done()
	for try := 0; ; try++ {
		line, err := e.cfg.Log.Summary(e.ctx, id)
		more := false
		if err == nil {
			more, err = e.catchUp(id, &line)
		}
		e.mu.Lock()
		again := g.again || more
		switch {
		case e.ctx.Err() == nil && err == nil && again:
		case e.ctx.Err() == nil && g.drive && err != nil && !problem.Is(err, problem.NotFound):
		default:
			delete(e.glances, id)
			e.seen(id, g, &line, err)
			e.mu.Unlock()
			return
		}
		g.again = false
		e.mu.Unlock()
		if err != nil {
			pause(e.ctx, min(firstRetry<<min(try, 10), lastRetry))
		}
	}
}

// seen acts on a run's line: it is driven here, or waits here no more. The lock is held.
func (e *Engine) seen(id run.ID, g *glance, line *run.Summary, err error) {
	switch free := line.Driver == "" || line.Driver == e.node(); {
	case err != nil && !problem.Is(err, problem.NotFound):
	case err == nil && line.Live && !line.Deleted && free:
		if g.drive {
			e.engage(id, cmp.Or(g.project, line.Project))
		}
	default:
		e.unqueue(id)
		e.outOfLine(id)
		e.fill()
	}
}

// fill gives a free place to the run whose turn it is, if it still needs one: it may
// be another node's by now. The lock is held.
func (e *Engine) fill() {
	if e.waiting.size() > 0 && len(e.drivers) < e.cfg.MaxActive && !e.isDraining() {
		e.glanceAt(e.waiting.next(), "", true)
	}
}

// catchUp shows the run's readers here what other nodes have written. More says that
// the log has gone on since the line was read.
func (e *Engine) catchUp(id run.ID, line *run.Summary) (more bool, err error) {
	e.mu.Lock()
	f, driven := e.feeds[id], e.drivers[id] != nil
	e.mu.Unlock()
	if f == nil || driven {
		return false, nil
	}
	from := f.known()
	if from == 0 || line.Seq <= from || line.Seq > from+recent {
		f.learn(*line)
		return false, nil
	}
	events, err := e.cfg.Log.Load(e.ctx, id, from, recent)
	if err != nil || len(events) == 0 {
		return false, err
	}
	last := events[len(events)-1].Seq
	f.publish(events, last == line.Seq && rests(line))
	return last > line.Seq, nil
}

// rests reports whether nothing comes in the run until someone else acts.
func rests(line *run.Summary) bool { return !line.Live && line.Status != run.Running }

// lookout sees to what gets lost between nodes: news of logs, and wishes of readers.
func (e *Engine) lookout() {
	defer e.outlook.Done()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for round := 0; ; round++ {
		select {
		case <-ticker.C:
			e.poll()
			e.reopen()
			e.census()
			if round%wishRounds == 0 {
				e.wish()
			}
		case <-e.ctx.Done():
			return
		}
	}
}

// poll asks the store how far the logs have come of all runs that have a driver or a
// reader here.
func (e *Engine) poll() {
	e.mu.Lock()
	ids := make([]run.ID, 0, len(e.feeds))
	for id := range e.feeds {
		ids = append(ids, id)
	}
	e.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, readTimeout)
	defer cancel()
	seqs, err := e.cluster.Seqs(ctx, ids)
	if err != nil {
		return // the next one will do; the store says itself what ails it
	}
	for id, seq := range seqs {
		e.Heard(id, seq)
	}
}
