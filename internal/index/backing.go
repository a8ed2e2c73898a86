package index

import "context"

// Backing keeps what is in an index: package sqlite in a file of a node's own,
// package postgres where all nodes of a cluster find it. It decides nothing: package
// indextest has the suite that each passes. Documents and sources that it is given are
// UTF-8 without zeros, titles and texts without Seam; what is asked for may be anything.
type Backing interface {
	Reader
	Writer
	// Close waits for what is under way.
	Close() error
}

// Reader reads what is kept. What is not there is no error.
type Reader interface {
	// Find returns the documents of the project that have any of the terms, those first
	// that bm25 puts first, where a word in a title says four times as much as one in
	// the text.
	Find(ctx context.Context, project string, q *Query, limit int) ([]Found, error)
	// Text returns the document at an address, or nil.
	Text(ctx context.Context, project, address string) (*Found, error)
	Lister
}

// Lister lists what is kept, in the order of the bytes of id or path.
type Lister interface {
	Sources(ctx context.Context, project, after string, limit int) ([]Source, error)
	// Source returns the one with that id or name; one without an id where there is none.
	Source(ctx context.Context, project, idOrName string) (Source, error)
	Documents(ctx context.Context, project, source, after string, limit int) ([]Document, error)
	// Projects names those that have something in the index.
	Projects(ctx context.Context) ([]string, error)
}

// Writer changes what is kept.
type Writer interface {
	// Write calls change in a transaction, with the context in which to use it: a backing
	// may give a change only so long. Meanwhile nobody else changes the project, on no
	// node. An error of change takes all of it back, and is returned.
	Write(ctx context.Context, project string, change func(context.Context, Tx) error) error
	// Clear removes up to limit documents of a project, and its sources with the last
	// of them, and returns how many of both there were.
	Clear(ctx context.Context, project string, limit int) (count int, err error)
}

// Tx is a project within a transaction. It lives as long as the call that it is for.
type Tx interface {
	// Bytes is how much text the project has.
	Bytes(ctx context.Context) (int64, error)
	SourceTx
	DocumentTx
}

// SourceTx changes sources.
type SourceTx interface {
	// Keep writes a source: one that is there keeps its name and the time when it was made.
	Keep(ctx context.Context, s *Source) error
	// Read returns a source with what it has now.
	Read(ctx context.Context, id string) (Source, error)
	// Drop removes a source with all that it has.
	Drop(ctx context.Context, id string) error
}

// DocumentTx changes the documents of a source.
type DocumentTx interface {
	// Digests returns those of the documents at these paths, by path.
	Digests(ctx context.Context, source string, paths []string) (map[string]string, error)
	// Put writes documents with paths that differ, in place of those that are there.
	Put(ctx context.Context, source string, documents []Entry) error
	// Remove removes documents and returns how many there were.
	Remove(ctx context.Context, source string, paths []string) (int, error)
}

// Found is a document that was looked for.
type Found struct {
	Title, URL, Modified string
	// Text is all of it or, where it was searched for, at least the part that has most
	// of the query's words.
	Text string
}

// Entry is a document on its way into the index.
type Entry struct {
	Path, URL, Title, Text, Digest, Modified string
	Bytes                                    int64 // of text, as it came
}
