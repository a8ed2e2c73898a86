// Command release makes the parts of a release that goreleaser has no step for, and
// holds the whole of it to what is promised:
//
//	go run ./scripts/release licences          THIRD_PARTY_LICENSES is what the program links
//	go run ./scripts/release licences -write   write it anew
//	go run ./scripts/release sbom -o FILE ARCHIVE|PROGRAM
//	go run ./scripts/release image -o FILE PROGRAM
//	go run ./scripts/release hold DIST         look at everything in a finished release
//
// What it promises: its output depends on the program and the repository alone, never
// on the clock, the machine or the folder, so that two builds of one commit are the
// same bytes. All times are the commit's, which the program carries.
//
// To change which platforms there are, edit targets here and .goreleaser.yaml; which
// licences may be linked, licence.go; what is in an image, image.go.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// target is a platform that a release has a program for.
type target struct{ os, arch string }

// targets are all of them. Windows is none: the lock on the data directory, the free
// space of its disk and the end of a child's whole process group are Unix's.
func targets() []target {
	return []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say what: licences, sbom, image or hold")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	write := flags.Bool("write", false, "write the file anew")
	out := flags.String("o", "", "the file to write")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	root, err := repository()
	if err != nil {
		return err
	}
	switch args[0] {
	case "licences":
		return licences(root, *write)
	case "sbom", "image":
		if flags.NArg() != 1 || *out == "" {
			return fmt.Errorf("%s wants -o FILE and one file to read", args[0])
		}
		made, err := part(args[0], root, flags.Arg(0))
		if err != nil {
			return fmt.Errorf("%s of %s: %w", args[0], filepath.Base(flags.Arg(0)), err)
		}
		return os.WriteFile(*out, made, 0o644)
	case "hold":
		if flags.NArg() != 1 {
			return errors.New("hold wants the folder that goreleaser has made")
		}
		return hold(root, flags.Arg(0))
	default:
		return fmt.Errorf("there is no %q: licences, sbom, image or hold", args[0])
	}
}

// part makes one file of a release from the program, or from an archive that has it.
func part(what, root, path string) ([]byte, error) {
	p, err := open(path)
	if err != nil {
		return nil, err
	}
	if what == "image" {
		return image(root, p)
	}
	inv, err := survey(root)
	if err != nil {
		return nil, err
	}
	return sbom(inv, p)
}

// repository is the folder with go.mod, wherever in it this was started.
func repository() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("asking for the repository: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return "", errors.New("start it inside the repository")
	}
	return filepath.Dir(path), nil
}
