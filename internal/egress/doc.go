// Package egress is the only way from this server to a URL that came from
// outside: from a request, a model, a web page or a redirect.
//
// What it promises:
//   - The address is checked when the connection is made, after DNS has spoken
//     and for each address that is tried, so that a name which resolves to
//     something else a moment later gains nothing. Each redirect hop dials anew
//     or reuses a connection that was checked, and so is checked too.
//   - Only addresses of the public Internet are called. The operator opens holes
//     with ERRAND_EGRESS_ALLOW; nobody else can. A server that the settings name
//     (Options.Own) is called wherever it is, by the client made for it alone.
//   - Only http and https, no proxy from the environment, no cookie kept, no
//     header but a few harmless ones carried to another origin, no body at all.
//   - Time, header size and body size are bounded.
//   - A refusal is an egress_denied problem that names the host and says what the
//     operator can do. It never tells what a name resolved to: that would let a
//     caller map the operator's network.
//
// The ranges are our own list and not code.dny.dev/ssrf's: its allowed prefixes
// open all ports or none, it treats an IPv4-mapped address as IPv6 (a hole for
// 10.0.0.0/8 would not hold for ::ffff:10.0.0.1), and it does not match prefixes
// against addresses with a zone.
//
// To change what counts as public, edit ranges.go; what a hole looks like,
// allow.go; what a client may do with a connection, client.go.
package egress
