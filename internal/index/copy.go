package index

import (
	"context"
	"fmt"
)

// copyPage is how many documents, of at most MaxContent, are in memory at once.
const copyPage = 20

// Whole gives back all that it has. Package sqlite has it.
type Whole interface {
	Projects(ctx context.Context) ([]string, error)
	Sources(ctx context.Context, project, after string, limit int) ([]Source, error)
	// Entries returns a source's documents as they were put, in the order of their paths.
	Entries(ctx context.Context, project, source, after string, limit int) ([]Entry, error)
}

// Copied says how much was copied.
type Copied struct {
	Sources, Documents int
	Bytes              int64
}

// Copy brings all that one backing has into another one, and holds what each source
// then has there against what it has here.
func Copy(ctx context.Context, from Whole, to interface {
	Write(ctx context.Context, project string, change func(context.Context, Tx) error) error
}) (all Copied, err error) {
	projects, err := from.Projects(ctx)
	if err != nil {
		return all, err
	}
	for _, project := range projects {
		for after, more := "", true; more; {
			page, err := from.Sources(ctx, project, after, copyPage)
			if err != nil {
				return all, err
			}
			for _, source := range page {
				after = source.ID
				err := to.Write(ctx, clean(project), func(ctx context.Context, tx Tx) error { return copySource(ctx, from, tx, project, source) })
				if err != nil {
					return all, err
				}
				all.Sources, all.Documents, all.Bytes = all.Sources+1, all.Documents+source.Documents, all.Bytes+source.Bytes
			}
			more = len(page) == copyPage
		}
	}
	return all, nil
}

func copySource(ctx context.Context, from Whole, tx Tx, project string, source Source) error {
	want := source
	want.Name, want.URL, want.Origin = clean(want.Name), clean(want.URL), clean(want.Origin)
	if err := tx.Keep(ctx, &want); err != nil {
		return err
	}
	for after, more := "", true; more; {
		page, err := from.Entries(ctx, project, source.ID, after, copyPage)
		if err != nil {
			return err
		}
		for i := range page {
			d := &page[i]
			after = d.Path
			for _, field := range []*string{&d.Path, &d.URL, &d.Title, &d.Text, &d.Digest, &d.Modified} {
				*field = clean(*field) // what earlier versions took as it came
			}
		}
		if err := tx.Put(ctx, source.ID, page); err != nil {
			return err
		}
		more = len(page) == copyPage
	}
	got, err := tx.Read(ctx, source.ID)
	if err == nil && got != want {
		err = fmt.Errorf("%d documents of %s with %d bytes have arrived, and %d with %d were sent", got.Documents, want.Name, got.Bytes, want.Documents, want.Bytes)
	}
	return err
}
