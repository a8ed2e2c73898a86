package remote

import (
	"crypto/sha256"
	"encoding/hex"

	"errand/internal/run"
)

// maxName is the longest tool name that OpenAI and Anthropic take.
const maxName = 64

// Names maps the tools of one request to names that are legal on the wire and
// back. Most requests have a handful of tools, so it is a list.
type Names []struct{ Own, Wire string }

// NewNames gives each tool its name on the wire. A name that is legal as it is
// stays; of several that would become the same, only the first does.
func NewNames(tools []run.Tool) Names {
	all := make(Names, len(tools))
	taken := make(map[string]bool, len(tools))
	for i := range tools {
		all[i].Own = tools[i].Name
		if Legal(tools[i].Name) {
			all[i].Wire = tools[i].Name
			taken[tools[i].Name] = true
		}
	}
	for i := range all {
		if all[i].Wire == "" {
			wire := wireName(all[i].Own)
			for seed := all[i].Own; taken[wire]; seed += "\x00" { // a digest can be met too, by whoever wants to
				wire = hashed(wireName(all[i].Own), seed)
			}
			all[i].Wire = wire
			taken[wire] = true
		}
	}
	return all
}

// ToWire is the wire's name of a tool, also of one that a model invented and
// that stands in the history.
func (n Names) ToWire(own string) string {
	for i := range n {
		if n[i].Own == own {
			return n[i].Wire
		}
	}
	if Legal(own) {
		return own
	}
	return wireName(own)
}

// Required is the wire's name of the tool that the reply must call, or run.AnyTool,
// which is no name on any wire; "" when there is none among the tools of the request.
func (n Names) Required(req *run.Request) string {
	if req.Require == run.AnyTool && len(n) > 0 {
		return run.AnyTool
	}
	for i := range n {
		if req.Require != "" && n[i].Own == req.Require {
			return n[i].Wire
		}
	}
	return ""
}

// Own undoes ToWire. A name that was not offered stays as it is.
func (n Names) Own(wire string) string {
	for i := range n {
		if n[i].Wire == wire {
			return n[i].Own
		}
	}
	return wire
}

// Legal reports whether a name, or an id, is taken by every provider as it is.
func Legal(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i := range len(name) {
		if !LegalByte(name[i]) {
			return false
		}
	}
	return true
}

// LegalByte reports whether a name may have this byte.
func LegalByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// wireName replaces each character that is not legal by one underscore.
func wireName(own string) string {
	wire := make([]byte, 0, len(own))
	for _, r := range own {
		if r < 0x80 && LegalByte(byte(r)) {
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
