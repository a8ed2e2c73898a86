// One run, as it goes on: its events, and its text while it is being written.
// The reader may leave and come back; the server continues where it stopped.
import { ask, session, Fault } from "./api.js";
import { frames, pause } from "./sse.js";

/**
 * @typedef {{seq: number, type: string, at: string, data: any}} RunEvent
 * @typedef {{type: string, step: number, attempt: number, offset: number, text?: string, reasoning?: string, tool_call?: any}} Delta
 * @typedef {{
 *   onEvents?: (events: RunEvent[]) => void,
 *   onDeltas?: (deltas: Delta[]) => void,
 *   onReset?: (what: {step: number, attempt: number}) => void,
 *   onState?: (state: "connecting"|"live"|"lost"|"ended", retryAt: number) => void,
 *   onFault?: (fault: Fault) => void,
 * }} Reader  events and deltas come in order, several at once, at most once per painted frame
 */

/**
 * Follows a run until it has ended or the returned function is called.
 * @param {string} id
 * @param {Reader} reader
 * @param {{after?: string|number}} [options] after: what has been seen already, such as the seq of the last event
 * @returns {() => void}
 */
export function followRun(id, reader, options = {}) {
  const over = new AbortController();
  follow(id, new Desk(reader, over.signal), String(options.after ?? ""), over.signal);
  return () => over.abort();
}

/** Collects what comes between two frames. */
class Desk {
  /** @param {Reader} reader @param {AbortSignal} over */
  constructor(reader, over) {
    this.reader = reader;
    this.over = over;
    /** @type {{kind: "event"|"delta"|"reset", data: any}[]} */
    this.waiting = [];
    this.planned = false;
    this.ended = false;
  }

  /** @param {string} event @param {any} data */
  take(event, data) {
    this.waiting.push({ kind: event === "delta" || event === "reset" ? event : "event", data });
    if (event === "run.finished") this.ended = true;
    if (this.planned) return;
    this.planned = true;
    if (document.hidden) setTimeout(() => this.hand(), 250);
    else requestAnimationFrame(() => this.hand());
  }

  hand() {
    this.planned = false;
    const all = this.waiting;
    this.waiting = [];
    if (this.over.aborted) return;
    for (let from = 0; from < all.length;) {
      let to = from;
      while (to < all.length && all[to].kind === all[from].kind) to++;
      const same = all.slice(from, to).map((one) => one.data);
      if (all[from].kind === "event") this.reader.onEvents?.(same);
      else if (all[from].kind === "delta") this.reader.onDeltas?.(same);
      else same.forEach((one) => this.reader.onReset?.(one));
      from = to;
    }
  }
}

/** @param {string} id @param {Desk} desk @param {string} after @param {AbortSignal} over */
async function follow(id, desk, after, over) {
  const say = desk.reader.onState || (() => {});
  say("connecting", 0);
  for (let tries = 0; !over.aborted; tries++) {
    const unseen = await seen(over);
    try {
      const answer = await ask("GET", `/v1/runs/${encodeURIComponent(id)}/stream`, { signal: AbortSignal.any([over, unseen]), headers: after ? { "Last-Event-ID": after } : {} });
      if (answer.status === 204) return say("ended", 0);
      say("live", 0);
      for await (const said of frames(/** @type {any} */ (answer.body))) {
        tries = 0;
        if (said.id) after = said.id;
        if (said.event) desk.take(said.event, JSON.parse(said.data));
      }
      if (desk.ended) return say("ended", 0);
    } catch (error) {
      if (over.aborted || session.peek() === false) return;
      if (error instanceof Fault && error.status >= 400 && error.status < 500 && error.status !== 429) return desk.reader.onFault?.(error);
    }
    if (over.aborted) return;
    if (unseen.aborted) continue;
    const wait = Math.min(30, 2 ** Math.min(tries, 5)) * 1000;
    say("lost", Date.now() + wait);
    await pause(wait, over);
  }
}

// A browser has six connections to a server, for all tabs together: a tab that nobody
// has looked at for a while gives its own back, and goes on when somebody does.
const patience = 20_000;

/**
 * Waits until the tab is looked at; the signal says when it has not been for a while.
 * @param {AbortSignal} over
 * @returns {Promise<AbortSignal>}
 */
async function seen(over) {
  while (document.hidden && !over.aborted) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  const unseen = new AbortController();
  let timer = 0;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => unseen.abort(), patience);
  };
  document.addEventListener("visibilitychange", look, { signal: AbortSignal.any([over, unseen.signal]) });
  return unseen.signal;
}
