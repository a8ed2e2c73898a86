package app

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"errand/internal/run"
)

// table prints rows in aligned columns; the first row is the heading. The last
// column is as long as it is.
func (p *process) table(rows [][]string) {
	if len(rows) == 1 {
		p.print("None.\n")
		return
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if n == 0 {
			text = p.dim(strings.ToUpper(text))
		}
		p.print("%s\n", text)
	}
}

// oneLine makes text fit a column: what a model or a stranger wrote can hold
// line breaks, and sequences that would control the terminal.
func oneLine(text string, runes int) string {
	text = printable(strings.Join(strings.Fields(text), " "))
	if utf8.RuneCountInString(text) <= runes {
		return text
	}
	return string([]rune(text)[:runes-1]) + "…"
}

// printable drops control characters other than line breaks and tabs, and writes
// as escapes what would turn the text around or hide in it: what stands on the
// terminal is what a person decides by.
func printable(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD") // a lone byte is a control character to some terminals
	if !strings.ContainsFunc(text, unprintable) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case !unprintable(r):
			out.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&out, `\U%08x`, r)
		case r >= 0xa0:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// unprintable reports characters that are not for reading. The two joiners are, and the
// sign for the coloured form of one: many scripts and emoji need them.
func unprintable(r rune) bool {
	const nonJoiner, joiner, coloured = '\u200c', '\u200d', '\ufe0f'
	switch r {
	case '\n', '\t', ' ', nonJoiner, joiner, coloured:
		return false
	}
	return run.Hidden(r) && !unicode.In(r, unicode.Zs, unicode.Cs)
}

// ago says how long ago a time was, in the largest unit.
func (p *process) ago(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	d := p.now().Sub(at)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd ago", int(d.Hours()/24))
	}
}

// orDash stands for what is empty.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Colours, where they may be used: plain ANSI that every terminal knows.
func (p *process) paint(code, text string) string {
	if !p.colours() || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *process) bold(text string) string   { return p.paint("1", text) }
func (p *process) dim(text string) string    { return p.paint("2", text) }
func (p *process) red(text string) string    { return p.paint("31", text) }
func (p *process) green(text string) string  { return p.paint("32", text) }
func (p *process) yellow(text string) string { return p.paint("33", text) }

// status colours a run's status.
func (p *process) status(status string) string {
	switch status {
	case "completed":
		return p.green(status)
	case "failed":
		return p.red(status)
	case "awaiting_approval", "awaiting_input", "paused":
		return p.yellow(status)
	}
	return status
}
