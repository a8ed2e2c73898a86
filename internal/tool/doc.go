// Package tool knows which tools there are. A Set resolves a name for a project
// and makes the call: first what is present on this server (built in, or the
// operator's own by file), then what the project has registered.
//
// What it promises:
//   - A name means one tool. A registered tool can't take the name of one that is
//     present; one that became present later wins.
//   - Current names the exact definition, with the check that holds a commit to
//     it, and Call makes the call by that very definition or refuses: what was
//     approved is what runs.
//   - Output that goes to a model is at most MaxOutput bytes of valid UTF-8, and
//     says so when it was cut.
//   - Header values of definitions are secrets: shown masked, listed for the
//     log's redaction, and cut out of what a tool sends back.
//
// The kinds live in packages of their own: http (registered by URL), email, sql,
// web, clock. Tools that live on other servers (mcp) come from a Remote, under
// names with two underscores. Each has Describe and Call and is done when tooltest passes.
//
// To change what a definition may say, edit definition.go; how names resolve,
// set.go and remote.go; how much a model gets to read, output.go.
package tool
