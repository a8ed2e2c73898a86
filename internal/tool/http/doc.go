// Package http makes the calls of registered tools: one HTTP request with the
// arguments as its JSON body.
//
// What it promises:
//   - A call is sent at most once. No redirect is followed and the transport can't
//     replay: Go repeats a request that has an Idempotency-Key when a kept
//     connection turns out dead, unless its body can't be had again, so the body
//     can't. A once call gets a connection of its own, so that a server which
//     closes an idle one never makes an outcome unknown.
//   - Every repetition that the engine makes carries the same Idempotency-Key.
//   - An error says truly what is known. Before a connection stands (refused by
//     egress, DNS, TCP, TLS) nothing was sent: tool_failed. From then on bytes may
//     have left, and without a complete answer nobody knows: tool_unknown. An
//     answer with any status is an answer, and definite.
//   - What comes back is bounded, is text, and has the definition's header values
//     cut out.
//
// To change what is sent, edit request; what a status means to the model, answer.
package http
