// Package oracle checks our client of the chat-completions wire format against
// OpenAI's own Go SDK: what we send, its types read without loss; what its types
// write, and what its client reads, we read alike.
//
// It is a module of its own, so that the SDK, which is larger than the rest of
// the server, is linked into no binary and stands in no list of dependencies.
//
// To compare one more thing, add a story to oracle_test.go.
package oracle
