package app

import (
	"bytes"
	"io"
)

// margin moves lines to the right, so that they stand below their heading.
type margin struct {
	to     io.Writer
	prefix string
	fresh  bool // the next byte begins a line
}

func newMargin(to io.Writer, prefix string) *margin {
	return &margin{to: to, prefix: prefix, fresh: true}
}

// Write writes text with the prefix before each line that is not empty.
func (m *margin) Write(text []byte) (int, error) {
	var moved bytes.Buffer
	for _, c := range text {
		if m.fresh && c != '\n' {
			moved.WriteString(m.prefix)
		}
		moved.WriteByte(c)
		m.fresh = c == '\n'
	}
	if _, err := m.to.Write(moved.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}
