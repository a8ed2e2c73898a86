// The runs that began last, each with its trace in small. While somebody points at the
// list, or is in it, new ones wait behind a button: nothing moves under a hand.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad, Empty, Skeleton } from "../lib/load.js";
import { useLive } from "../lib/live.js";
import { useAt, useRoving } from "../lib/list.js";
import { isOver, reasonWord, Status } from "../lib/glyph.js";
import { RunStrip } from "../lib/strip.js";
import { Ago, now } from "../lib/time.js";
import { money, plural, tokens } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";
import { whose } from "../lib/names.js";

const room = 12;

export function RecentRuns() {
  const runs = useLoad((signal) => get("/v1/runs", { query: { limit: room, include: "strip" }, signal }), [], { on: ["run.changed", "run.deleted", "resync"], every: 1000 });
  const [held, hold] = useState(false), [shown, show] = useState(/** @type {any[]} */ ([])), known = useRef(/** @type {Set<string>|null} */ (null));
  const [fresh, setFresh] = useState(/** @type {Set<string>} */ (new Set()));
  const latest = runs.data?.data || [];
  const unseen = shown.length ? latest.filter((/** @type {any} */ one) => !shown.some((other) => other.id === one.id)).length : 0;

  // New rows are tinted, once.
  const showAll = () => {
    const ids = latest.map((/** @type {any} */ one) => one.id), before = known.current;
    setFresh(new Set(before ? ids.filter((/** @type {string} */ id) => !before.has(id)) : []));
    known.current = new Set(ids);
    show(latest);
  };

  useEffect(() => {
    if (!runs.data) return;
    if (held && shown.length) { // the rows stay where they are, and say what is so
      show(shown.map((one) => latest.find((/** @type {any} */ other) => other.id === one.id) || one));
      return;
    }
    showAll();
  }, [runs.data, held]);

  // What the stream says of a row counts at once; its strip follows with the list.
  useLive(["run.changed"], (changes) => show((rows) => rows.map((row) => {
    const said = changes.findLast(({ data }) => data.run.id === row.id);
    return said ? { ...row, ...said.data.run, strip: row.strip } : row;
  })));

  const [at, move] = useAt(shown);
  const roving = useRoving({ count: shown.length, at, onMove: move, noun: "run" });
  return html`<section aria-labelledby="recent" class="recent" onPointerEnter=${() => hold(true)} onPointerLeave=${() => hold(false)} onFocusIn=${() => hold(true)} onFocusOut=${() => hold(false)}>
    <div class="head"><h2 id="recent">Recent runs</h2>
      <button class="btn small" type="button" hidden=${!held || !unseen} onClick=${showAll}>${unseen} new</button>
      <a class="push small" href=${href("/runs")}>All runs</a></div>
    ${runs.error && html`<${Trouble} error=${runs.error} what="The runs could not be read." retry=${runs.reload} />`}
    ${!runs.data && !runs.error && html`<${Skeleton} rows=${8} height=${46} show=${runs.slow} />`}
    ${runs.data && !latest.length && html`<${Empty} what="No run yet" how="Each run appears here when it begins, whichever API has started it."><a class="btn" href=${href("/playground")}>Try one in the playground</a><//>`}
    ${shown.length > 0 && html`<table class="table runs">
      <caption class="sr">${plural(shown.length, "run")}, the newest first</caption>
      <colgroup><col class="c-st" /><col /><col class="c-tr opt" /><col class="c-n opt opt2" /><col class="c-n" /><col class="c-at" /></colgroup>
      <thead><tr><th scope="col">Status</th><th scope="col">Run</th><th scope="col" class="opt">Trace</th><th scope="col" class="num opt opt2">Tokens</th><th scope="col" class="num">Cost</th><th scope="col" class="num">Started</th></tr></thead>
      <tbody>${shown.map((run, i) => html`<${Row} key=${run.id} run=${run} fresh=${fresh.has(run.id)} item=${roving.item(i)} />`)}</tbody></table>`}
  </section>`;
}

/** @param {{run: any, fresh: boolean, item: any}} props */
function Row({ run, fresh, item }) {
  const reason = run.status === "failed" ? reasonWord(run.stop_reason) : "";
  return html`<tr class=${fresh ? "new" : undefined}>
    <td><${Status} s=${run.status} slim /></td>
    <td class="main-cell"><span><a href=${href("/runs/" + run.id)} ...${item}>${run.title || "no prompt"}</a></span>
      <span class="sub">${whose(run.agent) || run.model} · ${run.dialect}${reason && html` · <span class="bad">${reason}</span>`}</span></td>
    <td class="opt"><${isOver(run.status) ? RunStrip : Growing} run=${run} /></td>
    <td class="num opt opt2 dim">${tokens(run.usage.total_tokens)}</td>
    <td class="num">${money(run.usage.cost_usd)}</td>
    <td class="num dim"><${Ago} at=${run.created_at} ago /></td></tr>`;
}

// A strip that grows with the clock, for as long as its run goes on.
/** @param {{run: any}} props */
function Growing({ run }) {
  return now.value ? html`<${RunStrip} run=${run} />` : null;
}
