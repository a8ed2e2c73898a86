// Package browser is the tools browser.*: a real Chromium, driven step by step.
//
// What it promises:
//   - A model never sees HTML. It sees a page as numbered elements with role and
//     name between the visible text, bounded in size, with what is new since its
//     last look marked. A number means one element for as long as the run's tab
//     lives and is never given to another, so that an action that was planned on
//     one page can't hit something else on the next.
//   - Each run has a browser context of its own: no cookie, cache or storage is
//     shared between runs. It is gone when the run has ended or says browser.done,
//     or after a time without actions. An action that needs a page fails where
//     there is none any more: nothing seems to have worked that has not.
//   - Actions of a run go one after the other, in the order in which they were asked
//     for.
//   - Nothing leaves the browser but through a proxy of this package, which
//     checks each address when it is dialed (internal/egress). Pages are http or
//     https; no file, chrome, view-source, devtools, ftp or javascript address is
//     opened, whether the model, a page or a redirect asks for it.
//   - Whatever a page does (never loads, opens dialogs and windows, downloads,
//     crashes, redirects for ever) is an error or a remark of that one action,
//     in words. When Chromium dies, the next action starts it again.
//   - No process before the first action, none a while after the last one, none
//     after Close, and none after this server was killed.
//   - Each output, a failure's too, ends in a line for programs, a Record: how to
//     find the element again when numbers have changed, and a picture of the page
//     where one is kept. Given as element, it repeats the action.
//
// A tour: browser.go (the browser and its sessions), process.go (Chromium itself),
// proxy.go (its only way out), session.go (one run's tabs), tab.go (one tab and
// what happens to it), page.go and page.js (what a model sees), tools.go (names,
// classes, schemas), move.go, act.go and read.go (the actions), record.go.
//
// To change what a tool says to models or takes from them, edit tools.go; what a
// page looks like to them, page.js; what Chromium may do, process.go.
package browser
