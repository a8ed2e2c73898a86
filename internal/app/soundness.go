package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"errand/internal/audit"
	"errand/internal/file"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// faultsShown bounds how many of one sort are named: the first few tell what is the
// matter, and a damaged disk has thousands.
const faultsShown = 5

// faults collects what is wrong, by the thing that is.
type faults struct {
	first []string
	count int
}

func (f *faults) add(format string, args ...any) {
	if f.count++; len(f.first) < faultsShown {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

// err is nil where nothing is wrong.
func (f *faults) err() error {
	switch {
	case f.count == 0:
		return nil
	case f.count > len(f.first):
		return fmt.Errorf("%s; and %d more", strings.Join(f.first, "; "), f.count-len(f.first))
	}
	return errors.New(strings.Join(f.first, "; "))
}

// broken is a run whose log can't be read, or is not what lists say.
type broken struct {
	id  run.ID
	why error
}

// checkLogs holds the newest most runs (0 = all) against their logs: a line is the
// fold of its log, or lists and filters lie. It returns how many it looked at.
func checkLogs(ctx context.Context, s keeper, most int) (looked int, _ error) {
	looked, found, err := brokenLogs(ctx, s, most)
	if err != nil {
		return 0, err
	}
	var wrong faults
	for _, b := range found {
		wrong.add("%s: %v", shownRun(b.id), b.why)
	}
	return looked, wrong.err()
}

// brokenLogs names the runs that checkLogs finds fault with.
func brokenLogs(ctx context.Context, s keeper, most int) (looked int, found []broken, _ error) {
	var ids []run.ID
	err := s.Recent(ctx, time.Time{}, func(line *run.Summary) {
		if most == 0 || len(ids) < most {
			ids = append(ids, line.ID)
		}
	})
	if err != nil {
		return 0, nil, err
	}
	for _, id := range ids {
		if err := checkLog(ctx, s, id); err != nil {
			found = append(found, broken{id, err})
		}
	}
	return len(ids), found, ctx.Err() // a check that was cut off found nothing out
}

// checkLog holds one run's line against its log, as it was when the line was read:
// others may be appending.
func checkLog(ctx context.Context, s keeper, id run.ID) error {
	line, err := s.Summary(ctx, id)
	if err != nil || line.Deleted {
		return err
	}
	events, err := s.Load(ctx, id, 0, int(line.Seq))
	if err != nil {
		return err
	}
	for i := range events {
		if events[i].Seq != int64(i)+1 {
			return fmt.Errorf("event %d of its log is missing", i+1)
		}
	}
	if int64(len(events)) < line.Seq {
		if now, err := s.Summary(ctx, id); err == nil && now.Deleted {
			return nil
		}
		return fmt.Errorf("its log has %d events, and the list says %d", len(events), line.Seq)
	}
	state := run.Fold(id, events)
	folded := store.Rounded(state.Summarize())
	folded.Epoch, folded.Driver, folded.Lane = line.Epoch, line.Driver, line.Lane // they are the store's own
	if folded != line {
		return fmt.Errorf("the list and the log tell different things: %s", differing(folded, line))
	}
	return nil
}

// differing names the fields in which two lines differ.
func differing(folded, stored run.Summary) string {
	a, b := reflect.ValueOf(folded), reflect.ValueOf(stored)
	var names []string
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); x != y {
			names = append(names, fmt.Sprintf("%s is %v by the log and %v in the list", strings.ToLower(a.Type().Field(i).Name), x, y))
		}
	}
	return strings.Join(names, ", ")
}

func shownRun(id run.ID) string { return "run_" + id.String() }

// checkAudit looks through the whole audit log and returns what it found.
func checkAudit(ctx context.Context, s keeper) (string, error) {
	verdict, err := (&audit.Log{Lines: s, Chain: store.Chain}).Verify(ctx, audit.Head{})
	switch {
	case err != nil:
		return "", err
	case verdict.Wrong != nil:
		return "", errors.New(verdict.Wrong.Why)
	case verdict.Lines == 0:
		return "no lines yet", nil
	}
	return fmt.Sprintf("%d lines, none changed or missing; the last is %s", verdict.Lines, verdict.Head), nil
}

// byteKeeper has the bytes of stored files: a data directory, or the database.
type byteKeeper interface {
	Get(ctx context.Context, digest string) (io.ReadSeekCloser, error)
}

// storedFiles are the bytes of stored files in a data directory.
type storedFiles string

// Get opens some bytes.
func (dir storedFiles) Get(_ context.Context, digest string) (io.ReadSeekCloser, error) {
	return os.Open(storedPath(string(dir), digest))
}

// checkFiles holds the bytes of stored files against their names, which are their
// digests, against what the database knows, and against the sizes that files say they
// have. It reads them piece by piece, and returns how many it found.
func checkFiles(ctx context.Context, s keeper, bytes byteKeeper, sizes map[string]int64) (int, error) {
	var wrong faults
	known, err := file.Contents(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, digest := range known {
		sum, size, err := digestIn(ctx, bytes, digest)
		said, files := sizes[digest]
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if _, err := s.Row(ctx, file.ContentKind, "", digest); problem.Is(err, problem.NotFound) {
				continue // it was deleted meanwhile
			}
			wrong.add("the bytes %.8s… of a file are not there", digest)
		case errors.Is(err, io.ErrUnexpectedEOF):
			wrong.add("of the bytes of the file %.8s… some are missing", digest)
		case err != nil:
			return 0, err
		case sum != digest:
			wrong.add("the bytes of the file %.8s… are damaged", digest)
		case files && said != size:
			wrong.add("the bytes of the file %.8s… are %d, and it says %d", digest, size, said)
		}
	}
	return len(known), wrong.err()
}

func digestIn(ctx context.Context, bytes byteKeeper, digest string) (sum string, size int64, err error) {
	content, err := bytes.Get(ctx, digest)
	if err != nil {
		return "", 0, err
	}
	defer content.Close()
	return digestFrom(content)
}

// storedPath is where the bytes of stored files are in a data directory.
func storedPath(dir, digest string) string {
	return filepath.Join(dir, "files", digest[:2], digest[2:])
}

// counted tells how many runs stand where, in the order of a run's life.
func counted(runs map[run.Status]int) string {
	total := 0
	var parts []string
	for _, status := range run.Statuses() {
		if n := runs[status]; n > 0 {
			total += n
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(status), "_", " ")))
		}
	}
	if total == 0 {
		return "no runs"
	}
	return fmt.Sprintf("%d runs (%s)", total, strings.Join(parts, ", "))
}

// countedRows tells how many objects of the kinds that people make there are.
func countedRows(rows map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(rows)) {
		switch kind {
		case "agent", "key", "tool", "schedule", "webhook", "robot", "budget", "file", "project":
			parts = append(parts, fmt.Sprintf("%d %ss", rows[kind], kind))
		}
	}
	if parts == nil {
		return "no agents, tools or keys"
	}
	return strings.Join(parts, ", ")
}
