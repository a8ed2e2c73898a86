// Reading for a component: old data stays while new data loads, nothing is shown for
// 150 ms, then the place is marked. What changes in the project can read it again.
import { html, useCallback, useEffect, useRef, useState } from "./html.js";
import { useReconnect, useLive } from "./live.js";

/**
 * @template T
 * @typedef {{data: T|undefined, error: any, loading: boolean, slow: boolean, reload: () => Promise<void>, set: (change: (before: T) => T) => void}} Loaded
 *   slow: it has been loading for longer than 150 ms and there is nothing to show yet; set: puts what is known
 *   otherwise, such as the answer to a change
 */

/**
 * Reads when inputs change, and again on changes of these kinds (see live.js).
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} read
 * @param {readonly unknown[]} inputs
 * @param {{on?: string[], when?: (change: import("./live.js").Change) => boolean, every?: number}} [live] every: at most once in
 *   so many ms, however much changes
 * @returns {Loaded<T>}
 */
export function useLoad(read, inputs, live = {}) {
  const [state, put] = useState(/** @type {{data: T|undefined, error: any, loading: boolean}} */ ({ data: undefined, error: null, loading: true }));
  const [slow, setSlow] = useState(false);
  const latest = useRef(read), current = useRef(/** @type {AbortController|null} */ (null)), old = useRef(/** @type {AbortController|null} */ (null)), again = useRef(false), timer = useRef(0), began = useRef(0);
  latest.current = read;

  const reload = useCallback(async () => {
    current.current?.abort();
    const mine = (current.current = new AbortController());
    began.current = performance.now();
    put((before) => (before.loading ? before : { ...before, loading: true }));
    try {
      const data = await latest.current(mine.signal);
      if (!mine.signal.aborted) put((before) => ({ data: old.current === mine && before.data !== undefined ? before.data : data, error: null, loading: false }));
    } catch (error) {
      if (!mine.signal.aborted) put((before) => ({ ...before, error, loading: false }));
    }
    if (current.current === mine) current.current = null;
    if (again.current && !mine.signal.aborted) {
      again.current = false;
      soon();
    }
  }, []);

  const soon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(reload, Math.max(0, began.current + (live.every || 0) - performance.now()));
  };

  useEffect(() => {
    const waits = setTimeout(() => setSlow(true), 150);
    put((before) => (before.error ? { ...before, error: null } : before)); // it was about something else
    reload();
    return () => {
      clearTimeout(waits);
      clearTimeout(timer.current);
      current.current?.abort();
      current.current = null;
    };
  }, inputs);

  // While it reads, changes ask for one more reading behind it, not for one each.
  useLive(live.on || [], (changes) => {
    if (live.when && !changes.some((one) => one.event === "resync" || /** @type {any} */ (live.when)(one))) return;
    if (current.current) again.current = true;
    else soon();
  });

  useReconnect(state.error, reload);

  // A reading that is under way may be from before this: unless there is nothing yet, its
  // answer does not count, and in any case it is read again.
  const set = useCallback((/** @type {(before: T) => T} */ change) => {
    if (current.current) {
      old.current = current.current;
      again.current = true;
    }
    put((before) => (before.data === undefined ? before : { ...before, data: change(before.data) }));
  }, []);
  return { ...state, slow: slow && state.loading && state.data === undefined, reload, set };
}

/**
 * Lines that stand where something will be, in its size.
 * @param {{rows?: number, height?: number, show?: boolean}} props  show false keeps the place empty
 */
export function Skeleton({ rows = 3, height = 36, show = true }) {
  return html`<div class="skeleton" aria-hidden="true">${Array.from({ length: rows }, (_, i) => html`
    <div class="skeleton-row" style=${{ height: height + "px" }}>${show && html`<span class="skel" style=${{ width: 40 + ((i * 29) % 50) + "%" }} />`}</div>`)}</div>`;
}

/**
 * What stands where nothing is yet: one line on what will appear, one on how, one button.
 * @param {{what: any, how?: any, children?: any}} props
 */
export function Empty({ what, how, children }) {
  return html`<div class="empty"><p class="as-h3">${what}</p>${how && html`<p>${how}</p>`}${children}</div>`;
}
