package app

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRestore: an archive that errand backup has not made is refused, and writes
// nothing outside of the directory that it is unpacked into, no link and nothing that
// may be executed.
func FuzzRestore(f *testing.F) {
	archive := func(headers ...tar.Header) []byte {
		var made bytes.Buffer
		w := tar.NewWriter(&made)
		for i := range headers {
			body := []byte(`{"format":1,"files":[]}`)
			headers[i].Size, headers[i].Mode = int64(len(body)), 0o777
			if headers[i].Typeflag != tar.TypeReg {
				headers[i].Size, body = 0, nil
			}
			if err := w.WriteHeader(&headers[i]); err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write(body); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		return made.Bytes()
	}
	f.Add(archive(tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "../out", Typeflag: tar.TypeReg}, tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "/tmp/out", Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "files/a", Typeflag: tar.TypeReg}, tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "link", Linkname: "../..", Typeflag: tar.TypeSymlink}, tar.Header{Name: "link/out", Typeflag: tar.TypeReg}))
	f.Add([]byte(`{"format":99}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		top := t.TempDir()
		dir, source := filepath.Join(top, "a", "data"), filepath.Join(top, "backup.tar")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(t.Context(), source, dir) // most are refused; what counts is what is left
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path == source {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if inside, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(inside) || !info.Mode().IsRegular() || info.Mode()&0o111 != 0 {
				t.Errorf("it left %s, %s", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
