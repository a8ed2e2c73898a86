package remote

import (
	"strings"

	"errand/internal/secret"
)

// maxQuoted bounds how much of a provider's message is passed on.
const maxQuoted = 300

// Quote makes a provider's message one bounded line without the key.
func (p *Place) Quote(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	for _, value := range p.Secrets {
		message = redact(message, value)
	}
	message = strings.ToValidUTF8(message, "�")
	if runes := []rune(message); len(runes) > maxQuoted {
		message = string(runes[:maxQuoted]) + "…"
	}
	return message
}

// ShortestLeak is the length from which a piece of a key counts as the key:
// providers show a few of its last characters, which is what they are for.
const ShortestLeak = 8

// leastSecret is the length below which a value hides nothing: headers have flags
// and versions, whose every digit in a message would be taken for a leak.
const leastSecret = 4

// redact replaces every piece of the secret that is long enough to matter.
func redact(message, value string) string {
	if len(value) < leastSecret {
		return message
	}
	for _, form := range secret.Forms(value) {
		message = strings.ReplaceAll(message, form, "[key]")
	}
	piece := min(ShortestLeak, len(value))
	var clean strings.Builder
	for i := 0; i < len(message); {
		length := 0
		if i+piece <= len(message) && strings.Contains(value, message[i:i+piece]) {
			for length = piece; i+length < len(message) && strings.Contains(value, message[i:i+length+1]); length++ {
			}
			clean.WriteString("[key]")
			i += length
			continue
		}
		clean.WriteByte(message[i])
		i++
	}
	return clean.String()
}
