// The list of runs as it goes on: pages as one scrolls, rows that change as the server
// says so, and new ones that wait behind a button while somebody is in the list.
import { signal, useEffect, useRef, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { usePages } from "../lib/list.js";
import { useLive } from "../lib/live.js";

/** The words of the filter, as the address and GET /v1/runs have them. */
export const filterNames = ["q", "status", "agent", "dialect", "created_after", "created_before", "cost_min", "cost_max", "order"];

/** The list that somebody has come from: what [ and ] on a run's page go through. */
export const lastFilter = signal(/** @type {Record<string, string>} */ ({}));

const fresh = 1000; // the newest are read again at most once in so many ms

/**
 * The filter of an address. since ("24h") is taken from now, and stays for as long as
 * the address does, so that a list does not begin anew with each second.
 * @param {URLSearchParams} query
 * @param {number} now
 */
export function filterOf(query, now) {
  /** @type {Record<string, string>} */
  const filter = {};
  for (const name of filterNames) {
    const value = query.get(name);
    if (value) filter[name] = value;
  }
  const hours = ages[query.get("since") || ""];
  if (hours && !filter.created_after) filter.created_after = new Date(now - hours * 3600_000).toISOString();
  return filter;
}

/** How far back, in hours. @type {Record<string, number>} */
export const ages = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 };

/**
 * @param {Record<string, string>} filter
 * @param {boolean} held  somebody points at the list, is in it, or has scrolled: nothing moves
 * @param {number} atLeast  so many runs are read at once, for whoever comes back to them
 */
export function useRunList(filter, held, atLeast) {
  const pages = usePages("/v1/runs", { ...filter, include: "strip" }, { limit: 50, atLeast });
  const [newer, setNewer] = useState(/** @type {any[]} */ ([])), [arrived, setArrived] = useState(/** @type {Set<string>} */ (new Set()));
  const key = JSON.stringify(filter), timer = useRef(0), read = useRef(0), asked = useRef(0), shown = useRef(0), oldest = filter.order === "oldest";
  const now = useRef({ items: pages.items, held, key });
  now.current = { items: pages.items, held, key };

  const show = (/** @type {any[]} */ rows) => {
    pages.change((items) => [...rows.filter((row) => !items.some((one) => one.id === row.id)), ...items]);
    setArrived(new Set(rows.length <= 5 ? rows.map((row) => row.id) : [])); // a crowd is not tinted: a whole list that flashes says nothing
    setNewer([]);
  };

  // The newest are read again, since the server alone knows whether a run fits the filter.
  const look = async () => {
    read.current = performance.now();
    const of = now.current.key, mine = ++asked.current;
    const page = await get("/v1/runs", { query: { ...JSON.parse(of), include: "strip", limit: 50 } }).catch(() => null);
    if (!page || of !== now.current.key || mine < shown.current) return; // the stream's state is in the rail; the next change asks again
    shown.current = mine; // and what was asked before it comes too late
    const said = new Map(page.data.map((/** @type {any} */ one) => [one.id, one]));
    const known = new Set(now.current.items.map((one) => one.id));
    pages.change((items) => items.map((one) => renewed(one, said.get(one.id))));
    const unknown = oldest ? [] : newest(page.data, now.current.items).filter((one) => !known.has(one.id));
    if (!unknown.length) return setNewer([]);
    if (now.current.held) setNewer(unknown);
    else show(unknown);
  };
  const soon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(look, Math.max(50, read.current + fresh - performance.now()));
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => { setNewer([]); setArrived(new Set()); }, [key]);

  useLive(["run.changed", "run.deleted", "resync"], (changes) => {
    const last = new Map(changes.filter((one) => one.event === "run.changed").map(({ data }) => [data.run.id, data.run]));
    const gone = new Set(changes.filter((one) => one.event === "run.deleted").map(({ data }) => data.run));
    if (last.size || gone.size) {
      pages.change((items) => items.filter((one) => !gone.has(one.id)).map((one) => (last.has(one.id) ? { ...one, ...last.get(one.id), strip: one.strip } : one)));
    }
    if (last.size || changes.some((one) => one.event === "resync")) soon();
  });
  useEffect(() => { if (!held && newer.length) show(newer); }, [held]);
  return { ...pages, newer, arrived, showNewer: () => show(newer) };
}

/** The row as it was, where nothing of it has changed: then it is not drawn anew. @param {any} before @param {any} now */
const renewed = (before, now) => (now && JSON.stringify(now) !== JSON.stringify(before) ? now : before);

/** What of a first page stands before the first that is shown. @param {any[]} page @param {any[]} items */
function newest(page, items) {
  const first = items[0];
  return first ? page.filter((one) => one.created_at >= first.created_at) : page;
}
