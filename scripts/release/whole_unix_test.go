//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestRelease makes a whole release of HEAD and makes it again elsewhere, which takes a
// quarter of an hour, or takes the one in a folder that it is told; it looks whether
// what is wrong would be found, and starts what is in the image as the image's user.
func TestRelease(t *testing.T) {
	given, dist := os.Getenv("ERRAND_RELEASE"), t.TempDir()
	switch given {
	case "":
		t.Skip("set ERRAND_RELEASE=1 to build a release twice, or to the folder of one that is there")
	case "1":
		twice(t, dist)
	default:
		if err := os.CopyFS(dist, os.DirFS(given)); err != nil {
			t.Fatal(err)
		}
	}
	holdsWhatIsWrong(t, dist)
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Log("the image is not started: that needs Linux and root")
		return
	}
	images, err := filepath.Glob(filepath.Join(dist, "errand_*_linux_"+runtime.GOARCH+".image.tar"))
	if err != nil || len(images) != 1 {
		t.Fatalf("there are %d images, %v", len(images), err)
	}
	inside := unpackImage(t, must(os.ReadFile(images[0])))
	if said := contain(t, inside, "version"); !strings.HasPrefix(said, "errand v") {
		t.Errorf("the program in the image says %q", said)
	}
	if said := contain(t, inside, "run", "--model", "offline", "--tool", "time.now", "What time is it in Lisbon?"); !strings.Contains(said, "Europe/Lisbon") {
		t.Errorf("a run in the image says %q", said)
	}
}

func twice(t *testing.T, dist string) {
	t.Helper()
	for _, args := range [][]string{{"release.sh", "--snapshot", "--into", dist}, {"reproduce.sh", "--snapshot", filepath.Join(dist, "checksums.txt")}} {
		cmd := exec.Command(filepath.Join("scripts", args[0]), args[1:]...)
		cmd.Dir = root
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, said)
		}
	}
}

// holdsWhatIsWrong spoils one file after the other and wants each to be found.
func holdsWhatIsWrong(t *testing.T, dist string) {
	t.Helper()
	if err := hold(root, dist); err != nil {
		t.Fatalf("a release as it should be: %v", err)
	}
	for _, pattern := range []string{"*_linux_arm64.tar.gz", "*_darwin_amd64.tar.gz.cdx.json", "*_linux_amd64.image.tar", "checksums.txt"} {
		files, err := filepath.Glob(filepath.Join(dist, pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("there are %d files %s, %v", len(files), pattern, err)
		}
		body := must(os.ReadFile(files[0]))
		spoilt := append([]byte{body[0] ^ 1}, body[1:]...)
		if err := os.WriteFile(files[0], spoilt, 0o644); err != nil {
			t.Fatal(err)
		}
		if hold(root, dist) == nil {
			t.Errorf("a release with a spoilt %s was taken", filepath.Base(files[0]))
		}
		if err := os.WriteFile(files[0], body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// unpackImage makes a folder with what a container of the image would see.
func unpackImage(t *testing.T, image []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil { // which is / to its user
		t.Fatal(err)
	}
	for _, part := range must(unpack(image)) {
		layer, err := unpack(part.body)
		if err != nil || len(part.body) == 0 {
			continue // a part of the layout that is no layer
		}
		for _, e := range layer {
			path, mode := filepath.Join(dir, e.head.Name), e.head.FileInfo().Mode()
			if mode.IsDir() {
				err = os.MkdirAll(path, 0o755)
			} else {
				err = os.WriteFile(path, e.body, 0o600)
			}
			if err == nil {
				err = os.Chown(path, e.head.Uid, e.head.Gid)
			}
			if err == nil {
				err = os.Chmod(path, mode)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// contain starts the program with nothing in sight but the image, and as its user.
func contain(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("/"+executable, args...)
	cmd.Err = nil // it is looked for inside
	cmd.Dir, cmd.Env = "/"+state, []string{"HOME=/" + state, "ERRAND_DATA=/" + state + "/data"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir, Credential: &syscall.Credential{Uid: nonroot, Gid: nonroot}}
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("errand %s in the image: %v\n%s", strings.Join(args, " "), err, said)
	}
	return string(said)
}
