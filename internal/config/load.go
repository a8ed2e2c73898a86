package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// defaultFile is read when it is there and no other is named.
const defaultFile = "errand.yaml"

// Source is where settings come from.
type Source struct {
	// Flags are the command line's, by name without dashes; empty = not given.
	Flags map[string]string
	// Env are the variables, NAME=value.
	Env []string
	// Dir is the working directory: relative paths of flags and environment
	// start here. Empty = the process's.
	Dir string
}

// Load reads the settings: defaults, then the file, then the environment, then
// flags. The file is --config, ERRAND_CONFIG, or errand.yaml in Dir if there.
func Load(src Source) (Config, error) {
	cfg := Defaults()
	env := Environment(src.Env)
	path, named := fileOf(src, env)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && !named:
	case err != nil:
		return cfg, fmt.Errorf("reading the settings: %w", err)
	default:
		cfg.File = path
		if err := cfg.decodeFile(path, text, env); err != nil {
			return cfg, err
		}
	}
	if err := cfg.applyEnvironment(env); err != nil {
		return cfg, err
	}
	if err := cfg.applyFlags(src.Flags); err != nil {
		return cfg, err
	}
	cfg.Data = within(src.Dir, cfg.Data)
	cfg.TLSCert = within(src.Dir, cfg.TLSCert)
	cfg.TLSKey = within(src.Dir, cfg.TLSKey)
	cfg.PricesFile = within(src.Dir, cfg.PricesFile)
	if err := cfg.takePrices(); err != nil {
		return cfg, err
	}
	return cfg, cfg.check()
}

func fileOf(src Source, env map[string]string) (path string, named bool) {
	path = src.Flags["config"]
	if path == "" {
		path = env["ERRAND_CONFIG"]
	}
	if path == "" {
		return within(src.Dir, defaultFile), false
	}
	return within(src.Dir, path), true
}

// within makes a relative path start at dir.
func within(dir, path string) string {
	if path == "" || dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// Environment makes a map of NAME=value lines; the last of a name counts.
func Environment(lines []string) map[string]string {
	env := make(map[string]string, len(lines))
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return env
}
