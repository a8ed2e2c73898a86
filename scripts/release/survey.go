package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
)

// inventory is what the program has in it on each platform, and what of it is not ours.
type inventory struct {
	of     map[target]map[string]*module
	others []component // what Go links on any platform, and what the page has
	page   []library   // the latter again
}

// survey asks the Go tool, and reads all licences.
func survey(root string) (*inventory, error) {
	inv := &inventory{of: map[target]map[string]*module{}}
	var lock sync.Mutex
	var wait sync.WaitGroup
	var faults []error
	for _, t := range targets() {
		wait.Go(func() {
			found, err := linked(root, t)
			lock.Lock()
			defer lock.Unlock()
			inv.of[t], faults = found, append(faults, err)
		})
	}
	wait.Wait()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, fmt.Errorf("asking the Go tool: %w", err)
	}
	for _, m := range everywhere(inv.of) {
		if m.path == own {
			continue
		}
		c, err := read(m, strings.TrimSpace(string(goroot)))
		if err != nil {
			return nil, err
		}
		inv.others = append(inv.others, c)
	}
	if inv.page, err = libraries(root); err != nil {
		return nil, err
	}
	for _, l := range inv.page {
		inv.others = append(inv.others, l.component)
	}
	return inv, nil
}
