package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// noticeFile has the licences of all that is in the program and not ours.
const noticeFile = "THIRD_PARTY_LICENSES"

// licences holds the file to what the program links, or writes it anew.
func licences(root string, write bool) error {
	inv, err := survey(root)
	if err != nil {
		return err
	}
	made := notice(inv.others)
	path := filepath.Join(root, noticeFile)
	if write {
		return os.WriteFile(path, []byte(made), 0o644)
	}
	there, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if string(there) != made {
		return fmt.Errorf("%s is not what the program links any more: run 'go run ./scripts/release licences -write', and read what has changed", noticeFile)
	}
	return nil
}

// notice writes the file: who is in it, then each text once, however many have it.
func notice(all []component) string {
	var texts []string
	of := map[string][]string{}
	for _, c := range all {
		for _, t := range c.texts {
			if of[t.body] == nil {
				texts = append(texts, t.body)
			}
			if !slices.Contains(of[t.body], c.title()) {
				of[t.body] = append(of[t.body], c.title())
			}
		}
	}
	var out strings.Builder
	out.WriteString(preface)
	for _, c := range all {
		var numbers []string
		for _, t := range c.texts {
			if n := fmt.Sprint(slices.Index(texts, t.body) + 1); !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
		fmt.Fprintf(&out, "  %s: %s [%s]\n", c.title(), c.licence, strings.Join(numbers, ", "))
	}
	for i, body := range texts {
		fmt.Fprintf(&out, "\n%s\n[%d] %s\n\n%s", strings.Repeat("=", 80), i+1, strings.Join(of[body], "\n    "), body)
	}
	return out.String()
}

const preface = `What is in Errand and was written by others

Errand itself is under the Apache License 2.0, in the file LICENSE. The program also
has the Go modules, and the page under /ui/ the npm packages, that are listed here with
their licences; the numbers lead to the texts below, which these ask to be kept.

The source of each, in the very version that was built, is what these commands get:

  go mod download -json MODULE@VERSION
  npm pack PACKAGE@VERSION

`

func (c component) title() string { return strings.TrimSpace(c.name + " " + c.version) }
