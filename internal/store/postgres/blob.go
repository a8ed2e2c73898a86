package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

const (
	// partBytes is how much of a file is in memory at once, on either side.
	partBytes = 1 << 20
	// claimTime is how long a claim holds whose node never comes back to end it: above
	// what writing a row takes, also when the database is restarted meanwhile.
	claimTime = "1 hour"
	// lapsedClaims is how many claims of others that nobody ended one Release looks at.
	lapsedClaims = 10
)

// Blobs keeps the bytes of files where every node finds them. Bytes stay as long as a
// row counts them, whose id is their digest, or somebody claims them.
type Blobs struct {
	store *Store
	kind  string // of the rows that count
}

// Blobs returns the bytes that the server's rows of a kind count.
func (s *Store) Blobs(kind string) *Blobs { return &Blobs{s, kind} }

// Put keeps bytes under their digest and claims them. Bytes that are there are the
// same.
func (b *Blobs) Put(ctx context.Context, digest, claim string, from io.Reader) error {
	err := pgx.BeginFunc(ctx, b.store.pool, func(tx pgx.Tx) error {
		// A second one of the same bytes waits here for the first, and one who takes them
		// away at this moment waits for this one.
		const line = "INSERT INTO blobs (digest, size) VALUES ($1, 0) ON CONFLICT (digest) DO UPDATE SET size = blobs.size"
		if _, err := tx.Exec(ctx, line, digest); err != nil {
			return err
		}
		fresh := false
		if err := tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM blob_parts WHERE digest = $1)", digest).Scan(&fresh); err != nil {
			return err
		}
		if fresh {
			if err := putParts(ctx, tx, digest, from); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "INSERT INTO blob_claims (digest, claim, until) VALUES ($1, $2, now() + $3::text::interval)", digest, claim, claimTime)
		return err
	})
	if err != nil {
		return explain(sent(fmt.Errorf("storing the bytes of a file: %w", err)))
	}
	return nil
}

func putParts(ctx context.Context, tx pgx.Tx, digest string, from io.Reader) error {
	buffer, size := make([]byte, partBytes), int64(0)
	for part := 0; ; part++ {
		n, err := io.ReadFull(from, buffer)
		if n > 0 {
			size += int64(n)
			if _, err := tx.Exec(ctx, "INSERT INTO blob_parts (digest, part, data) VALUES ($1, $2, $3)", digest, part, buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			_, err = tx.Exec(ctx, "UPDATE blobs SET size = $2 WHERE digest = $1", digest, size)
			return err
		}
		if err != nil {
			return err
		}
	}
}

// Release ends a claim, which need not be there, and takes the bytes away that then
// nobody counts or claims.
func (b *Blobs) Release(ctx context.Context, digest, claim string) error {
	if err := b.release(ctx, digest, claim); err != nil {
		return explain(sent(fmt.Errorf("releasing the bytes of a file: %w", err)))
	}
	type lapsed struct{ digest, claim string }
	var left []lapsed
	err := b.store.query(ctx, func(rows pgx.Rows) error {
		var one lapsed
		err := rows.Scan(&one.digest, &one.claim)
		left = append(left, one)
		return err
	}, "SELECT digest, claim FROM blob_claims WHERE until < now() LIMIT $1", lapsedClaims)
	for _, one := range left {
		err = errors.Join(err, b.release(ctx, one.digest, one.claim))
	}
	if err != nil {
		b.store.cfg.Logger.Warn("bytes that nobody has any more could not be taken away", "error", err)
	}
	return nil
}

func (b *Blobs) release(ctx context.Context, digest, claim string) error {
	return pgx.BeginFunc(ctx, b.store.pool, func(tx pgx.Tx) error {
		// Who else is about to count them has the line, or a claim, or has written the
		// row: the last statement sees it, because it begins when the line is locked.
		if _, err := tx.Exec(ctx, "SELECT FROM blobs WHERE digest = $1 FOR UPDATE", digest); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM blob_claims WHERE digest = $1 AND claim = $2", digest, claim); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM blobs WHERE digest = $1 AND NOT EXISTS (SELECT FROM rows WHERE kind = $2 AND project = '' AND id = $1) "+
			"AND NOT EXISTS (SELECT FROM blob_claims WHERE digest = $1 AND until > now())", digest, b.kind)
		return err
	})
}

// Loose names bytes that no row counts and nobody claims, or has claimed: they would
// stay for ever.
func (b *Blobs) Loose(ctx context.Context, limit int) (found []string, err error) {
	err = b.store.query(ctx, func(rows pgx.Rows) error {
		var digest string
		err := rows.Scan(&digest)
		found = append(found, digest)
		return err
	}, "SELECT digest FROM blobs b WHERE NOT EXISTS (SELECT FROM rows WHERE kind = $1 AND project = '' AND id = b.digest) "+
		"AND NOT EXISTS (SELECT FROM blob_claims c WHERE c.digest = b.digest) LIMIT $2", b.kind, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for bytes of no file: %w", err)
	}
	return found, nil
}

// Get returns the bytes, for the caller to close; fs.ErrNotExist when there are none.
// They are read part by part, under ctx.
func (b *Blobs) Get(ctx context.Context, digest string) (io.ReadSeekCloser, error) {
	size, found := int64(0), false
	err := b.store.query(ctx, func(rows pgx.Rows) error { found = true; return rows.Scan(&size) }, "SELECT size FROM blobs WHERE digest = $1", digest)
	if err != nil {
		return nil, fmt.Errorf("opening the bytes of a file: %w", err)
	}
	if !found {
		return nil, fs.ErrNotExist
	}
	read := func(part int64) (data []byte, err error) {
		err = b.store.query(ctx, func(rows pgx.Rows) error { return rows.Scan(&data) }, "SELECT data FROM blob_parts WHERE digest = $1 AND part = $2", digest, part)
		if err == nil && data == nil {
			err = fs.ErrNotExist // they were taken away meanwhile
		}
		return data, err
	}
	parts := &blobParts{read: read, size: size, part: -1}
	return struct {
		io.ReadSeeker
		io.Closer
	}{io.NewSectionReader(parts, 0, size), io.NopCloser(nil)}, nil
}

// blobParts reads at any place, and keeps the part that it has read last.
type blobParts struct {
	read func(part int64) ([]byte, error)
	size int64
	part int64 // that data is; -1 = none
	data []byte
}

// ReadAt is io.ReaderAt, for one reader at a time.
func (b *blobParts) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) && at < b.size {
		if part := at / partBytes; part != b.part {
			data, err := b.read(part)
			if err != nil {
				return n, fmt.Errorf("reading the bytes of a file: %w", err)
			}
			b.part, b.data = part, bytes.Clone(data)
		}
		within := at - b.part*partBytes
		if within >= int64(len(b.data)) {
			return n, io.ErrUnexpectedEOF
		}
		copied := copy(p[n:], b.data[within:])
		n, at = n+copied, at+int64(copied)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
