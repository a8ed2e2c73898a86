package seal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is the key's name in the data directory.
const KeyFile = "seal.key"

// Load returns a box with the key of a data directory, which must exist. Where
// there is no key yet, it makes one and returns when it is on disk: nothing must
// ever be sealed with a key that a power cut can take.
func Load(dir string) (*Box, error) {
	path := filepath.Join(dir, KeyFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sealing key: %w", err)
	}
	box, err := New(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put back the one that belongs to this data, or remove it: credentials sealed with it must then be given again", path, err)
	}
	return box, private(path)
}

// private keeps others from reading the key, which a restored copy may let them. A
// key whose mode can't be changed, on a read-only disk or another user's, is taken
// as it is if only its owner and group can read it.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil && info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("the sealing key can be read by everyone on this machine, and that can't be changed: %w", err)
	}
	return nil
}

func create(path string) ([]byte, error) {
	key := make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), KeyFile+".*") // with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(key)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	// A link fails where a rename would replace: of two servers that start at
	// once, both end up with the key of the first.
	if err = os.Link(file.Name(), path); errors.Is(err, fs.ErrExist) {
		return os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	return key, syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
