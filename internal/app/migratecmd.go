package app

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"errand/internal/config"
	"errand/internal/file"
	"errand/internal/index"
	indextables "errand/internal/index/postgres"
	indexfile "errand/internal/index/sqlite"
	"errand/internal/store"
	"errand/internal/store/postgres"
	"errand/internal/store/sqlite"
)

type migrateCommand struct {
	settingFlags
	To string `help:"Where to: postgres://USER@HOST/DATABASE, a database that no server has used. A password belongs into the environment: leave this out and set ERRAND_STORE." placeholder:"URL"`
}

// Help is the command's longer help.
func (migrateCommand) Help() string {
	return `Copies what a data directory has in SQLite (runs, agents, keys, files, jobs, spending, the
audit log) into PostgreSQL. The server is stopped. It is one transaction: the database then has everything,
checked record by record, or it is as empty as before, and the command can be run again.
The search index goes with it.

The key that opens sealed credentials (seal.key) stays in the data directory, and the server goes
on with it; a second node needs a copy of it. The databases of SQLite are renamed to ` + movedName + `
and ` + indexfile.FileName + movedSuffix + `, so that no server goes on with what has moved. Example:

  errand migrate --data /var/lib/errand --to postgres://errand@db/errand
  errand serve --data /var/lib/errand --store postgres://errand@db/errand`
}

// movedName is the database of SQLite when it has been copied.
const (
	movedSuffix = ".moved"
	movedName   = sqlite.FileName + movedSuffix
)

// Run copies, checks, and puts the old database out of the way.
func (c *migrateCommand) Run(ctx context.Context, p *process) (err error) {
	flags := c.flags()
	if c.To != "" {
		flags["store"] = c.To
	}
	cfg, err := p.settings(flags)
	if err != nil {
		return err
	}
	if !cfg.Postgres() {
		return usage(errors.New("say where to with --to postgres://USER@HOST/DATABASE, or ERRAND_STORE"))
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName)); err != nil {
		return usage(fmt.Errorf("there is no database in %s; name the data directory with --data", cfg.Data))
	}
	moved, err := migrate(ctx, p, cfg)
	if err != nil {
		return err
	}
	for _, name := range []string{sqlite.FileName, indexfile.FileName} {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			err := os.Rename(filepath.Join(cfg.Data, name+suffix), filepath.Join(cfg.Data, name+movedSuffix+suffix))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("everything is copied, but the old database could not be renamed: no server must go on with it: %w", err)
			}
		}
	}
	p.print("Copied and checked %s.\n", moved)
	p.print("The old database is %s. Start the server with --data %s and ERRAND_STORE set to the new one.\n", filepath.Join(cfg.Data, movedName), cfg.Data)
	return nil
}

// migrate copies everything and holds what has arrived against what was sent.
func migrate(ctx context.Context, p *process, cfg config.Config) (_ *census, err error) {
	from, err := sqlite.Open(ctx, sqlite.Config{Dir: cfg.Data, Now: p.now}) // it keeps servers away
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := postgres.Open(ctx, postgres.Config{DSN: cfg.Store.Reveal(), Now: p.now})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	blobs := to.Blobs(file.ContentKind)
	digests, err := file.Contents(ctx, from)
	if err != nil {
		return nil, err
	}
	for _, digest := range digests {
		if err := migrateFile(ctx, blobs, cfg.Data, digest); err != nil {
			return nil, err
		}
	}
	defer func() {
		for _, digest := range digests { // what no row counts now goes again
			err = errors.Join(err, blobs.Release(context.WithoutCancel(ctx), digest, migrateClaim))
		}
	}()
	library, err := indexfile.Open(ctx, cfg.Data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, library.Close()) }()
	sent, arrived := newCensus(), newCensus()
	err = to.Import(ctx, sent.along(from.Records(ctx)), func(tx pgx.Tx, all iter.Seq2[store.Record, error]) error {
		if err := sent.copyIndex(ctx, library, tx); err != nil {
			return err
		}
		for _, err := range arrived.along(all) {
			if err != nil {
				return err
			}
		}
		return sent.compare(arrived)
	})
	return sent, err
}

// copyIndex copies the search index in the transaction of everything else.
func (t *census) copyIndex(ctx context.Context, from index.Whole, tx pgx.Tx) (err error) {
	if t.index, err = index.Copy(ctx, from, indextables.Within(tx)); err != nil {
		return fmt.Errorf("the search index could not be copied: %w", err)
	}
	return nil
}

// migrateClaim holds the bytes of files until the rows that count them are there.
const migrateClaim = "migrate"

// migrateFile copies the bytes of a file, which must be those of their name.
func migrateFile(ctx context.Context, to *postgres.Blobs, dir, digest string) error {
	bytes, err := os.Open(storedPath(dir, digest))
	if err != nil {
		return fmt.Errorf("a stored file can't be read: %w. Run errand doctor --deep", err)
	}
	defer bytes.Close()
	sum := sha256.New()
	if err := to.Put(ctx, digest, migrateClaim, io.TeeReader(bytes, sum)); err != nil {
		return err
	}
	// Bytes that an earlier attempt has brought were not read now.
	if _, err := io.Copy(sum, bytes); err != nil {
		return fmt.Errorf("reading a stored file: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != digest {
		return fmt.Errorf("the bytes of the file %s are damaged: nothing was kept. Restore a backup", storedPath(dir, digest))
	}
	return nil
}

// census counts records and adds up their digests, by kind. The order does not matter.
type census struct {
	counts  map[string]int
	digests map[string][4]uint64
	index   index.Copied // was held against what was sent when it was copied
}

func newCensus() *census {
	return &census{counts: map[string]int{}, digests: map[string][4]uint64{}}
}

// along passes the records on and counts them.
func (t *census) along(records iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for record, err := range records {
			if err == nil {
				err = t.add(&record)
			}
			if !yield(record, err) {
				return
			}
		}
	}
}

func (t *census) add(r *store.Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reading what is stored: %w", err)
	}
	// A zero in a text, which JSON escapes, does not arrive as one.
	text = []byte(strings.ReplaceAll(string(text), `\u0000`, "\uFFFD"))
	sum, digest := sha256.Sum256(text), t.digests[r.Kind()]
	for i := range digest {
		digest[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
	t.digests[r.Kind()] = digest
	t.counts[r.Kind()]++
	return nil
}

// compare says what is not the same.
func (t *census) compare(other *census) error {
	for _, kind := range slices.Sorted(maps.Keys(t.counts)) {
		if t.counts[kind] != other.counts[kind] {
			return fmt.Errorf("%d of %d %s have arrived: nothing was kept", other.counts[kind], t.counts[kind], kind)
		}
		if t.digests[kind] != other.digests[kind] {
			return fmt.Errorf("the %s that have arrived are not what was sent: nothing was kept", kind)
		}
	}
	if len(other.counts) > len(t.counts) {
		return errors.New("more has arrived than was sent: nothing was kept")
	}
	return nil
}

// String says what there is.
func (t *census) String() string {
	var parts []string
	for _, kind := range []string{"runs", "events", "objects", "jobs", "accounts", "audit lines"} {
		if n := t.counts[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if t.index.Sources > 0 {
		parts = append(parts, fmt.Sprintf("%d documents of the search index", t.index.Documents))
	}
	if parts == nil {
		return "an empty database"
	}
	return strings.Join(parts, ", ")
}
