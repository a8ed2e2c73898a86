// Package webhook tells other servers what becomes of runs: by endpoints that a
// project registers, and by the URL that one run was made with.
//
// What it promises:
//   - What a run's log says is sent, also after a crash: the job that sends it is
//     written with the events that cause it (Jobs), and what is to be sent is made
//     from the log, as the run stood at that event.
//   - Each delivery is made at least once, and once when nothing breaks. Its bytes
//     and its id never change, however often it is tried.
//   - In order per run and endpoint: the next one waits until the one before has
//     arrived or was given up. Otherwise without order; an endpoint that is slow or
//     down keeps none of the others waiting.
//   - A delivery has arrived when a 2xx came within ten seconds. If none did, it is
//     tried again for a day, first after five seconds and then at ever longer
//     times, or when Retry-After says. A 410 disables its endpoint for good; eight
//     failures in a row pause one: it is then asked with one delivery at a time
//     until it answers, and nothing that waits for it is lost.
//   - Secrets are kept sealed, redirects are not followed, and where a URL leads is
//     checked when it is called.
//
// A tour: event.go (which events, and Jobs), endpoint.go and manage.go (who is
// told), fan.go (an event becomes deliveries), delivery.go (the log of them),
// send.go and settle.go (one attempt, and what becomes of it), sign.go.
//
// To change when a delivery is tried again, edit settle.go; what is told, edit
// event.go; how it looks, edit the API whose shape it has.
package webhook
