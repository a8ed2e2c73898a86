package native

import (
	"html"
	"html/template"
	"regexp"
	"strings"
)

// The little of Markdown that the contract's descriptions use.
var (
	strong = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	code   = regexp.MustCompile("`([^`]+)`")
)

// prose turns a description into HTML: paragraphs, lists, **strong** and `code`.
// Everything else of the text is escaped.
func prose(text string) template.HTML {
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		block = strings.TrimSpace(block)
		switch {
		case block == "":
		case strings.HasPrefix(block, "- "):
			out.WriteString("<ul>")
			for _, item := range strings.Split("\n"+block, "\n- ")[1:] {
				out.WriteString("<li>" + inline(item) + "</li>")
			}
			out.WriteString("</ul>")
		default:
			out.WriteString("<p>" + inline(block) + "</p>")
		}
	}
	return template.HTML(out.String()) // escaped by inline
}

func inline(text string) string {
	text = html.EscapeString(strings.Join(strings.Fields(text), " "))
	text = code.ReplaceAllString(text, "<code>$1</code>")
	return strong.ReplaceAllString(text, "<strong>$1</strong>")
}
