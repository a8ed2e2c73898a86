// The rows of the list of runs: only those in view are in the document, so that the
// end of a million is as near as the beginning.
import { cx, html, useLayoutEffect, useRef } from "../lib/html.js";
import { href } from "../lib/root.js";
import { useRoving, useWindow } from "../lib/list.js";
import { go, place, setQuery } from "../lib/route.js";
import { Glyph, Icon, isOver, reasonWord, Status } from "../lib/glyph.js";
import { inboxCount } from "../lib/inbox.js";
import { RunStrip } from "../lib/strip.js";
import { Ago, now } from "../lib/time.js";
import { duration, money, tokens } from "../lib/format.js";
import { Seen } from "../lib/hidden.js";
import { whose } from "../lib/names.js";
import { asks } from "./runwaits.js";
import { soFar } from "./spans.js";

const wide = matchMedia("(min-width: 901px)");

/** How high a row is here, in px. */
export const rowHeight = () => (!wide.matches ? 56 : matchMedia("(pointer: coarse)").matches ? 48 : 36);

/**
 * @param {{list: any, runs: any[], waits: import("./runwaits.js").Waits, at: number, onMove: (i: number) => void, chosen: Set<string>, onChoose: (id: string, on: boolean) => void, onHold: (held: boolean) => void, oldest: boolean, narrowed: boolean}} props
 */
export function RunTable({ list, runs: rows, waits, at, onMove, chosen, onChoose, onHold, oldest, narrowed }) {
  const row = rowHeight(), columns = wide.matches ? 10 : 4; // a phone shows four
  const head = waits.rows.length ? 1 : 0; // a line above those that wait, as high as a row
  const window = useWindow({ count: rows.length + head, row, onEnd: list.next, spare: 6 });
  const roving = useRoving({ count: rows.length, at, onMove, onOpen: (i) => go("/runs/" + rows[i].id), noun: "run" });
  useLayoutEffect(() => { // the focus goes with its run
    const on = document.activeElement, to = window.ref.current?.querySelector("tr[data-current] .main-cell a");
    if (to && to !== on && on?.matches(".main-cell a") && window.ref.current.contains(on)) to.focus({ preventScroll: true });
  }, [rows]);
  // A row is drawn anew only when something of it has changed: while many runs go on,
  // most rows are as they were. A row’s element is that of its place, not of its run:
  // when new ones arrive, texts change and nothing moves.
  const drawn = useRef(/** @type {Map<string, {run: any, how: string, row: any}>} */ (new Map()));
  const line = (/** @type {any} */ run, /** @type {number} */ n) => {
    const last = n === waits.rows.length - 1, how = [n, n === at, n === Math.max(0, at), chosen.has(run.id), list.arrived.has(run.id), last, head].join(), before = drawn.current.get(run.id);
    if (before && before.run === run && before.how === how) return before.row;
    const row = html`<${Row} key=${n} run=${run} n=${n} index=${n + head + 2} current=${n === at} chosen=${chosen.has(run.id)} onChoose=${onChoose} onMove=${onMove} fresh=${list.arrived.has(run.id)} last=${last} given=${roving.item(n)} />`;
    if (drawn.current.size > 400) drawn.current.clear();
    drawn.current.set(run.id, { run, how, row });
    return row;
  };
  return html`<table class="table runs" aria-rowcount=${list.more ? -1 : rows.length + head + 1} onPointerEnter=${() => onHold(true)} onPointerLeave=${() => onHold(false)}>
    <caption class="sr">Runs, the ${oldest ? "oldest" : "newest"} first</caption>
    <colgroup><col class="c-x opt" /><col class="c-st" /><col /><col class="c-ag opt" /><col class="c-api opt" /><col class="c-tr opt" /><col class="c-n opt" /><col class="c-n" /><col class="c-n opt" /><col class="c-at" /></colgroup>
    <thead><tr><th class="opt"><span class="sr">Selected</span></th><th scope="col">Status</th><th scope="col">Run</th><th scope="col" class="opt">Agent</th><th scope="col" class="opt">API</th><th scope="col" class="opt">Trace</th>
      <th scope="col" class="num opt">Tokens</th><th scope="col" class="num">Cost</th><th scope="col" class="num opt">Took</th>
      <th scope="col" class="num" aria-sort=${oldest ? "ascending" : "descending"}><button class="plain sort" type="button" onClick=${() => setQuery({ order: oldest ? "" : "oldest" }, { push: true })}>Started<${Icon} name=${oldest ? "up" : "down"} /></button></th></tr></thead>
    <tbody ref=${window.ref}>
      ${window.before > 0 && html`<tr class="gap" aria-hidden="true"><td colspan=${columns} style=${{ height: window.before + "px" }} /></tr>`}
      ${head > 0 && window.from === 0 && html`<${WaitsHead} columns=${columns} waits=${waits} narrowed=${narrowed} />`}
      ${rows.slice(Math.max(0, window.from - head), Math.max(0, window.to - head)).map((/** @type {any} */ run, /** @type {number} */ i) => line(run, Math.max(0, window.from - head) + i))}
      ${window.after > 0 && html`<tr class="gap" aria-hidden="true"><td colspan=${columns} style=${{ height: window.after + "px" }} /></tr>`}
    </tbody></table>`;
}

/**
 * The line above those that wait for a person. In a list that is narrowed it counts what
 * fits: how many wait of all is in the rail.
 * @param {{columns: number, waits: import("./runwaits.js").Waits, narrowed: boolean}} props
 */
function WaitsHead({ columns, waits, narrowed }) {
  const here = waits.rows.length, n = narrowed ? here : Math.max(here, inboxCount.value), others = narrowed ? waits.more : waits.more || n > here;
  const these = new URLSearchParams(place.value.query);
  these.set("status", asks);
  return html`<tr key="waits" class="group"><td colspan=${columns}><div class="row"><span class="st" data-s="awaiting_approval"><${Glyph} s="awaiting_approval" />${narrowed && waits.more ? `More than ${here} wait for you` : n > 1 ? n + " wait for you" : "1 waits for you"}</span><span class="push" />
    ${others && html`<a href=${href("/runs?" + these)}>All that wait</a>`}<a href=${href("/approvals")}>Open inbox</a></div></td></tr>`;
}

/** @param {{run: any, n: number, index: number, current: boolean, chosen: boolean, fresh: boolean, last: boolean, onChoose: (id: string, on: boolean) => void, onMove: (i: number) => void, given: any}} props */
function Row({ run, n, index, current, chosen, fresh, last, onChoose, onMove, given }) {
  const reason = run.status === "failed" ? reasonWord(run.stop_reason) : "", agent = whose(run.agent) || run.agent || "";
  return html`<tr class=${cx(fresh && "new", last && "last") || undefined} aria-rowindex=${index} data-current=${current ? "" : undefined} aria-selected=${chosen ? "true" : undefined}
    onClick=${(/** @type {any} */ event) => { if (!event.defaultPrevented && !event.target.closest("a,input,button") && !String(getSelection())) go("/runs/" + run.id); }}>
    <td class="opt"><input type="checkbox" class="pick" tabindex="-1" checked=${chosen} aria-label=${"Select " + (run.title || run.id)} onChange=${(/** @type {any} */ event) => onChoose(run.id, event.target.checked)} /></td>
    <td><${Status} s=${run.status} slim /></td>
    <td class="main-cell"><span><a href=${href("/runs/" + run.id)} onFocus=${() => onMove(n)} ...${given}><${Seen} text=${run.title || "no prompt"} /></a>${reason && html` <span class="bad small">${reason}</span>`}</span>
      <span class="sub phone">${agent || run.model}</span></td>
    <td class="opt dim"><span class="cut" title=${agent ? undefined : "No saved agent: the model alone"}>${agent || html`<span class="faint">${run.model}</span>`}</span></td>
    <td class="opt dim">${run.dialect}</td>
    <td class="opt"><${isOver(run.status) ? RunStrip : Growing} run=${run} /></td>
    <td class="num opt dim">${tokens(run.usage.total_tokens)}</td>
    <td class="num">${money(run.usage.cost_usd)}</td>
    <td class="num opt dim"><${Took} run=${run} /></td>
    <td class="num dim"><${Ago} key=${run.id} at=${run.created_at} ago /></td></tr>`;
}

/** @param {{run: any}} props */
function Took({ run }) {
  const begin = Date.parse(run.created_at);
  return isOver(run.status) && run.finished_at ? duration(Date.parse(run.finished_at) - begin) : soFar(now.value - begin);
}

// A strip that grows with the clock, for as long as its run goes on.
/** @param {{run: any}} props */
function Growing({ run }) {
  return now.value ? html`<${RunStrip} run=${run} />` : null;
}
