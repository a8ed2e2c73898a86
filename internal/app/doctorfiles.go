package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	indextables "errand/internal/index/postgres"
)

// blobKeeper has the bytes of files where several nodes find them.
type blobKeeper interface {
	byteKeeper
	// Loose names bytes that no file has and nobody is about to give one.
	Loose(ctx context.Context, limit int) ([]string, error)
}

// checkFiles reads the bytes of all files, wherever they are.
func (d *doctor) checkFiles(ctx context.Context, dir string) check {
	there, _, err := d.projects(ctx)
	var sizes map[string]int64
	if err == nil {
		_, sizes, err = d.digests(ctx, there)
	}
	if err != nil {
		return check{what: "files", err: err}
	}
	var bytes byteKeeper = storedFiles(dir)
	if d.blobs != nil {
		bytes = d.blobs
	}
	n, err := checkFiles(ctx, d.keeper, bytes, sizes)
	if d.blobs != nil {
		err = errors.Join(err, d.looseBytes(ctx))
	}
	return check{what: "files", how: fmt.Sprintf("%d contents, each with the bytes of its digest", n), err: err}
}

// checkIndex holds what is said of each project's part of the index against what it has.
func checkIndex(ctx context.Context, index *indextables.Backing) check {
	c := check{what: "index", how: "quotas and ranks count what is there"}
	wrong, err := index.Drift(ctx)
	if c.err = err; len(wrong) > 0 {
		c.err = fmt.Errorf("what is counted of the search index of %s is not what it has: remove a source there and add it again", strings.Join(wrong, ", "))
	}
	return c
}

// looseBytes finds bytes in the database that belong to no file.
func (d *doctor) looseBytes(ctx context.Context) error {
	loose, err := d.blobs.Loose(ctx, faultsShown)
	if err != nil {
		return err
	}
	var left faults
	for _, digest := range loose {
		left.add("the bytes %.8s… belong to no file", digest)
	}
	return left.err()
}
