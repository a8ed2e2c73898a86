package arch

import (
	"fmt"
	"regexp"
	"strings"
)

// unfinished marks work that was put off. What is missing is said in the
// changelog or the documentation, where users read it, or it is done.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// finished is the rule that no file says that it is not.
func finished(h *house, p *pkg) []complaint {
	if p.dir == "internal/arch" { // names the words
		return nil
	}
	var found []complaint
	for _, f := range p.files {
		for _, group := range f.tree.Comments {
			for _, comment := range group.List {
				if word := unfinished.FindString(comment.Text); word != "" {
					found = append(found, complaint{h.at(comment), "unfinished", fmt.Sprintf("says %s: do it, or say in the documentation that it is not there", word)})
				}
			}
		}
	}
	return found
}

// finishedText is the same rule for what is not Go.
func finishedText(t text) []complaint {
	var found []complaint
	for i, line := range t.lines {
		if word := unfinished.FindString(line); word != "" {
			found = append(found, complaint{fmt.Sprintf("%s:%d", t.name, i+1), "unfinished", fmt.Sprintf("says %s: do it, or say plainly that it is not there", word)})
		}
	}
	return found
}

// textSize is the rule about the length of scripts and pages; documents, data and
// what others wrote have none.
func textSize(t text) []complaint {
	switch {
	case strings.HasSuffix(t.name, ".md"), strings.HasSuffix(t.name, ".yaml"), strings.HasSuffix(t.name, ".yml"),
		strings.HasSuffix(t.name, ".txtar"), strings.HasSuffix(t.name, ".sql"), strings.HasSuffix(t.name, ".html"), strings.Contains(t.name, ".min."):
		return nil
	case len(t.lines) > maxFileLines:
		return []complaint{{t.name, "size", fmt.Sprintf("has %d lines, at most %d: a file is one idea; give the second one a file of its own", len(t.lines), maxFileLines)}}
	}
	return nil
}
