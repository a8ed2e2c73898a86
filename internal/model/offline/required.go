package offline

import (
	"slices"
	"strings"

	"errand/internal/run"
)

// required calls the tool that the reply must call, with what the task gives it. If
// nothing does, it says so like any other rule: it invents nothing.
func required(t *turn) (move, bool) {
	if t.req.Require == "" || slices.ContainsFunc(t.calls, func(f fact) bool { return t.mustCall(f.call.Name) }) {
		return move{}, false
	}
	p := t.plan()
	for _, call := range slices.Concat(t.missing(p.reads), t.missing(p.acts)) {
		if t.mustCall(call.tool.Name) {
			return t.call([]planned{call})
		}
	}
	w := t.latest()
	f := filler{wish: w, letter: &letter{wish: w, orders: t.orders}, sources: append(sources(), source{"the task itself", false, taskItself})}
	for _, tool := range t.candidates(w) {
		filled := f
		arguments, against := t.arguments(tool, &filled)
		if against == "" {
			return t.call([]planned{{tool: tool, arguments: arguments, key: key(tool.Name, arguments)}})
		}
		t.note(tool, against)
	}
	return move{}, false
}

func (t *turn) mustCall(name string) bool {
	return name == t.req.Require || t.req.Require == run.AnyTool
}

// candidates are the tools that will do, those that most speaks for first.
func (t *turn) candidates(w *wish) []*tool {
	var found []*tool
	for i := range t.tools {
		if t.mustCall(t.tools[i].Name) {
			found = append(found, &t.tools[i])
		}
	}
	slices.SortStableFunc(found, func(a, b *tool) int {
		if a.reads != b.reads && t.score(a, w) == t.score(b, w) {
			if a.reads {
				return -1
			}
			return 1
		}
		return t.score(b, w) - t.score(a, w)
	})
	return found
}

// taskItself gives the task's words to any text that is wanted.
func taskItself(f *filler, p *param) []any {
	if !p.shape.is("string") || strings.TrimSpace(f.wish.text) == "" {
		return nil
	}
	return []any{strings.TrimSpace(f.wish.text)}
}
