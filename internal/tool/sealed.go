package tool

import (
	"encoding/json"
	"strings"

	"errand/internal/problem"
	"errand/internal/secret"
)

// Sealer encrypts what must not stand in a database as it is. internal/seal has the
// implementation.
type Sealer interface {
	// Seal encrypts a value for a place.
	Seal(value []byte, context string) []byte
	// Open returns what was sealed for this place.
	Open(sealed []byte, context string) ([]byte, error)
}

// stored is a definition as its row holds it: the header values, which are secrets,
// are sealed. Rows of earlier versions have them as they are, until the next change.
type stored struct {
	Definition
	Sealed []byte `json:"sealed_headers,omitempty"`
}

// place is what headers are sealed for. With the address in it, somebody who can
// write the database, but has no key, can't have them sent elsewhere.
func (d *Definition) place() string { return "tool headers\x00" + d.Name + "\x00" + d.URL }

// MayKeep reports whether a changed definition may take over the header values of the
// one before, from a change that does not name them. Not if it sends them elsewhere:
// else whoever may change a tool could have its secrets sent to themselves.
func (d *Definition) MayKeep(before *Definition) error {
	if len(before.Headers) == 0 || d.URL == before.URL {
		return nil
	}
	return problem.Invalid("headers", "give the headers anew: url leads elsewhere now, and the values that are stored were given for the address before")
}

// Conceal returns the stored form of a definition.
func (s *Set) Conceal(d Definition) ([]byte, error) {
	kept := stored{Definition: d}
	if s.sealer != nil && len(d.Headers) > 0 {
		headers, err := json.Marshal(d.Headers)
		if err != nil {
			return nil, err
		}
		kept.Sealed, kept.Headers = s.sealer.Seal(headers, d.place()), nil
	}
	return json.Marshal(kept)
}

// Reveal reads the stored form of a definition. If its headers can't be opened,
// because the key that sealed them is gone, it returns the rest of it, and a
// tool_failed problem that says what to do.
func (s *Set) Reveal(data []byte) (Definition, error) {
	var kept stored
	if err := json.Unmarshal(data, &kept); err != nil {
		return Definition{}, err
	}
	if kept.Sealed == nil {
		return kept.Definition, nil
	}
	if s.sealer == nil {
		return kept.Definition, locked(kept.Name, nil)
	}
	headers, err := s.sealer.Open(kept.Sealed, kept.place())
	if err != nil {
		return kept.Definition, locked(kept.Name, err)
	}
	return kept.Definition, json.Unmarshal(headers, &kept.Headers)
}

func locked(name string, cause error) error {
	return problem.New(problem.ToolFailed, "The headers of %s can't be opened with this server's seal.key: put back the key that it had, or change the tool with its headers given anew.", name).Because(cause)
}

// Redact cuts the definition's secrets out of a text, also where they are encoded.
func (d Definition) Redact(text string) string {
	for _, value := range d.Secrets() {
		for _, form := range secret.Forms(value) {
			text = strings.ReplaceAll(text, form, "[redacted]")
		}
	}
	return text
}
