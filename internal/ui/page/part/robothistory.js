// What a robot has done: all executions, found by words, status and trigger; and what
// they have delivered.
import { html, useCallback, useEffect, useRef, useState } from "../lib/html.js";
import { get, lacking, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { go, setQuery } from "../lib/route.js";
import { Empty, Skeleton } from "../lib/load.js";
import { useLive } from "../lib/live.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { RunStrip } from "../lib/strip.js";
import { Ago, now } from "../lib/time.js";
import { duration, money, plural } from "../lib/format.js";
import { Key, useKeys } from "../lib/keys.js";
import { useAt, useRoving } from "../lib/list.js";
import { toast } from "../lib/announce.js";
import { execPath, progressWord, statusOf, triggers, wordOf } from "./execdata.js";
import { robotPath, runOf } from "./robotdata.js";
import { useWords } from "./runfilter.js";

const size = 40;

/**
 * A list by numbered pages, as this API has them, one behind the other. What it has is
 * read again, in place, when something changes.
 * @param {string} path @param {Record<string, any>} query
 */
function useNumbered(path, query) {
  const key = path + JSON.stringify(query), [state, put] = useState(/** @type {{items: any[]|null, total: number, error: any, busy: boolean}} */ ({ items: null, total: 0, error: null, busy: true }));
  const mine = useRef(/** @type {AbortController|null} */ (null)), have = useRef(0), timer = useRef(0);
  const read = useCallback(async (/** @type {number} */ pages) => {
    mine.current?.abort();
    const { signal } = (mine.current = new AbortController());
    put((before) => ({ ...before, busy: true, error: null }));
    try {
      const said = await Promise.all(Array.from({ length: pages }, (_, i) => get(path, { query: { ...query, page: i + 1, pagesize: size }, signal })));
      if (signal.aborted) return;
      have.current = pages;
      const seen = new Set();
      put({ items: said.flatMap((one) => one.data).filter((one) => !seen.has(one.id) && seen.add(one.id)), total: said[0].total, error: null, busy: false });
    } catch (error) {
      if (!signal.aborted) put((before) => ({ ...before, error, busy: false }));
    }
  }, [key]);
  useEffect(() => { read(1); return () => { mine.current?.abort(); clearTimeout(timer.current); }; }, [key]);
  useLive(["run.changed", "run.deleted", "resync"], (changes) => {
    const member = path.split("/")[4];
    if (!changes.some(({ event, data }) => event !== "run.changed" || data.run.agent === "robot/" + decodeURIComponent(member))) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => read(Math.max(1, have.current)), 500);
  });
  return { ...state, reload: () => read(Math.max(1, have.current)), next: () => { if (!state.busy && state.items && state.items.length < state.total) read(have.current + 1); } };
}

/** Something that, when it comes into view, wants more. @param {{onSeen: () => void}} props */
function End({ onSeen }) {
  const ref = useRef(/** @type {any} */ (null)), latest = useRef(onSeen);
  latest.current = onSeen;
  useEffect(() => {
    const watcher = new IntersectionObserver((some) => { if (some.some((one) => one.isIntersecting)) latest.current(); }, { rootMargin: "300px" });
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  });
  return html`<div ref=${ref} class="end" />`;
}

/** @type {[string, string][]} */
const statuses = [["confirming", "Being settled"], ["pending", "Queued"], ["running", "Running"], ["waiting", "Waiting"], ["paused", "Paused"], ["completed", "Completed"], ["failed", "Failed"], ["cancelled", "Cancelled"]];

/** @param {{query: URLSearchParams, status?: boolean, total: number|null}} props */
function Filter({ query, status, total }) {
  const field = useRef(/** @type {any} */ (null)), { text, type } = useWords(query.get("q") || "");
  useKeys([{ keys: "/", does: "Filter", where: "Robots", run: () => field.current?.focus() }]);
  const pick = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ any, /** @type {[string, string][]} */ options) => html`<select class="in" aria-label=${label} value=${query.get(name) || ""} onChange=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value })}>
    <option value="">${any}</option>${options.map(([value, word]) => html`<option key=${value} value=${value} selected=${query.get(name) === value}>${word}</option>`)}</select>`;
  return html`<search class="filter"><div class="with q"><${Icon} name="search" /><input class="in" ref=${field} value=${text} placeholder="Words of the goal" aria-label="Words of the goal" onInput=${type} /></div>
    ${status && pick("status", "Status", "Any status", statuses)}
    ${pick("trigger", "Trigger", "Any trigger", [["human", "Started by a person"], ["clock", "By its clock"], ["event", "By an event"]])}
    <span class="push small dim num">${total === null ? "" : plural(total, status ? "execution" : "result")}</span></search>`;
}

/** The runs' lines of executions: strip, cost. They begin between the first and the last. @param {string} member @param {any[]|null} items */
function useLines(member, items) {
  const [lines, put] = useState(/** @type {Map<string, any>} */ (new Map())), from = items?.at(-1)?.start_time, to = items?.[0]?.start_time, key = items ? items.map((one) => one.id + one.status).join() : "";
  useEffect(() => {
    if (!from || !to) return;
    const over = new AbortController(), step = (/** @type {string} */ time, /** @type {number} */ ms) => new Date(Date.parse(time) + ms).toISOString();
    const read = async (cursor = "", tries = 0) => {
      const page = await get("/v1/runs", { query: { agent: "robot/" + member, include: "strip", limit: 100, created_after: step(from, -1), created_before: step(to, 1), starting_after: cursor }, signal: over.signal });
      put((before) => { const all = new Map(before); for (const line of page.data) all.set(line.id, line); return all; });
      if (page.has_more && tries < 5) await read(page.next_cursor, tries + 1);
    };
    read().catch(() => {}); // strip and cost stay away; the rows stand
    return () => over.abort();
  }, [member, key]);
  return lines;
}

/** @param {{member: string, query: URLSearchParams, onOpen: (id: string) => void}} props */
export function History({ member, query, onOpen }) {
  const found = useNumbered(robotPath(member) + "/executions", { status: query.get("status"), trigger_type: query.get("trigger"), keyword: query.get("q") });
  const items = found.items || [], lines = useLines(member, found.items), [at, setAt] = useAt(items), [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  const choose = (/** @type {string} */ id) => setChosen((before) => (before.includes(id) ? before.filter((one) => one !== id) : [...before.slice(-1), id]));
  const compare = () => go(`/compare?a=${runOf(chosen[0])}&b=${runOf(chosen[1])}`);
  const roving = useRoving({ count: items.length, at, onMove: setAt, onOpen: (i) => onOpen(items[i].id), noun: "execution" });
  useKeys([
    { keys: "x", does: "Select for comparison", where: "Robots", run: () => choose(items[at].id), when: () => at >= 0 && !!items[at] },
    { keys: "v", does: "Compare the two selected", where: "Robots", run: compare, when: () => chosen.length === 2 },
  ]);
  const some = ["q", "status", "trigger"].some((name) => query.has(name));
  return html`<${Filter} query=${query} status total=${found.items ? found.total : null} />
    ${chosen.length > 0 && html`<div class="row chosen"><span class="dim">${chosen.length} selected</span><button class="btn small" type="button" disabled=${chosen.length < 2} onClick=${compare}>Compare <${Key} k="v" /></button><button class="btn small quiet" type="button" onClick=${() => setChosen([])}>Select none</button></div>`}
    ${found.error && html`<${Trouble} error=${found.error} what="The executions could not be read." retry=${found.reload} />`}
    ${!found.items && !found.error && html`<${Skeleton} rows=${6} />`}
    ${found.items && !items.length && (some ? html`<${Empty} what="Nothing like that was done." how="Other words, another status or another trigger find more."><button class="btn" type="button" onClick=${() => setQuery({ q: null, status: null, trigger: null })}>Show all</button><//>`
      : html`<${Empty} what="It has done nothing yet." how="Give it a task in a talk, or let its clock or an event start it."><button class="btn" type="button" onClick=${() => setQuery({ talk: 1 }, { push: true })}>Assign a task</button><//>`)}
    ${items.length > 0 && html`<table class="table hist"><thead><tr><th class="c-st">Status</th><th>Goal</th><th class="opt c-tr">Trigger</th><th class="opt c-pr">Progress</th><th class="opt c-strip">Trace</th><th class="num opt c-n">Took</th><th class="num c-n">Cost</th><th class="num c-at">Begun</th><th class="opt c-act"><span class="sr">What one can do</span></th></tr></thead>
      <tbody>${items.map((one, i) => html`<${Row} key=${one.id} member=${member} one=${one} line=${lines.get(runOf(one.id))} current=${i === at} picked=${chosen.includes(one.id)} onPick=${() => choose(one.id)} onOpen=${() => onOpen(one.id)} onDone=${found.reload} given=${roving.item(i)} />`)}</tbody></table>`}
    <${End} onSeen=${found.next} />`;
}

/** @param {{member: string, one: any, line: any, current: boolean, picked: boolean, onPick: () => void, onOpen: () => void, onDone: () => void, given: any}} props */
function Row({ member, one, line, current, picked, onPick, onOpen, onDone, given }) {
  const [busy, setBusy] = useState(false), s = statusOf({ ...one, tasks: [] }, line), over = ["completed", "failed", "cancelled"].includes(one.status);
  const retry = async () => {
    setBusy(true);
    try {
      await post(execPath(member, one.id) + "/retry");
      toast("Tried again", { detail: one.name, s: "running" });
    } catch (error) {
      toast("Not tried again", { s: "failed", detail: /** @type {Error} */ (error).message });
    }
    setBusy(false);
    onDone();
  };
  const open = (/** @type {MouseEvent} */ event) => { if (event.metaKey || event.ctrlKey) return; event.preventDefault(); onOpen(); };
  return html`<tr aria-selected=${current || picked ? "true" : undefined}>
    <td><${Status} s=${s} word=${wordOf(one, s)} slim /></td>
    <td class="main-cell"><a href=${href(`/robots/${encodeURIComponent(member)}?tab=history&exec=${one.id}`)} onClick=${open} ...${given}>${one.name || "No goal yet"}</a>${one.status === "failed" && one.error && html`<span class="small bad">${one.error}</span>`}</td>
    <td class="opt dim">${triggers[one.trigger_type] || one.trigger_type}</td><td class="opt dim">${progressWord(one.progress).replace(" tasks", "")}</td>
    <td class="opt">${line && html`<${RunStrip} run=${line} />`}</td>
    <td class="num opt dim">${line ? duration(Math.max(0, (one.end_time ? Date.parse(one.end_time) : now.value) - Date.parse(one.start_time))) : ""}</td>
    <td class="num">${line ? money(line.usage?.cost_usd) : html`<span class="faint">–</span>`}</td><td class="num"><${Ago} at=${one.start_time} /></td>
    <td class="opt num"><span class="acts"><${Button} kind="small quiet" disabled=${!line} aria-pressed=${String(picked)} aria-label=${"Select for comparison: " + one.name} title="Select for comparison" onClick=${onPick}><${Icon} name=${picked ? "check" : "compare"} /><//>
      ${over && line ? html`<${Button} kind="small" busy=${busy} lacks=${lacking("runs:write")} aria-label=${"Retry " + one.name} onClick=${retry}>Retry<//>` : null}</span></td></tr>`;
}

/** @param {{member: string, query: URLSearchParams, onOpen: (id: string) => void}} props */
export function Results({ member, query, onOpen }) {
  const found = useNumbered(robotPath(member) + "/results", { trigger_type: query.get("trigger"), keyword: query.get("q") }), items = found.items || [], [at, setAt] = useAt(items);
  const roving = useRoving({ count: items.length, at, onMove: setAt, onOpen: (i) => onOpen(items[i].id), noun: "result" });
  return html`<${Filter} query=${query} total=${found.items ? found.total : null} />
    ${found.error && html`<${Trouble} error=${found.error} what="The results could not be read." retry=${found.reload} />`}
    ${!found.items && !found.error && html`<${Skeleton} rows=${4} height=${64} />`}
    ${found.items && !items.length && html`<${Empty} what="Nothing is delivered yet." how="What completed executions hand in stands here, with its files, whoever else gets it." />`}
    ${items.length > 0 && html`<ul class="results">${items.map((one, i) => html`<li key=${one.id} class=${i === at ? "at" : ""}><a href=${href(`/robots/${encodeURIComponent(member)}?tab=results&exec=${one.id}`)}
      onClick=${(/** @type {MouseEvent} */ event) => { if (event.metaKey || event.ctrlKey) return; event.preventDefault(); onOpen(one.id); }} ...${roving.item(i)}>
      <b class="cut">${one.name}</b><span class="small dim said">${one.summary}</span><span class="small faint meta">${triggers[one.trigger_type]} · <${Ago} at=${one.end_time || one.start_time} ago />${one.has_attachments && html` · <${Icon} name="attach" /> files`}</span></a></li>`)}</ul>`}
    <${End} onSeen=${found.next} />`;
}
