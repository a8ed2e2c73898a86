package index

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Extensions lists the kinds of files that are read, with their dots.
func Extensions() []string {
	return []string{".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".org", ".html", ".htm", ".xhtml"}
}

func kindOf(name string) string { return strings.ToLower(path.Ext(name)) }

func readable(name string) bool { return slices.Contains(Extensions(), kindOf(name)) }

// textOf finds a file's title and text.
func textOf(name, content string) (title, text string) {
	content = strings.TrimPrefix(strings.ToValidUTF8(content, "\uFFFD"), "\ufeff")
	switch kindOf(name) {
	case ".html", ".htm", ".xhtml":
		return htmlText(content)
	case ".md", ".markdown":
		title = markdownTitle(content)
		first, rest, _ := strings.Cut(strings.TrimLeft(content, "\n"), "\n")
		if title != "" && strings.Trim(first, "# ") == title { // it would stand twice in every passage
			content = strings.TrimLeft(rest, "\n")
		}
		return title, content
	}
	return "", content
}

// markdownTitle is the title of a file's front matter, or its first heading.
func markdownTitle(text string) string {
	lines, front := 0, false
	for each := range strings.Lines(text) {
		each = strings.TrimSpace(each)
		if lines++; lines > 200 { // a title that far down is none
			break
		}
		if each == "---" && (lines == 1 || front) {
			front = !front
			continue
		}
		if value, ok := strings.CutPrefix(each, "title:"); ok && front {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
		if heading := strings.TrimLeft(each, "#"); !front && heading != each && strings.HasPrefix(heading, " ") {
			return strings.TrimSpace(strings.TrimRight(heading, "# "))
		}
	}
	return ""
}

// unread are elements whose content is not the page's text.
var unread = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true, atom.Nav: true, atom.Iframe: true, atom.Select: true,
}

// inline are elements that do not end a line.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.Abbr: true, atom.B: true, atom.Bdi: true, atom.Bdo: true, atom.Cite: true, atom.Code: true, atom.Data: true, atom.Del: true,
	atom.Dfn: true, atom.Em: true, atom.Font: true, atom.I: true, atom.Img: true, atom.Ins: true, atom.Kbd: true, atom.Label: true, atom.Mark: true,
	atom.Q: true, atom.S: true, atom.Samp: true, atom.Small: true, atom.Span: true, atom.Strong: true, atom.Sub: true, atom.Sup: true, atom.Time: true,
	atom.Tt: true, atom.U: true, atom.Var: true, atom.Wbr: true,
}

// htmlText reads the text of a page token by token, so that the time that it
// takes grows with the page and with nothing else.
func htmlText(content string) (title, text string) {
	tokens := html.NewTokenizer(strings.NewReader(content))
	var out, heading strings.Builder
	var skipping atom.Atom // the element that is being left out
	depth, titled := 0, false
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken { // the end: the tokenizer has no other error on a string
			return strings.Join(strings.Fields(heading.String()), " "), tidy(out.String())
		}
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			switch {
			case skipping != 0:
			case titled:
				heading.WriteString(token.Data)
			default:
				out.WriteString(token.Data)
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			end := kind == html.EndTagToken
			switch {
			case skipping != 0 && token.DataAtom == skipping && kind != html.SelfClosingTagToken:
				if depth += map[bool]int{false: 1, true: -1}[end]; depth == 0 {
					skipping = 0
				}
			case skipping == 0 && unread[token.DataAtom] && kind == html.StartTagToken:
				skipping, depth = token.DataAtom, 1
			case token.DataAtom == atom.Title && skipping == 0:
				titled = !end && heading.Len() == 0
			case !inline[token.DataAtom]:
				out.WriteByte('\n')
			}
		}
	}
}

// tidy leaves one space between words and one line break between lines.
func tidy(text string) string {
	var out strings.Builder
	for each := range strings.Lines(text) {
		if words := strings.Fields(each); len(words) > 0 {
			out.WriteString(strings.Join(words, " ") + "\n")
		}
	}
	return strings.TrimSpace(out.String())
}

// line makes one line of a title.
func line(title string) string {
	words := strings.Join(strings.Fields(title), " ")
	if runes := []rune(words); len(runes) > 200 {
		return string(runes[:199]) + "…"
	}
	return words
}

// Seam is a space without width, which no text has that a backing is given.
const Seam = "\u200b"

// Spaceless reports characters of scripts that put no spaces between words: each is a
// word, so that they can be found.
func Spaceless(r rune) bool {
	return r >= 0x0e00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// hidden reports characters that have no place in a path.
func hidden(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
