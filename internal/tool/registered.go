package tool

import (
	"context"
	"fmt"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// compiled is a definition with what is made of it once.
type compiled struct {
	definition Definition
	tool       run.Tool
	row        run.Row // without Data; zero for the operator's tools
	locked     error   // its headers can't be opened: it can be seen, changed and removed, not called
}

func compile(d Definition) *compiled { return &compiled{definition: d, tool: d.Describe()} }

func (c *compiled) public() *Definition {
	shown := c.definition.Public()
	return &shown
}

func (c *compiled) entry() Entry {
	return Entry{
		Tool: c.tool, Origin: Registered, Definition: c.public(),
		ID: c.row.ID, Created: c.row.Created, RowVersion: c.row.Version,
	}
}

// registered reads the tool's row, so that a change on any node is seen, and
// compiles it unless this version of the row is known.
func (s *Set) registered(ctx context.Context, project, name string) (*compiled, error) {
	if s.rows == nil || !ValidName(name) {
		return nil, unknown(name)
	}
	row, err := s.rows.RowByName(ctx, RowKind, project, name)
	if problem.Is(err, problem.NotFound) {
		return nil, unknown(name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading tool %s: %w", name, err)
	}
	return s.compile(row)
}

func unknown(name string) error {
	return problem.New(problem.NotFound, "no tool is named %q in this project: GET /v1/tools lists those that are there", Cut(name, 64))
}

func (s *Set) entry(row run.Row) (Entry, error) {
	c, err := s.compile(row)
	if err != nil {
		return Entry{}, err
	}
	return c.entry(), nil
}

func (s *Set) compile(row run.Row) (*compiled, error) {
	if c := s.cache.row(row); c != nil {
		return c, nil
	}
	d, err := s.Reveal(row.Data)
	locked := problem.Is(err, problem.ToolFailed)
	if err != nil && !locked {
		return nil, fmt.Errorf("reading the stored definition of tool %s: %w", row.Name, err)
	}
	d = d.WithDefaults()
	d.Name = row.Name
	c := compile(d)
	if locked {
		c.locked = err
	}
	c.row = row
	c.row.Data = nil
	s.cache.put(c)
	return c, nil
}

// maxCompiled bounds the cache: more tools than the projects of a busy server
// use at a time.
const maxCompiled = 4096

// cache keeps the newest compiled form of each registered tool.
type cache struct {
	mu   sync.RWMutex
	kept map[cacheKey]*compiled
}

type cacheKey struct{ project, name string }

// row returns the compiled form of exactly this row, or nil.
func (c *cache) row(row run.Row) *compiled {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if found := c.kept[cacheKey{row.Project, row.Name}]; found != nil && found.row.ID == row.ID && found.row.Version == row.Version {
		return found
	}
	return nil
}

// version returns the compiled form if it has this version, or nil.
func (c *cache) version(project, name, version string) *compiled {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if found := c.kept[cacheKey{project, name}]; found != nil && found.tool.Version == version {
		return found
	}
	return nil
}

func (c *cache) put(made *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= maxCompiled {
		c.kept = map[cacheKey]*compiled{} // all at once: simpler than ages, and rare
	}
	c.kept[cacheKey{made.row.Project, made.row.Name}] = made
}

func (c *cache) secrets() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var secrets []string
	for _, made := range c.kept {
		secrets = append(secrets, made.definition.Secrets()...)
	}
	return secrets
}
