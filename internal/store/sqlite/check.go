package sqlite

import (
	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// cachedHeads bounds the lines that the writer remembers, so that most appends
// are checked without a read: all active runs, and some that wait.
const cachedHeads = 4096

// head is what the writer knows of a run. Only it writes, so what it has written
// is what is there.
type head struct {
	line   run.Summary // as the group so far leaves it
	exists bool
	stored run.Summary // as it is in the file
	filed  bool        // stored is there
	dirty  bool        // line must be written
}

type rowKey struct{ kind, project, id string }
type nameKey struct{ kind, project, name string }

// rowState is a row as the group so far leaves it; version 0 = not there.
type rowState struct {
	version int64
	name    string
}

// undo takes back one step of an item that fails at a later one.
type undo struct {
	head   *head // nil for a row
	line   run.Summary
	exists bool

	row   rowKey
	state rowState
}

// admit checks the items in the order in which they were queued, each on what the
// earlier ones leave, before anything is written. A conflict is the item's
// verdict; the error is the transaction's.
func (w *writer) admit(group []*item) error {
	for _, it := range group {
		if it.err != nil {
			continue
		}
		w.undone = w.undone[:0]
		conflict, err := w.admitItem(it)
		if err != nil {
			return err
		}
		if conflict != nil {
			it.verdict = conflict
			w.undo()
		}
	}
	return nil
}

func (w *writer) admitItem(it *item) (conflict, err error) {
	if it.purge != nil {
		return w.admitPurge(it.purge)
	}
	for i := range it.commit.Runs {
		a := &it.commit.Runs[i]
		h, err := w.head(a.ID)
		if err != nil {
			return nil, err
		}
		var there *run.Summary
		if h.exists {
			there = &h.line
		}
		line, conflict := store.Admit(there, a)
		if conflict != nil {
			return conflict, nil
		}
		w.undone = append(w.undone, undo{head: h, line: h.line, exists: h.exists})
		h.line, h.exists = line, true
		if !h.dirty {
			h.dirty = true
			w.dirty = append(w.dirty, h)
		}
	}
	if len(it.commit.Rows) > 0 {
		it.versions = make([]int64, len(it.commit.Rows))
	}
	for i := range it.commit.Rows {
		version, conflict, err := w.admitRow(&it.commit.Rows[i])
		if conflict != nil || err != nil {
			return conflict, err
		}
		it.versions[i] = version
	}
	return nil, nil
}

// admitRow returns the version that the row will have.
func (w *writer) admitRow(write *run.RowWrite) (version int64, conflict, err error) {
	key := rowKey{write.Kind, write.Project, write.ID}
	state, err := w.row(key)
	if err != nil {
		return 0, nil, err
	}
	if conflict := store.AdmitRow(state.version, write); conflict != nil || write.Check {
		return state.version, conflict, nil
	}
	next := rowState{version: state.version + 1, name: write.Name}
	if write.Delete {
		next = rowState{}
	}
	if next.name != "" {
		holder, err := w.holder(nameKey{key.kind, key.project, next.name})
		if err != nil {
			return 0, nil, err
		}
		if holder != "" && holder != key.id {
			return 0, &run.RowConflict{Kind: key.kind, ID: key.id, Name: true}, nil
		}
	}
	w.undone = append(w.undone, undo{row: key, state: state})
	w.setRow(key, state, next)
	return next.version, nil, nil
}

func (w *writer) setRow(key rowKey, from, to rowState) {
	if from.name != "" {
		w.names[nameKey{key.kind, key.project, from.name}] = ""
	}
	if to.name != "" {
		w.names[nameKey{key.kind, key.project, to.name}] = key.id
	}
	w.rows[key] = to
}

// undo takes the item's steps back, last first.
func (w *writer) undo() {
	for i := len(w.undone) - 1; i >= 0; i-- {
		if step := &w.undone[i]; step.head != nil {
			step.head.line, step.head.exists = step.line, step.exists
		} else {
			w.setRow(step.row, w.rows[step.row], step.state)
		}
	}
}

// head returns what is known of a run, reading its line when nothing is.
func (w *writer) head(id run.ID) (*head, error) {
	if h := w.heads[id]; h != nil {
		return h, nil
	}
	line, found, err := readLine(w.conn, id)
	if err != nil {
		return nil, err
	}
	h := &head{line: line, exists: found, stored: line, filed: found}
	w.heads[id] = h
	return h, nil
}

// row returns a row's state; one that has expired is not there.
func (w *writer) row(key rowKey) (rowState, error) {
	if state, ok := w.rows[key]; ok {
		return state, nil
	}
	stmt := w.stmts.selectRow
	bindKey(stmt, 1, key)
	stmt.BindInt64(4, w.moment)
	var state rowState
	found, err := stmt.Step()
	if found {
		state = rowState{version: stmt.ColumnInt64(0), name: stmt.ColumnText(1)}
	}
	if err != nil {
		return state, err
	}
	w.rows[key] = state
	return state, stmt.Reset()
}

// holder returns the id of the row that has the name, or "".
func (w *writer) holder(key nameKey) (string, error) {
	if id, ok := w.names[key]; ok {
		return id, nil
	}
	stmt := w.stmts.selectName
	stmt.BindText(1, key.kind)
	stmt.BindText(2, key.project)
	stmt.BindText(3, key.name)
	stmt.BindInt64(4, w.moment)
	id := ""
	found, err := stmt.Step()
	if found {
		id = stmt.ColumnText(0)
	}
	if err != nil {
		return "", err
	}
	w.names[key] = id
	return id, stmt.Reset()
}

func bindKey(stmt *sqlite.Stmt, at int, key rowKey) {
	stmt.BindText(at, key.kind)
	stmt.BindText(at+1, key.project)
	stmt.BindText(at+2, key.id)
}

// keepHeads makes what was staged what is stored, after a commit. Runs that have
// ended are forgotten first: little comes for them.
func (w *writer) keepHeads() {
	for _, h := range w.dirty {
		h.stored, h.filed, h.dirty = h.line, h.exists, false
		if !h.exists || h.line.Status.Terminal() || h.line.Deleted {
			delete(w.heads, h.line.ID)
		}
	}
	w.dirty = w.dirty[:0]
	for id := range w.heads {
		if len(w.heads) <= cachedHeads {
			break
		}
		delete(w.heads, id)
	}
}

// forget drops all that the writer believes to be in the file.
func (w *writer) forget() {
	clear(w.heads)
	w.dirty = w.dirty[:0]
}
