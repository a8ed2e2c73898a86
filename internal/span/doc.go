// Package span tells an OpenTelemetry collector what runs have done: a span each
// for a run, its steps, its model calls, its tool calls and its waits for people.
//
// Spans are made of stored events, which are facts with times, once they are on
// disk: nothing on the way of a run waits for a collector, a server that is told of
// none has no tracer at all, and a parked run holds nothing here. The id of each
// span follows from the run and from what the span is about, so that a call can
// tell its name to others before the span itself exists, and a restart in the
// middle of a run goes on with the same names. A run that nobody's trace asked for
// has its own id as the id of its trace.
//
// It promises that neither prompts, replies, arguments nor outputs of tools are in
// a span unless the operator asks for them, and that configured secrets are not
// even then.
//
// names.go has the names of attributes, span.go the tracer and its settings,
// place.go the ids, record.go what becomes of which event.
//
// To add an attribute, edit names.go and record.go.
package span
