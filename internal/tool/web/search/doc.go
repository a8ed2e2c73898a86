// Package search asks search engines, one after the other until one has
// something, and gives back what they found in one form.
//
// What it promises:
//   - Engines are asked in the operator's order; the next one is asked when one
//     fails, takes too long or finds nothing. Who answered is always said, and so
//     is who failed. Keys are never said.
//   - An engine that keeps failing is left alone for a while and then tried with
//     one query: a dead one costs nothing.
//   - A result has an address that can be opened and cited, and text without
//     markup and without characters that nobody sees. Number and size are bounded.
//   - All calls go through egress; only the operator's own SearXNG may be at a
//     private address.
//
// A tour: search.go (the order of things), breaker.go (leaving an engine alone),
// remote.go (one HTTP call), a file for each engine, select.go (settings),
// clean.go (results).
//
// To add an engine, write its file beside brave.go and its line in select.go.
package search
