package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"codeberg.org/readeck/go-readability"
	md "github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"errand/internal/tool"
)

// maxElements is how large a page may be for its readable part to be looked for:
// that takes time that grows faster than the page. A larger one is shown whole.
const maxElements = 10_000

// Page is what is there to read of a page.
type Page struct {
	Title string
	URL   string // after all redirects
	Text  string // Markdown, or the text as it is
	Cut   bool   // there is more
}

// read makes of a page what the model gets.
func (p *page) read(ctx context.Context) (string, error) {
	parsed, err := p.parse(ctx)
	if err != nil {
		return "", err
	}
	return parsed.shown(), nil
}

// parse finds what is there to read. The parsers do not watch a context, but a
// page's size bounds their time; a cancelled call does not wait for them.
func (p *page) parse(ctx context.Context) (Page, error) {
	type outcome struct {
		page Page
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() {
			if broke := recover(); broke != nil { // the page is hostile, or a parser has a fault: neither may end the server
				done <- outcome{err: failed(p.final.Host+" sent a page that can't be read", fmt.Errorf("parser: %v", broke))}
			}
		}()
		parsed, err := p.parsed()
		done <- outcome{parsed, err}
	}()
	select {
	case o := <-done:
		return o.page, o.err
	case <-ctx.Done():
		return Page{}, failed(p.final.Host+" was not read: the call was cancelled", ctx.Err())
	}
}

func (p *page) parsed() (Page, error) {
	decoded, err := p.decoded()
	if err != nil {
		return Page{}, failed(fmt.Sprintf("%s is written in a character set that can't be read", p.final), err)
	}
	found := Page{URL: p.final.String(), Cut: p.cut}
	if p.html() {
		var pruned bool
		found.Title, found.Text, pruned, err = markdown(decoded, p.final)
		found.Cut = found.Cut || pruned
	} else {
		var text []byte
		text, err = io.ReadAll(decoded)
		found.Text = string(text)
	}
	if err != nil {
		return Page{}, failed(fmt.Sprintf("%s can't be read", p.final), err)
	}
	found.Text = strings.TrimSpace(found.Text)
	return found, nil
}

// shown is the page as a model gets it.
func (p *Page) shown() string {
	var out strings.Builder
	if p.Title != "" {
		fmt.Fprintf(&out, "Title: %s\n", tool.Cut(p.Title, 500))
	}
	fmt.Fprintf(&out, "URL: %s\n", tool.Cut(p.URL, 2<<10))
	body := p.Text
	if body == "" {
		body = "(the page has no text)"
	}
	fmt.Fprintf(&out, "\n%s", body)
	total := int64(0)
	if p.Cut {
		total = -1
	}
	return tool.Bound(out.String(), total)
}

// markdown finds a page's title and its readable part, or all of its body where
// no part stands out. It reports whether the part was too large for all of it.
func markdown(r io.Reader, final *url.URL) (title, text string, pruned bool, err error) {
	document, err := html.Parse(r)
	if err != nil {
		return "", "", false, err
	}
	title = strings.Join(strings.Fields(titleOf(document)), " ")
	parser := readability.NewParser()
	parser.MaxElemsToParse = maxElements
	node := document
	if !heavy(document) {
		if article, err := parser.ParseDocument(document, final); err == nil && article.Node != nil {
			node = article.Node
		}
	}
	found, pruned, err := convert(node, final)
	if err == nil && len(bytes.TrimSpace(found)) == 0 && node != document {
		found, pruned, err = convert(document, final)
	}
	return title, string(found), pruned, err
}

func convert(node *html.Node, final *url.URL) ([]byte, bool, error) {
	pruned := prune(node)
	converter := md.NewConverter(md.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	found, err := converter.ConvertNode(node, md.WithDomain(final.String()))
	return found, pruned, err
}

func titleOf(document *html.Node) string {
	for n := range document.Descendants() {
		if n.DataAtom == atom.Title && n.FirstChild != nil && n.Namespace == "" {
			return n.FirstChild.Data
		}
	}
	return ""
}
