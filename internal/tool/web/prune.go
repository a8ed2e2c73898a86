package web

import (
	"golang.org/x/net/html"

	"errand/internal/tool"
)

// A model reads the first 64 KiB of a page, so that converting much more is waste,
// and on a hostile page a long one: the conversion indents a text again for each
// list around it, which took 22 seconds for 180 KB of nested lists.
const (
	maxText     = 2 * tool.MaxOutput // leaves room for what the conversion drops
	maxNodes    = 20_000
	maxNest     = 60 // elements around a text; honest pages stay below 40
	shortestTag = 8  // what an element counts as: its Markdown has a few characters
)

// maxWeight is how much text times elements around it a page may have for its
// readable part to be looked for: the search reads a text anew for each of them.
// An honest page of 500 KB weighs 10 million; 18 seconds went into 1.5 billion.
const maxWeight = 30_000_000

// heavy reports whether looking for the readable part would take too long.
func heavy(root *html.Node) bool {
	weight := 0
	var walk func(parent *html.Node, depth int)
	walk = func(parent *html.Node, depth int) {
		for child := parent.FirstChild; child != nil && weight <= maxWeight; child = child.NextSibling {
			weight += depth * (shortestTag + len(child.Data))
			walk(child, depth+1)
		}
	}
	walk(root, 1)
	return weight > maxWeight
}

// prune cuts a tree to what can be shown, in reading order, and reports whether
// anything went. What is nested too deeply goes; its siblings stay.
func prune(root *html.Node) bool {
	text, nodes, cut := 0, 0, false
	var walk func(parent *html.Node, depth int)
	walk = func(parent *html.Node, depth int) {
		for child := parent.FirstChild; child != nil; {
			next := child.NextSibling
			nodes++
			if depth > maxNest || text > maxText || nodes > maxNodes {
				parent.RemoveChild(child)
				cut = true
			} else {
				text += shortestTag
				if child.Type == html.TextNode {
					text += len(child.Data)
					if over := text - maxText; over > 0 {
						child.Data = tool.Cut(child.Data, max(0, len(child.Data)-over))
						cut = true
					}
				}
				walk(child, depth+1)
			}
			child = next
		}
	}
	walk(root, 0)
	return cut
}
