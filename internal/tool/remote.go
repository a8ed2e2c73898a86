package tool

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"errand/internal/run"
)

// Remote knows tools that live on other servers. internal/tool/mcp has the
// implementation.
type Remote interface {
	// Has reports whether a name is taken by a server of the operator's.
	Has(name string) bool
	// Find returns the tool of this name, with the check that holds a commit to
	// it, or a not_found problem.
	Find(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error)
	// Tools returns those that the project can use by name.
	Tools(ctx context.Context, project string) ([]run.Tool, error)
	// Call makes a call by the definition that call.Tool.Version names, or refuses.
	Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error)
}

// separator stands between a server and its tool, in the name of one that lives
// on another server.
const separator = "__"

// served reports whether a tool of this name may live on another server.
func (s *Set) served(name string) bool { return s.remote != nil && strings.Contains(name, separator) }

// elsewhere returns what other servers have, as entries of a list.
func (s *Set) elsewhere(ctx context.Context, project string) ([]Entry, error) {
	if s.remote == nil {
		return nil, nil
	}
	tools, err := s.remote.Tools(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("listing tools of other servers: %w", err)
	}
	entries := make([]Entry, len(tools))
	for i, t := range tools {
		entries[i] = Entry{Tool: t, Origin: Served}
	}
	return entries, nil
}

// byName sorts a list. Of two entries with one name the first is the one that is
// called.
func byName(entries []Entry) []Entry {
	slices.SortStableFunc(entries, func(a, b Entry) int { return strings.Compare(a.Tool.Name, b.Tool.Name) })
	return slices.CompactFunc(entries, func(a, b Entry) bool { return a.Tool.Name == b.Tool.Name })
}
