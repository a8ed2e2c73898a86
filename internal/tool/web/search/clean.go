package search

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"errand/internal/run"
	"errand/internal/tool"
)

// Bounds of one result, in bytes. Twenty of these fit what a tool may give back.
const (
	maxTitle   = 200
	maxURL     = 2000
	maxSnippet = 1200
	maxAge     = 40
)

// clean makes of what a provider sent what can be shown and cited: the first
// count results with an address of their own.
func clean(found []run.Source, count int, local bool) []run.Source {
	var kept []run.Source
	seen := map[string]bool{}
	for _, one := range found {
		if len(kept) == count {
			break
		}
		address, ok := citable(one.URL, local)
		if !ok || seen[address] {
			continue
		}
		seen[address] = true
		title := text(one.Title, maxTitle)
		if title == "" {
			title = tool.Cut(address, maxTitle)
		}
		thumbnail, _ := citable(one.Thumbnail, false)
		kept = append(kept, run.Source{
			Title: title, URL: address, Snippet: text(one.Snippet, maxSnippet), Age: day(one.Age), Thumbnail: thumbnail,
		})
	}
	return kept
}

// unsafe are the characters of an address that would end a Markdown link, or a
// quotation around it.
const unsafe = "()<>\"'\\^{|}[]`"

func escaped(r rune) bool { return r <= ' ' || r >= 0x7f || strings.IndexByte(unsafe, byte(r)) >= 0 }

// citable returns the address in a spelling that survives as the target of a
// Markdown link. What is no web page, or brings a password, has none.
func citable(address string, local bool) (string, bool) {
	if address = strings.TrimSpace(address); address == "" {
		return "", false
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || len(address) > maxURL {
		return "", false
	}
	if u.Scheme != "http" && u.Scheme != "https" && !(local && u.Scheme == IndexName) {
		return "", false
	}
	head := strings.Index(address, u.Host)
	if head < 0 || strings.ContainsAny(strings.Trim(u.Host, "[]"), unsafe[:6]) || Visible(u.Host) != u.Host {
		return "", false
	}
	head += len(u.Host)
	if !strings.ContainsFunc(address[head:], escaped) {
		return address, true
	}
	out := []byte(address[:head])
	for _, c := range []byte(address[head:]) {
		if escaped(rune(c)) {
			const hex = "0123456789ABCDEF"
			out = append(out, '%', hex[c>>4], hex[c&15])
			continue
		}
		out = append(out, c)
	}
	return string(out), len(out) <= maxURL
}

var (
	// hiddenBlock is markup whose content is not text.
	hiddenBlock = regexp.MustCompile(`(?is)<(script|style)\b[^>]*>.*?</(script|style)\s*>|<!--.*?-->`)
	// tag is a tag and not a "<" of prose: a < b, x<y.
	tag = regexp.MustCompile(`</?[a-zA-Z][a-zA-Z0-9-]{0,20}(\s+[a-zA-Z_:][^<>]*)?\s*/?>`)
)

// text makes one line of plain text of what may be HTML.
func text(given string, limit int) string {
	given = tool.Cut(given, 64*limit) // markup is longer than its text; what is hostile is longer still
	if !tidy(given) {
		given = hiddenBlock.ReplaceAllString(given, " ")
		given = tag.ReplaceAllString(given, "")
		given = html.UnescapeString(given)
		given = Visible(given)
		given = strings.Join(strings.Fields(given), " ")
	}
	if len(given) <= limit {
		return given
	}
	const more = "…"
	return strings.TrimSpace(tool.Cut(given, limit-len(more))) + more
}

// tidy reports whether a text is one line of plain text already, as most are: all
// of it can be seen, no two spaces meet, and nothing in it could be markup.
func tidy(given string) bool {
	before := byte(' ') // so that a space at the beginning is one too many
	for i := range len(given) {
		c := given[i]
		if c < ' ' || c > '~' || c == '<' || c == '&' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' '
}

// Visible removes characters that a person does not see and a model does:
// controls, what turns the direction of text around, fillers, and the ranges in
// which whole texts can be hidden. Joiners stay, for many scripts need them.
func Visible(given string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r <= '~': // most of most texts: the tables below are slow
			return r
		case r == '\n' || r == '\t' || r == '\u200c' || r == '\u200d':
			return r
		case r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs), r == unicode.ReplacementChar,
			r == '\u115f', r == '\u1160', r == '\u3164', r == '\uffa0', r == '\u2800', r == '\u034f',
			r >= 0xfe00 && r <= 0xfe0e, r >= 0xe0100 && r <= 0xe01ef:
			return -1
		}
		return r
	}, strings.ToValidUTF8(given, ""))
}

// moment is a date with a time behind it, as machines write it.
var moment = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}`)

// day leaves of a machine's time what a reader wants to know.
func day(age string) string {
	age = text(age, maxAge)
	if found := moment.FindStringSubmatch(age); found != nil {
		return found[1]
	}
	return age
}
