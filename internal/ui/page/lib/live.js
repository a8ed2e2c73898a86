// What changes in the project, as it changes: one stream for the whole page, which
// everything that is live listens to. Nothing here polls.
//
// After a break the server says "resync" if it no longer knows what was missed:
// listeners then read their lists again.
import { ask, session, Fault } from "./api.js";
import { base } from "./root.js";
import { frames, pause } from "./sse.js";
import { signal, untracked, useEffect, useRef, useSignalEffect } from "./html.js";

/** How the stream stands: off until somebody has signed in. */
export const link = signal(/** @type {"off"|"connecting"|"live"|"lost"} */ ("off"));
/** When the next try is, in ms of Date.now(), while the stream is lost. */
export const retryAt = signal(0);
/** When the stream said something last, in ms of Date.now(). */
export const heardAt = signal(0);

/**
 * @typedef {{event: string, data: any}} Change  event: run.changed {at, run}, approval.changed {at, run, agent, pending},
 *   run.deleted {run}, resync {reason}
 * @typedef {(changes: Change[]) => void} Listener
 */

/** @type {Set<Listener>} */
const listeners = new Set();
/** @type {Change[]} */
let waiting = [];
let frame = 0;
/** @type {AbortController|null} */
let reading = null;
/** @type {AbortController|null} */
let nap = null;
/** @type {AbortController|null} */
let one = null; // connection

// A connection can be dead without anybody saying so: the server is heard every 10
// seconds, if only by a comment.
const silence = 25_000;
setInterval(() => { if (leads && link.peek() === "live" && Date.now() - heardAt.peek() > silence) one?.abort(); }, 5000);
addEventListener("offline", () => one?.abort());
addEventListener("online", () => reconnect());

// hand gives listeners what has come, all at once and at most once per painted frame.
// In a hidden tab nothing is painted, so a timer stands in.
function hand() {
  frame = 0;
  const changes = waiting;
  waiting = [];
  for (const listen of [...listeners]) listen(changes);
}

/** @param {Change} change */
function queue(change) {
  waiting.push(change);
  if (frame) return;
  frame = 1;
  if (document.hidden) setTimeout(hand, 250);
  else requestAnimationFrame(hand);
}

/**
 * Calls listen with changes until the returned function is called.
 * @param {Listener} listen
 * @returns {() => void}
 */
export function onChanges(listen) {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

/**
 * The same for a component: only events of these kinds, for as long as it is there.
 * @param {string[]} kinds
 * @param {Listener} listen
 */
export function useLive(kinds, listen) {
  const latest = useRef(listen);
  latest.current = listen;
  useEffect(() => onChanges((changes) => {
    const mine = changes.filter((change) => kinds.includes(change.event));
    if (mine.length) latest.current(mine);
  }), [kinds.join()]);
}

/**
 * Calls again when the server is back, for a component that could not reach it.
 * @param {any} error what it has failed with, if it has @param {() => void} again
 */
export function useReconnect(error, again) {
  const latest = useRef({ error, again });
  latest.current = { error, again };
  useSignalEffect(() => {
    if (link.value === "live" && latest.current.error instanceof Fault && latest.current.error.status === 0) untracked(latest.current.again);
  });
}

/**
 * Calls again when the stream, which was lost, is back, for a component that misses something.
 * @param {boolean} missing @param {() => void} again
 */
export function useReturn(missing, again) {
  const latest = useRef({ missing, again }), lost = useRef(false);
  latest.current = { missing, again };
  useSignalEffect(() => {
    if (link.value === "lost") lost.current = true;
    if (link.value !== "live" || !lost.current) return;
    lost.current = false;
    if (latest.current.missing) untracked(latest.current.again);
  });
}

/** Tries again at once, for someone who does not want to wait; the tab that reads can. */
export function reconnect() {
  nap?.abort();
}

/** Opens the stream and keeps it open until stop is called. */
export function start() {
  if (reading) return;
  const over = (reading = new AbortController()).signal;
  link.value = "connecting";
  if (!navigator.locks) return void follow(over); // no secure context: each tab has its own
  const who = session.peek();
  const name = `errand${base}/${who ? who.key.id : ""}`;
  const others = (channel = new BroadcastChannel(name));
  others.onmessage = ({ data }) => hear(data, over);
  others.postMessage({ asks: true });
  navigator.locks.request(name, { signal: over }, () => follow(over)).catch(() => {}); // called off
}

export function stop() {
  reading?.abort();
  reading = null;
  channel?.close();
  channel = null;
  leads = false;
  after = "";
  link.value = "off";
}

// A browser has six connections to a server, for all tabs together. So one tab reads
// the stream and tells the others; when it goes, the next one goes on where it stopped.
/** @type {BroadcastChannel|null} */
let channel = null;
let leads = false;
let after = ""; // the id of the last frame that was seen, by whoever reads

/**
 * What the tab that reads says: how the stream stands, and what has come.
 * @param {{asks?: boolean, state?: "connecting"|"live"|"lost", retryAt?: number, id?: string, change?: Change}} said @param {AbortSignal} over
 */
function hear(said, over) {
  if (over.aborted) return;
  if (said.asks) {
    if (leads) tell();
    return;
  }
  if (leads) return;
  if (link.peek() === "connecting" && said.state === "live") queue({ event: "resync", data: { reason: "begin" } }); // what came before is not known here
  if (said.state) link.value = said.state;
  if (said.retryAt) retryAt.value = said.retryAt;
  if (said.id) after = said.id;
  heardAt.value = Date.now();
  if (said.change) queue(said.change);
}

/** @param {Change} [change] */
function tell(change) {
  const state = link.peek();
  if (state !== "off") channel?.postMessage({ state, retryAt: retryAt.peek(), id: after, change });
}

/** @param {"connecting"|"live"|"lost"} state */
function stands(state) {
  link.value = state;
  tell();
}

/** @param {AbortSignal} over */
async function follow(over) {
  leads = true;
  for (let tries = 0; !over.aborted; tries++) {
    one = new AbortController();
    try {
      const answer = await ask("GET", "/v1/stream", { signal: AbortSignal.any([over, one.signal]), headers: after ? { "Last-Event-ID": after } : {} });
      heardAt.value = Date.now();
      stands("live");
      for await (const said of frames(/** @type {any} */ (answer.body))) {
        tries = 0;
        heardAt.value = Date.now();
        if (said.id) after = said.id;
        if (!said.event) continue;
        const change = { event: said.event, data: JSON.parse(said.data) };
        queue(change);
        tell(change);
      }
    } catch (error) {
      if (over.aborted || session.peek() === false) return;
      if (error instanceof Fault && error.status === 403) return void (link.value = "off"); // a key that may not read runs
    }
    if (over.aborted) return;
    const wait = Math.min(30, 2 ** Math.min(tries, 5)) * 1000;
    retryAt.value = Date.now() + wait;
    stands("lost");
    nap = new AbortController();
    await pause(wait, AbortSignal.any([over, nap.signal]));
  }
}
