// Package web is the tool web.fetch: the readable part of a page as Markdown.
//
// What it promises:
//   - Every connection goes through egress: the page's and each redirect's.
//   - A page is bounded in size, time, nesting and redirects, and what it does to
//     the parsers costs this call only.
//   - The result says title and final address, so that a model can cite it; what
//     was cut is said, and what is no text is refused by the name of its type.
//
// To change what of a page is shown, edit page.go; which types are read, fetch.go.
package web
