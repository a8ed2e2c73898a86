// Long lists: keyset pages as one scrolls, and only the rows in view in the document,
// so that a list of a million is as fast as one of ten. And moving in lists by keys.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { get } from "./api.js";
import { useKeys } from "./keys.js";
import { useReconnect } from "./live.js";

/**
 * @template T
 * @typedef {{items: T[], more: boolean, loading: boolean, slow: boolean, error: any, searched?: any, next: () => void, reload: () => void, retry: () => void, change: (fn: (items: T[]) => T[]) => void}} Pages
 *   searched: how far the last page has looked, where a list says so; next: reads on, unless the last try has failed;
 *   retry: reads again what has failed
 */

/**
 * A list route, page by page. A new query begins anew; the old items stay until its first page is there.
 * @template [T=any]
 * @param {string} path
 * @param {Record<string, any>} query
 * @param {{limit?: number, exact?: boolean, atLeast?: number}} [options] atLeast: so many items are read without being asked for
 * @returns {Pages<T>}
 */
export function usePages(path, query, { limit = 50, exact = false, atLeast = 0 } = {}) {
  const key = path + JSON.stringify(query);
  const [state, put] = useState(/** @type {{items: T[], more: boolean, cursor: string, loading: boolean, error: any, of: string, searched?: any}} */ (
    { items: [], more: false, cursor: "", loading: true, error: null, of: "" }));
  const [slow, setSlow] = useState(false);
  const busy = useRef(/** @type {AbortController|null} */ (null)), now = useRef(state);
  now.current = state;

  const read = useCallback(async (/** @type {string} */ cursor) => {
    busy.current?.abort();
    const mine = (busy.current = new AbortController());
    put((before) => ({ ...before, loading: true, error: null }));
    try {
      const missing = Math.min(100, atLeast - (cursor ? now.current.items.length : 0)); // the most that a page may have
      const page = await get(path, { query: { limit: Math.max(limit, missing), ...query, starting_after: cursor }, signal: mine.signal, exact });
      if (mine.signal.aborted) return;
      put((before) => ({
        items: cursor ? [...before.items, ...page.data] : page.data,
        more: page.has_more, cursor: page.next_cursor || "", loading: false, error: null, of: key, searched: page.searched,
      }));
    } catch (error) {
      if (!mine.signal.aborted) put((before) => ({ ...before, loading: false, error }));
    }
    if (busy.current === mine) busy.current = null;
  }, [key]);

  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 150);
    read("");
    return () => { clearTimeout(timer); busy.current?.abort(); };
  }, [key]);

  const next = useCallback(() => {
    if (now.current.more && !busy.current && !now.current.error) read(now.current.cursor);
  }, [read]);
  useEffect(() => { if (!state.loading && state.items.length < atLeast) next(); });
  // Whoever kept reload from an earlier query, for a timer, reads what is wanted now.
  const latest = useRef(read);
  latest.current = read;
  const reload = useCallback(() => { latest.current(""); }, []);
  const retry = useCallback(() => { latest.current(now.current.more ? now.current.cursor : ""); }, []);
  useReconnect(state.error, retry);
  const change = useCallback((/** @type {(items: T[]) => T[]} */ fn) => put((before) => ({ ...before, items: fn(before.items) })), []);
  return { ...state, slow: slow && state.loading && state.of === "", next, reload, retry, change };
}

/**
 * Which rows of a long list are in view. The element of ref holds the rows; before and
 * after are the heights of what is left out, for an empty element on either side.
 * @param {{count: number, row: number, onEnd?: () => void, spare?: number, scroller?: () => (Element|null)}} what  row: the height of
 *   each in px; onEnd: called near the end; scroller: what scrolls, if it is not the page
 */
export function useWindow({ count, row, onEnd, spare = 10, scroller }) {
  const ref = useRef(/** @type {any} */ (null));
  const [range, setRange] = useState({ from: 0, to: Math.min(count, 60) });
  const end = useRef(onEnd);
  end.current = onEnd;
  useLayoutEffect(() => {
    const box = scroller?.() || null;
    let planned = 0;
    const measure = () => {
      planned = 0;
      if (!ref.current) return;
      const top = ref.current.getBoundingClientRect().top - (box ? box.getBoundingClientRect().top : 0);
      const height = box ? box.clientHeight : innerHeight;
      const from = Math.max(0, Math.floor(-top / row) - spare), to = Math.min(count, Math.ceil((height - top) / row) + spare);
      setRange((before) => (before.from === from && before.to === to ? before : { from: Math.min(from, count), to: Math.max(to, 0) }));
      if (to >= count - spare) end.current?.();
    };
    const plan = () => { planned ||= requestAnimationFrame(measure); };
    measure();
    const target = box || window;
    target.addEventListener("scroll", plan, { passive: true });
    addEventListener("resize", plan);
    return () => {
      cancelAnimationFrame(planned);
      target.removeEventListener("scroll", plan);
      removeEventListener("resize", plan);
    };
  }, [count, row]);
  const from = Math.min(range.from, count), to = Math.min(Math.max(range.to, from), count);
  return { ref, from, to, before: from * row, after: (count - to) * row };
}

/**
 * Which of a list is current: kept by its id, so that nothing else is under the keys when
 * rows come or go before it.
 * @template T
 * @param {T[]} rows
 * @param {(row: T) => string} [idOf]
 * @returns {[number, (i: number) => void]} its place, -1 = none, or it has left; and what makes another one current
 */
export function useAt(rows, idOf = (row) => /** @type {any} */ (row).id) {
  const [id, keep] = useState("");
  return [id ? rows.findIndex((one) => idOf(one) === id) : -1, (i) => keep(rows[i] ? idOf(rows[i]) : "")];
}

/**
 * Moving in a list by J and K or arrows, opening by Enter: one item has the tab stop.
 * Spread item(i) on each item's focusable element.
 * @param {{count: number, at: number, onMove: (i: number) => void, onOpen?: (i: number) => void, noun?: string, focus?: boolean, when?: () => boolean}} what
 *   focus: moving by key moves the focus, too
 */
export function useRoving({ count, at, onMove, onOpen, noun = "item", focus = true, when }) {
  const items = useRef(/** @type {Map<number, HTMLElement>} */ (new Map())), wanted = useRef(-1);
  const move = (/** @type {number} */ by) => {
    if (!count) return;
    const to = Math.min(count - 1, Math.max(0, at < 0 ? 0 : at + by));
    wanted.current = to;
    onMove(to);
  };
  useLayoutEffect(() => { // at once: the next key is for this one
    const item = items.current.get(at);
    if (wanted.current !== at || !item) return;
    wanted.current = -1;
    if (focus) item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  });
  useKeys([
    { keys: "j,ArrowDown", does: "Next " + noun, where: "Lists", run: () => move(1), when },
    { keys: "k,ArrowUp", does: "Previous " + noun, where: "Lists", run: () => move(-1), when },
    { keys: "Enter", does: onOpen ? "Open" : "", where: "Lists", run: () => { if (at >= 0) onOpen?.(at); }, when: () => !!onOpen && at >= 0 && (!when || when()) },
  ]);
  return {
    /** @param {number} i */
    item: (i) => {
      let mine = /** @type {HTMLElement|null} */ (null);
      return {
        tabIndex: i === Math.max(0, at) ? 0 : -1,
        ref: (/** @type {HTMLElement|null} */ element) => { // when a list gets shorter, another one may have this number already
          if (element) items.current.set(i, (mine = element));
          else if (items.current.get(i) === mine) items.current.delete(i);
        },
      };
    },
  };
}
