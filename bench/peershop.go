package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peersFrom has what is ours of each peer: its agents, and the versions of its packages.
var peersFrom = filepath.Join("bench", "peers")

// install puts the peers that are compared into the shop: exactly what their lock files
// name. What is there already, from the same files, is left as it is.
func (c *contest) install(ctx context.Context) error {
	done := map[string]bool{"": true}
	for _, r := range c.rivals {
		if done[r.folder] {
			continue
		}
		done[r.folder] = true
		if err := c.fetch(ctx, r.folder); err != nil {
			return fmt.Errorf("installing %s: %w", r.folder, err)
		}
	}
	return nil
}

func (c *contest) fetch(ctx context.Context, folder string) error {
	from, to := filepath.Join(peersFrom, folder), filepath.Join(c.shop, folder)
	want, err := digest(from)
	if err != nil {
		return err
	}
	mark := filepath.Join(to, ".installed")
	if have, err := os.ReadFile(mark); err == nil && string(have) == want {
		return nil
	}
	progress("installing %s from the npm registry", folder)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	// No script of a package is run: what is measured needs none. It is not npm ci, which
	// wants builds for every platform to be in the lock file, and npm leaves some out.
	if err := c.npm(ctx, to, "npm", "install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	if folder == "mastra" {
		if err := c.npm(ctx, to, "npx", "mastra", "build"); err != nil {
			return err
		}
	}
	return os.WriteFile(mark, []byte(want), 0o600)
}

// npm runs a program of npm's in a directory.
func (c *contest) npm(ctx context.Context, dir, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "MASTRA_TELEMETRY_DISABLED=1", "CI=true", "npm_config_ignore_scripts=true")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said)
	}
	return nil
}

// digest is of all files below a directory, with their names.
func digest(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// version is that of a package as it is installed.
func (c *contest) version(folder, pack string) (string, error) {
	text, err := os.ReadFile(filepath.Join(c.shop, folder, "node_modules", filepath.FromSlash(pack), "package.json"))
	if err != nil {
		return "", err
	}
	var found struct{ Version string }
	if err := json.Unmarshal(text, &found); err != nil {
		return "", fmt.Errorf("%s: %w", pack, err)
	}
	return found.Version, nil
}
