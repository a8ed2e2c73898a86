// Package email is the tool email.send: one mail over the operator's SMTP server.
// It is of class once: a mail that has left can't be taken back or told from its
// repetition by who reads it.
//
// What it promises:
//   - An error is definite unless the connection broke after the mail's text had
//     begun to flow: only then nobody knows, and the problem is tool_unknown. What
//     the server refused, at any stage, was not sent. What it accepted was sent,
//     even if it then hung up.
//   - The Message-ID is made from run and action, so that a mail that was sent can
//     be found, and a repetition recognised as one.
//   - No argument can add a header, a recipient or an SMTP command: addresses are
//     parsed, and a line break anywhere but in the texts is refused.
//   - A password is never sent over a connection without TLS, but for a server on
//     this machine.
//
// To change what a model may set, edit message.go; how delivery is judged, send.
package email
