package file

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"errand/internal/problem"
)

// Staged is a file whose bytes are on disk and that nobody has yet.
type Staged struct {
	Digest string
	Size   int64
	Type   string // as the bytes say; empty = none of the accepted ones
	path   string
}

// partPattern names uploads on their way.
const partPattern = "part-*"

// Stage reads a file to its end and puts its bytes on disk. The result must be
// discarded in any case; that does nothing to what was kept.
func (s *Store) Stage(from io.Reader) (*Staged, error) {
	part, err := os.CreateTemp(s.temporary(), partPattern)
	if err != nil {
		return nil, diskFault("making a file", err)
	}
	staged := &Staged{path: part.Name()}
	hash, look := sha256.New(), &sniffer{}
	from = &source{Reader: io.LimitReader(from, MaxSize+1)}
	staged.Size, err = io.Copy(io.MultiWriter(part, hash, look), from)
	if err == nil {
		err = part.Sync()
	}
	err = errors.Join(err, part.Close())
	if failed := from.(*source).err; failed != nil {
		err = failed // the sender's fault comes first: it is a problem already
	} else if err != nil {
		err = diskFault("writing a file", err)
	}
	switch {
	case err == nil && staged.Size > MaxSize:
		err = problem.New(problem.TooLarge, "The file is larger than the %d MB that are possible here.", MaxSize>>20)
	case err == nil && staged.Size == 0:
		err = problem.Invalid("file", "is empty.")
	}
	if err != nil {
		staged.Discard()
		return nil, err
	}
	staged.Digest, staged.Type = hex.EncodeToString(hash.Sum(nil)), look.kind()
	return staged, nil
}

// Discard forgets a file that was not kept.
func (st *Staged) Discard() { _ = os.Remove(st.path) } // what stays is removed at the next start

// source remembers how reading failed: io.Copy does not tell that from writing.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// diskFault is a full disk in public words, or what went wrong.
func diskFault(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return problem.New(problem.StorageFull, "The disk of this server is full: the file was not stored.").Because(err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
