package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func box(t *testing.T, fill byte) *Box {
	t.Helper()
	b, err := New(bytes.Repeat([]byte{fill}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSeal(t *testing.T) {
	b := box(t, 1)
	for _, plain := range []string{"", "x", "a token of some length"} {
		sealed := b.Seal([]byte(plain), "project/server")
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("%q can be read in what was sealed", plain)
		}
		if again := b.Seal([]byte(plain), "project/server"); bytes.Equal(again, sealed) {
			t.Errorf("%q gives the same bytes twice", plain)
		}
		opened, err := b.Open(sealed, "project/server")
		if err != nil || string(opened) != plain {
			t.Errorf("opened %q, %v; want %q", opened, err, plain)
		}
	}
}

func TestSealedElsewhere(t *testing.T) {
	b := box(t, 1)
	sealed := b.Seal([]byte("token"), "project/server")
	refuse := func(name string, by *Box, sealed []byte, context string) {
		t.Helper()
		if plain, err := by.Open(sealed, context); !errors.Is(err, ErrSealed) || plain != nil {
			t.Errorf("%s: opened %q, %v", name, plain, err)
		}
	}
	refuse("another context", b, sealed, "project/other")
	refuse("another key", box(t, 2), sealed, "project/server")
	refuse("nothing", b, nil, "project/server")
	refuse("cut short", b, sealed[:8], "project/server")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refuse("a changed byte", b, changed, "project/server")
	}
}

func TestKeyFile(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, KeyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != KeySize {
		t.Fatalf("the key's file is %v, %v", info, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside the key there is %v, %v", entries, err)
	}
	sealed := first.Seal([]byte("token"), "c")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := second.Open(sealed, "c"); err != nil || string(plain) != "token" {
		t.Errorf("after a restart: %q, %v", plain, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key stayed readable by others: %v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a key of 5 bytes was taken")
	}
}
