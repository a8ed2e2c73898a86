// Package mcp makes the tools of Model Context Protocol servers callable: those
// that the operator has configured, those that a project has registered, and
// those that a run was made with.
//
// What it promises:
//   - A tool is called <server>__<tool>, which means one tool. What the server's
//     own name for it is, only the server is told.
//   - What a model reads of a server is pinned, per project and URL, when it is
//     seen first. A tool that changes later is left out, and a call that was
//     planned before is refused, until someone accepts the change. Characters
//     that a person can't see are removed before anything is pinned.
//   - A call is made at most once: it is repeated only if the server certainly
//     did not get it (an expired session, a connection that never stood). Where a
//     request left and no answer came, the error is tool_unknown.
//   - A server that is down, hangs or dies costs the calls that are under way at
//     it, each within its time, and nothing else.
//   - A credential goes to the origin that it was given for and nowhere else. It
//     is stored only sealed, and never logged.
//   - Only the operator's servers are believed when they say that a tool is
//     harmless. All other tools are once.
//   - Connections are shared between the runs of a project, and closed when
//     nobody has used them for a while. Programs that the operator has configured
//     end with this process.
//
// A tour: servers.go (what is offered: find, list, call), connect.go (the servers
// of one run), manage.go (registering, accepting), endpoint.go (where a server is
// and with what), pin.go (what was accepted), catalog.go and clean.go (a server's
// list made fit to be read), link.go (a shared connection and its list),
// session.go (one connection), call.go (what came of a call), result.go,
// courier.go and listener.go (HTTP), child.go (programs).
//
// To change what counts as a change, edit definition in catalog.go; how long
// anything is kept, link.go; when a call is repeated, call.go.
package mcp
