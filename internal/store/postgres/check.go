package postgres

import (
	"slices"

	"errand/internal/run"
	"errand/internal/store"
)

// head is what a transaction knows of a run whose line it has locked, or which is
// not there.
type head struct {
	line   run.Summary // as the group so far leaves it
	exists bool
	stored run.Summary // as it is in the database
	filed  bool        // stored is there
	dirty  bool        // line must be written
}

type rowKey struct{ kind, project, id string }
type nameKey struct{ kind, project, name string }

// rowState is a row as the group so far leaves it; version 0 = not there.
type rowState struct {
	version int64
	name    string
	filed   bool // there is a line for it, if only an expired one
}

// holder is who has a name; an expired one gives it up.
type holder struct {
	id      string
	expired bool
}

// rowChange is what a row write does to the table.
type rowChange struct {
	version int64  // that the row will have
	insert  bool   // there is no line for it yet
	evicts  string // the expired row that had its name
}

// undo takes back one step of an item that fails at a later one.
type undo struct {
	head   *head // nil for a row
	line   run.Summary
	exists bool

	row   rowKey
	state rowState
	name  nameKey // zero = the name stays
	was   holder
}

// admit checks the items in the order in which they were queued, each on what the
// earlier ones leave, before anything is written.
func (t *transaction) admit() {
	for _, it := range t.group {
		if it.err != nil {
			continue
		}
		t.undone = t.undone[:0]
		if it.verdict = t.admitItem(it); it.verdict != nil {
			t.undo()
		}
	}
}

func (t *transaction) admitItem(it *item) error {
	it.jobs = slices.Clip(it.commit.Jobs)
	for i := range it.commit.Runs {
		a := &it.commit.Runs[i]
		h := t.heads[a.ID]
		if h == nil {
			h = &head{}
			t.heads[a.ID] = h
		}
		var there *run.Summary
		if h.exists {
			there = &h.line
		}
		line, conflict := store.Admit(there, a)
		if conflict != nil {
			return conflict
		}
		if a.Bound != nil {
			if full := store.AdmitLane(there, &line, a, t.others(h, &line)); full != nil {
				return full
			}
		}
		t.undone = append(t.undone, undo{head: h, line: h.line, exists: h.exists})
		t.move(h, line, true)
		if job := store.Orphaned(&line, a); job != nil {
			it.jobs = append(it.jobs, *job)
		}
		if !h.dirty {
			h.dirty = true
			t.dirty = append(t.dirty, h)
		}
	}
	it.rows = make([]rowChange, len(it.commit.Rows))
	for i := range it.commit.Rows {
		change, conflict := t.admitRow(&it.commit.Rows[i])
		if conflict != nil {
			return conflict
		}
		it.rows[i] = change
	}
	return nil
}

func (t *transaction) admitRow(write *run.RowWrite) (change rowChange, conflict error) {
	key := keyOf(write)
	state := t.rows[key]
	if conflict := store.AdmitRow(state.version, write); conflict != nil || write.Check {
		return change, conflict
	}
	change = rowChange{version: state.version + 1, insert: !state.filed}
	next := rowState{version: change.version, name: store.Text(write.Name), filed: true}
	if write.Delete {
		next = rowState{}
	}
	if next.name != "" {
		holds := t.names[nameKey{key.kind, key.project, next.name}]
		switch {
		case holds.id == "" || holds.id == key.id:
		case holds.expired:
			change.evicts = holds.id
			evicted := rowKey{key.kind, key.project, holds.id}
			t.undone = append(t.undone, undo{row: evicted, state: t.rows[evicted]})
			delete(t.rows, evicted)
		default:
			return change, &run.RowConflict{Kind: write.Kind, ID: write.ID, Name: true}
		}
	}
	t.undone = append(t.undone, undo{row: key, state: state})
	t.rows[key] = next
	t.rename(key, state.name, "")
	t.rename(key, next.name, key.id)
	return change, nil
}

// rename says who has a name from now on.
func (t *transaction) rename(key rowKey, name, id string) {
	if name == "" {
		return
	}
	at := nameKey{key.kind, key.project, name}
	t.undone = append(t.undone, undo{row: key, state: t.rows[key], name: at, was: t.names[at]})
	t.names[at] = holder{id: id}
}

// undo takes the item's steps back, last first.
func (t *transaction) undo() {
	for i := len(t.undone) - 1; i >= 0; i-- {
		step := &t.undone[i]
		if step.head != nil {
			t.move(step.head, step.line, step.exists)
			continue
		}
		t.rows[step.row] = step.state
		if step.name != (nameKey{}) {
			t.names[step.name] = step.was
		}
	}
}

func keyOf(write *run.RowWrite) rowKey {
	return rowKey{store.Text(write.Kind), store.Text(write.Project), store.Text(write.ID)}
}
