// Runs: all of them, narrowed by the address, live.
import { html, useEffect, useLayoutEffect, useMemo, useState } from "../lib/html.js";
import { lacking, may, post } from "../lib/api.js";
import { go, place } from "../lib/route.js";
import { href } from "../lib/root.js";
import { toast } from "../lib/announce.js";
import { confirm } from "../lib/dialog.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Glyph, Icon, isOver } from "../lib/glyph.js";
import { inboxCount } from "../lib/inbox.js";
import { Key, useKeys } from "../lib/keys.js";
import { useAt } from "../lib/list.js";
import { count, plural } from "../lib/format.js";
import { At } from "../lib/time.js";
import { RunFilter } from "../part/runfilter.js";
import { RunTable, rowHeight } from "../part/runtable.js";
import { filterOf, lastFilter, useRunList } from "../part/runlist.js";
import { useWaits } from "../part/runwaits.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Runs({ query }) {
  const words = query.toString(), filter = useMemo(() => filterOf(query, Date.now()), [words]);
  const [pointed, point] = useState(false), [inside, setInside] = useState(false), [scrolled, setScrolled] = useState(false);
  const held = pointed || inside || scrolled, back = useBack(), list = useRunList(filter, held || back.rows > 0, back.rows), waits = useWaits(filter, held);
  back.to(list, waits.read);
  // Both are shown at once, so that nothing is pushed down by what comes a moment later.
  const runs = useMemo(() => (waits.read ? [...waits.rows, ...list.items.filter((one) => !waits.rows.some((other) => other.id === one.id))] : []), [waits.read, waits.rows, list.items]), [at, move] = useAt(runs);
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  useEffect(() => { lastFilter.value = filter; move(-1); setChosen(new Set()); }, [words]);
  useEffect(() => {
    const look = () => setScrolled(scrollY > 120);
    addEventListener("scroll", look, { passive: true });
    return () => removeEventListener("scroll", look);
  }, []);
  const choose = (/** @type {string} */ id, /** @type {boolean} */ on) => setChosen((before) => new Set([...before].filter((one) => one !== id).concat(on ? [id] : [])));
  const picked = runs.filter((one) => chosen.has(one.id));
  useKeys([
    { keys: "x", does: "Select", where: "Lists", run: () => { const run = runs[at]; if (run) choose(run.id, !chosen.has(run.id)); }, when: () => at >= 0 },
    { keys: "v", does: "Compare the two selected", where: "Lists", run: () => compare(picked), when: () => picked.length === 2 },
    { keys: "Escape", does: "", run: () => setChosen(new Set()), when: () => chosen.size > 0 },
  ]);
  if (!may("runs:read")) return html`<div class="page-head"><h1>Runs</h1></div><${Empty} what="Your key may not read runs." how=${lacking("runs:read")} />`;
  const narrowed = Object.keys(filter).some((name) => name !== "order");
  return html`
    <div class="page-head"><h1>Runs</h1><span class="push" /><a class="btn primary" href=${href("/playground")}><${Icon} name="plus" />New run <${Key} k="n" /></a></div>
    <${RunFilter} query=${query} />
    <div class="list-head">
      ${picked.length ? html`<${Picked} runs=${picked} onLeave=${() => setChosen(new Set())} />` : html`${list.items.length > 0 && html`<span class="small dim">${plural(list.items.length, "run")}${list.more ? " so far" : ""}</span>`}
        ${inboxCount.value > 0 && !waits.rows.length && html`<a class="st waits" data-s="awaiting_approval" href=${href("/approvals")}><${Glyph} s="awaiting_approval" />${inboxCount.value === 1 ? "1 waits for you" : inboxCount.value + " wait for you"}</a>`}`}
      <button class="btn small arrived" type="button" hidden=${!list.newer.length} onClick=${() => { list.showNewer(); waits.renew(); scrollTo({ top: 0 }); }}><${Icon} name="up" />${count(list.newer.length)} new</button></div>
    ${list.error && html`<${Trouble} error=${list.error} what="The runs could not be read." retry=${list.retry} />`}
    ${(list.loading || !waits.read) && !runs.length && !list.error && html`<${Skeleton} rows=${14} show=${list.slow} />`}
    ${runs.length > 0 && html`<div onFocusIn=${() => setInside(true)} onFocusOut=${() => setInside(false)}>
      <${RunTable} list=${list} runs=${runs} waits=${waits} at=${at} onMove=${move} chosen=${chosen} onChoose=${choose} onHold=${point} oldest=${filter.order === "oldest"} narrowed=${narrowed} /></div>`}
    ${!list.loading && !list.error && html`<${End} list=${list} rows=${runs.length} narrowed=${narrowed} words=${!!filter.q} />`}`;
}

// Whoever comes back from a run stands where they were: so many rows are read again, and
// then scrolled to. It ends with 2,000, which a server on the same desk reads in a second.
function useBack() {
  const [top, done] = useState(place.peek().scroll || 0), rows = top > 0 ? Math.min(2000, Math.ceil((top + innerHeight) / rowHeight())) : 0;
  const to = (/** @type {any} */ list, /** @type {boolean} */ shown) => {
    const there = rows > 0 && shown && !list.loading && (list.items.length >= rows || !list.more || list.error);
    useLayoutEffect(() => {
      if (!there) return;
      scrollTo({ top });
      done(0);
    }, [there]);
  };
  return { rows, to };
}

/** @param {any[]} runs */
const compare = (runs) => go(`/compare?a=${runs[0].id}&b=${runs[1].id}`);

/** What the list ends with: nothing at all, or how far it was looked. @param {{list: any, rows: number, narrowed: boolean, words: boolean}} props */
function End({ list, rows, narrowed, words }) {
  if (list.searched && !list.searched.complete && list.more && list.searched.until) {
    return html`<div class="looked row"><span class="dim">Looked back to <${At} at=${list.searched.until} />.</span><button class="btn small" type="button" onClick=${list.next}>Look further</button></div>`;
  }
  if (rows) return null;
  return narrowed
    ? html`<${Empty} what="No run fits." how=${words ? "Words are found in titles, which are the first 80 characters of a prompt, and in names of agents, models and ids: not in the rest of a prompt, and not in answers." : "A run appears here as soon as one fits what is chosen above."}><a class="btn" href=${href("/runs")}>Show all runs</a><//>`
    : html`<${Empty} what="No run yet" how="Each run appears here when it begins, whichever API has started it."><a class="btn" href=${href("/playground")}>Try one in the playground</a><//>`;
}

/** @param {{runs: any[], onLeave: () => void}} props */
function Picked({ runs, onLeave }) {
  const [busy, setBusy] = useState(false), open = runs.filter((one) => !isOver(one.status));
  const cancel = async () => {
    const sure = await confirm({ title: `Cancel ${plural(open.length, "run")}?`, body: "They end now with what they have. A call that is under way may still have its effect.", act: open.length > 1 ? "Cancel runs" : "Cancel run", keep: "Keep running" });
    if (!sure) return;
    setBusy(true);
    const failed = (await Promise.allSettled(open.map((one) => post(`/v1/runs/${one.id}/cancel`)))).filter((one) => one.status === "rejected");
    setBusy(false);
    toast(`Cancelled ${open.length - failed.length} of ${open.length}`, failed.length ? { detail: /** @type {any} */ (failed[0]).reason.message, s: "failed" } : { s: "cancelled" });
    if (!failed.length) onLeave();
  };
  return html`<b>${runs.length} selected</b>
    <button class="btn small" type="button" disabled=${runs.length !== 2} title=${runs.length === 2 ? undefined : "Select two runs to compare them"} onClick=${() => compare(runs)}><${Icon} name="compare" />Compare <${Key} k="v" /></button>
    ${open.length > 0 && html`<${Button} kind="small danger" busy=${busy} lacks=${lacking("runs:write")} onClick=${cancel}><${Icon} name="stop" />Cancel ${open.length}…<//>`}
    <button class="btn small quiet" type="button" onClick=${onLeave}>Clear selection</button>`;
}
