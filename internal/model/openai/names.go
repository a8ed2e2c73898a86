package openai

import (
	"crypto/sha256"
	"encoding/hex"

	"errand/internal/run"
)

// maxName is the longest tool name that OpenAI and Anthropic take.
const maxName = 64

// names maps the tools of one request to names that are legal on the wire and
// back. Most requests have a handful of tools, so it is a list.
type names []struct{ own, wire string }

// newNames gives each tool its name on the wire. A name that is legal as it is
// stays; of several that would become the same, only the first does.
func newNames(tools []run.Tool) names {
	all := make(names, len(tools))
	taken := make(map[string]bool, len(tools))
	for i := range tools {
		all[i].own = tools[i].Name
		if legal(tools[i].Name) {
			all[i].wire = tools[i].Name
			taken[tools[i].Name] = true
		}
	}
	for i := range all {
		if all[i].wire == "" {
			wire := wireName(all[i].own)
			if taken[wire] {
				wire = hashed(wire, all[i].own)
			}
			all[i].wire = wire
			taken[wire] = true
		}
	}
	return all
}

// toWire is the wire's name of a tool, also of one that a model invented and
// that stands in the history.
func (n names) toWire(own string) string {
	for i := range n {
		if n[i].own == own {
			return n[i].wire
		}
	}
	if legal(own) {
		return own
	}
	return wireName(own)
}

// own undoes toWire. A name that was not offered stays as it is.
func (n names) own(wire string) string {
	for i := range n {
		if n[i].wire == wire {
			return n[i].own
		}
	}
	return wire
}

func legal(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if !legalByte(name[i]) {
			return false
		}
	}
	return true
}

func legalByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// wireName replaces each character that is not legal by one underscore.
func wireName(own string) string {
	wire := make([]byte, 0, len(own))
	for _, r := range own {
		if r < 0x80 && legalByte(byte(r)) {
			wire = append(wire, byte(r))
		} else {
			wire = append(wire, '_')
		}
	}
	if len(wire) == 0 {
		return "_"
	}
	if len(wire) > maxName {
		return hashed(string(wire), own)
	}
	return string(wire)
}

// hashed makes a name unique by eight digits of what it stands for.
func hashed(wire, own string) string {
	sum := sha256.Sum256([]byte(own))
	suffix := "_" + hex.EncodeToString(sum[:4])
	return wire[:min(len(wire), maxName-len(suffix))] + suffix
}
