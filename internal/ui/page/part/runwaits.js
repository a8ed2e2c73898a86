// Runs that wait for a person: the first few stand above the list, whenever they began.
import { useEffect, useRef, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { useLive, useReconnect } from "../lib/live.js";

/** The statuses in which a run waits for a person. */
export const asks = "awaiting_approval,awaiting_input";

/** @type {any[]} */
const nothing = [];
const room = 5, fresh = 1000; // they are read again at most once in so many ms

/**
 * @typedef {{rows: any[], more: boolean, read: boolean, renew: () => void}} Waits  more: there are others; read: it is known by now;
 *   renew: shows what waits now, to somebody who asks for it
 * @param {Record<string, string>} filter  of the list. Where it asks for a status, for words or for costs, one looks
 *   for something else, and nothing is set apart
 * @param {boolean} held  somebody points at the list, is in it, or has scrolled: what waits stays where it is
 * @returns {Waits}
 */
export function useWaits(filter, held) {
  const off = ["status", "q", "cost_min", "cost_max"].some((name) => filter[name]), key = off ? "" : JSON.stringify(filter);
  const [state, put] = useState({ rows: /** @type {any[]} */ ([]), more: false, of: "", error: /** @type {any} */ (null) });
  const now = useRef({ key, held, rows: state.rows, of: state.of }), timer = useRef(0), last = useRef(0), asking = useRef(0), shown = useRef(0), owed = useRef(false);
  now.current = { key, held, rows: state.rows, of: state.of };

  const look = async (asked = false) => {
    clearTimeout(timer.current);
    const of = now.current.key;
    if (!of) return;
    last.current = performance.now();
    const mine = ++asking.current, late = () => of !== now.current.key || mine < shown.current; // what was asked after it is there already
    try {
      const page = await get("/v1/runs", { query: { ...JSON.parse(of), status: asks, include: "strip", limit: room } });
      if (late()) return;
      shown.current = mine;
      if (!asked && now.current.held && now.current.of === of) owed.current = true; // nothing moves under a hand
      else put({ rows: page.data, more: page.has_more, of, error: null });
    } catch (error) {
      if (!late()) put((before) => ({ ...before, of, error })); // the list says what is wrong
    }
  };
  const soon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => look(), Math.max(50, last.current + fresh - performance.now()));
  };
  useEffect(() => { owed.current = false; look(); return () => clearTimeout(timer.current); }, [key]);
  useEffect(() => {
    if (held || !owed.current) return;
    owed.current = false;
    look();
  }, [held]);
  useReconnect(state.error, () => look());
  useLive(["run.changed", "run.deleted", "resync"], (changes) => {
    if (!now.current.key) return;
    const known = new Set(now.current.rows.map((one) => one.id)), said = new Map();
    let wanted = false;
    for (const { event, data } of changes) {
      if (event === "run.changed") {
        said.set(data.run.id, data.run);
        wanted ||= known.has(data.run.id) || asks.includes(data.run.status);
      } else wanted ||= event === "resync" || known.has(data.run);
    }
    if ([...known].some((id) => said.has(id))) put((before) => ({ ...before, rows: before.rows.map((one) => (said.has(one.id) ? { ...one, ...said.get(one.id), strip: one.strip } : one)) }));
    if (wanted) soon();
  });
  // What an earlier filter has found stays until there is something new.
  return { rows: off ? nothing : state.rows, more: state.more, read: off || state.of !== "", renew: () => look(true) };
}
