package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"errand/internal/problem"
)

// lockName is a file of its own, because SQLite's locks on the database file are
// per transaction, and closing any descriptor of that file would drop them.
const lockName = "errand.lock"

// prepareDir makes the directory, or closes it to other users. A sticky directory
// such as /tmp is shared on purpose and stays as it is; the files are 0600 anyway.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the data directory: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 || info.Mode()&fs.ModeSticky != 0 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("closing the data directory to other users: %w", err)
	}
	return nil
}

// prepareFiles makes the database file before SQLite does, because SQLite gives
// the -wal and -shm files that it makes later the mode of this one.
func prepareFiles(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("opening the database file: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("closing a database file to other users: %w", err)
		}
	}
	return nil
}

// lock holds a directory for one process. The kernel drops it with the process,
// however that ends.
type lock struct{ file *os.File }

func takeLock(dir string) (*lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder := readPID(file)
		file.Close()
		return nil, problem.New(problem.Conflict, "The data directory %s is in use by %s. "+
			"Stop that process, or name another directory with --data.", dir, holder)
	}
	if err == nil {
		err = writePID(file)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	return &lock{file: file}, nil
}

// Holder says who has a directory, or "" when nobody does. It asks for the lock for a
// moment: a server that starts in it finds the directory in use.
func Holder(dir string) string {
	file, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return ""
	}
	defer file.Close() // it lets a lock go, too
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return readPID(file)
	}
	return ""
}

func readPID(file *os.File) string {
	text := make([]byte, 20)
	n, _ := file.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return "another process" // it has the lock and is about to write its pid
	}
	return fmt.Sprintf("the process with pid %d", pid)
}

func writePID(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	// A full disk has no room for the pid. The lock holds without it, and a
	// server that can still read is worth more than a name in a message.
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

// release leaves the file in place: removing it would let two processes lock two
// files of the same name.
func (l *lock) release() error { return l.file.Close() }

// diskFull reports whether the directory's disk has no room for even a small
// transaction: then it is why an I/O error happened, whatever SQLite calls it.
func diskFull(dir string) bool {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return false
	}
	return stat.Bavail*uint64(stat.Bsize) < 32<<10
}
