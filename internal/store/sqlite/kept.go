package sqlite

import (
	"bytes"
	"sync"

	"errand/internal/run"
)

// Bounds of the rows that are kept in memory: the agents and tools that a busy
// server's runs use at a time. One large row must not push the others out.
const (
	keptRows  = 4096
	keptBytes = 4 << 20
	keptRow   = 64 << 10
)

// kept are rows that were read lately, because each run asks for the same few. They
// are exact: only this process writes, its writer drops what a commit has changed
// before the commit is answered, and a reader keeps a row only if nothing has
// changed since before it looked. What is not there is not kept, so that guessed
// names fill nothing; nor is what expires, so that no clock is needed.
type kept struct {
	mu    sync.RWMutex
	age   uint64 // one more with each change of any row
	rows  map[rowKey]run.Row
	names map[nameKey]string // ids, by the names of rows
	bytes int
}

func newKept() *kept {
	return &kept{rows: map[rowKey]run.Row{}, names: map[nameKey]string{}}
}

// byID returns the row if it is kept, and the age of what was looked at.
func (k *kept) byID(key rowKey) (row run.Row, age uint64, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	row, ok = k.rows[key]
	row.Data = bytes.Clone(row.Data) // the caller's own, as one that is read is
	return row, k.age, ok
}

// byName is byID for the row that has the name.
func (k *kept) byName(key nameKey) (row run.Row, age uint64, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if id, named := k.names[key]; named {
		row, ok = k.rows[rowKey{key.kind, key.project, id}]
		row.Data = bytes.Clone(row.Data)
	}
	return row, k.age, ok
}

// keep keeps a row that was read after it was not found at this age.
func (k *kept) keep(row run.Row, age uint64) {
	if !row.Expires.IsZero() || rowSize(&row) > keptRow {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.age != age {
		return // it may have been read before the change
	}
	key := rowKey{row.Kind, row.Project, row.ID}
	k.remove(key)
	for other := range k.rows {
		if len(k.rows) < keptRows && k.bytes+rowSize(&row) <= keptBytes {
			break
		}
		k.remove(other)
	}
	row.Data = bytes.Clone(row.Data)
	k.rows[key] = row
	k.bytes += rowSize(&row)
	if row.Name != "" {
		k.names[nameKey{row.Kind, row.Project, row.Name}] = row.ID
	}
}

// drop forgets the rows that a group has written, and all that a refused commit had
// named: should something else have changed the file after all, who tries again would
// otherwise meet the same old row for ever. The writer calls it when the group is in
// the file and before anyone is told.
func (k *kept) drop(group []*item) {
	for _, it := range group {
		for i := range it.commit.Rows {
			if row := &it.commit.Rows[i]; !row.Check || !it.admitted() {
				k.change(rowKey{row.Kind, row.Project, row.ID})
			}
		}
	}
}

func (k *kept) change(key rowKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age++
	k.remove(key)
}

// clear forgets everything, when it is not known what is in the file.
func (k *kept) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.age++
	clear(k.rows)
	clear(k.names)
	k.bytes = 0
}

// remove forgets one row and its name; the lock is held.
func (k *kept) remove(key rowKey) {
	row, ok := k.rows[key]
	if !ok {
		return
	}
	delete(k.rows, key)
	delete(k.names, nameKey{key.kind, key.project, row.Name})
	k.bytes -= rowSize(&row)
}

// rowSize is what keeping a row takes, with its places in the maps.
func rowSize(row *run.Row) int {
	return 512 + len(row.Kind) + len(row.Project) + len(row.ID) + len(row.Name) + len(row.Data)
}
