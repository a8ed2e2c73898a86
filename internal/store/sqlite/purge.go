package sqlite

import (
	"sync/atomic"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
)

// purge is an item that removes runs.
type purge struct {
	runs    []run.ID
	most    int
	removed atomic.Int64 // rows; its caller may have stopped waiting when it is written
}

func (p *purge) gone() int { return int(p.removed.Load()) }

// admitPurge marks the runs as deleted, or says that one of them has not ended. It
// is the verdict on the whole item.
func (w *writer) admitPurge(p *purge) (conflict, err error) {
	for _, id := range p.runs {
		h, err := w.head(id)
		if err != nil {
			return nil, err
		}
		if !h.exists {
			continue
		}
		if !h.line.Deleted && !h.line.Status.Terminal() {
			return run.ErrConflict, nil
		}
		w.undone = append(w.undone, undo{head: h, line: h.line, exists: h.exists})
		h.line.Deleted = true
		if !h.dirty {
			h.dirty = true
			w.dirty = append(w.dirty, h)
		}
	}
	return nil, nil
}

// writePurge deletes what there is room for. The log goes from its beginning, so
// that nobody takes what is left of it for a run; the line goes last, because it
// says that there was one. A run that there was no room for stays as it is.
func (w *writer) writePurge(p *purge) error {
	left := p.most
	for _, id := range p.runs {
		h, err := w.head(id)
		if err != nil {
			return err
		}
		if left == 0 {
			h.line.Deleted = h.stored.Deleted
			continue
		}
		if err := w.purgeRun(id, h, &left); err != nil {
			return err
		}
	}
	p.removed.Store(int64(p.most - left))
	return nil
}

func (w *writer) purgeRun(id run.ID, h *head, left *int) error {
	for _, part := range []struct {
		point string
		stmt  *sqlite.Stmt
	}{{"purge events", w.stmts.purgeEvents}, {"purge jobs", w.stmts.purgeJobs}, {"purge line", w.stmts.purgeLine}} {
		part.stmt.BindBytes(1, id[:])
		part.stmt.BindInt64(2, int64(*left))
		if err := w.exec(part.point, part.stmt); err != nil {
			return err
		}
		if *left -= w.conn.Changes(); *left == 0 && part.stmt != w.stmts.purgeLine {
			return nil // whether anything is left is found out the next time
		}
	}
	h.exists = false
	return nil
}
