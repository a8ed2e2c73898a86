// What a run says now: its text as it is written, that of the runs it has handed work
// to, and otherwise why it waits and what would move it.
import { html, useEffect, useSignal } from "../lib/html.js";
import { get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { href } from "../lib/root.js";
import { followRun } from "../lib/runstream.js";
import { isOver } from "../lib/glyph.js";
import { Markdown } from "../lib/markdown.js";
import { count } from "../lib/format.js";
import { Clock, Until } from "../lib/time.js";
import { written } from "./rundata.js";

/**
 * @typedef {import("../vendor/signals.js").Signal<import("./rundata.js").Writing|null>} Pen
 * @param {{run: any, spans: import("./spans.js").Span[], events: import("../lib/runstream.js").RunEvent[], writing: Pen, seq: number}} props
 */
export function LiveTab({ run, spans, events, writing, seq }) {
  const others = spans.filter((one) => one.kind === "child" && !one.end && one.run_id).slice(0, 3);
  return html`<section class="live-text" aria-label="What it says">
    <${Pen} name="The model" writing=${writing} />
    ${others.map((one) => html`<${Other} key=${one.run_id} id=${/** @type {string} */ (one.run_id)} name=${one.name || "the other run"} />`)}
    <${Rest} run=${run} events=${events} writing=${writing} others=${others.length} seq=${seq} /></section>`;
}

/** A text that is being written. @param {{name: any, writing: Pen}} props */
function Pen({ name, writing }) {
  const now = writing.value;
  if (!now || (!now.text && !now.reasoning)) return null;
  const s = (now.at - now.began) / 1000, thinks = !now.text;
  return html`<div class="pen"><div class="head"><h2 class="as-h3">${name} ${thinks ? "thinks" : "writes"}</h2><span class="note num">${s > 1 && now.letters > 40 ? `${count(Math.round(now.letters / s))} characters/s` : ""}</span></div>
    <div class=${thinks ? "letter dim" : "letter"}>${thinks ? now.reasoning : now.text}<span class="caret" role="img" aria-label="still writing" /></div></div>`;
}

/** The text of a run that works for this one. @param {{id: string, name: string}} props */
function Other({ id, name }) {
  const writing = useSignal(/** @type {import("./rundata.js").Writing|null} */ (null));
  useEffect(() => followRun(id, {
    onEvents: (some) => { if (some.some((one) => one.type === "model.responded" || one.type === "run.finished")) writing.value = null; },
    onDeltas: (some) => { writing.value = written(writing.peek(), some); },
    onReset: () => { writing.value = null; },
  }), [id]);
  return html`<${Pen} name=${html`<a href=${href("/runs/" + id)}>${name}</a>`} writing=${writing} />`;
}

/** @param {{run: any, events: any[], writing: Pen, others: number, seq: number}} props */
function Rest({ run, events, writing, others, seq }) {
  const idle = !writing.value?.text && !writing.value?.reasoning;
  const said = useLoad((signal) => get(`/v1/runs/${run.id}/explain`, { signal }), [run.id, run.status, seq]);
  const last = events.findLast((one) => one.type === "model.responded" && one.data.text);
  if (!idle) return null;
  const wait = said.data?.waits?.[0];
  return html`${said.data && !isOver(run.status) && (!others || wait) && html`<div class="why"><div class="head"><h2 class="as-h3">${said.data.why}</h2></div>
      ${wait && html`<p class="dim">${wait.tool ? html`<code>${wait.tool}</code>, since ` : "Since "}<${Clock} at=${wait.since} />${wait.until ? html`, <${Until} at=${wait.until} word="for at most " past="any moment now" />` : ""}.</p>`}
      ${said.data.stuck && html`<p class="bad">Nothing is known that would move it. This is a fault of the server: look into its log.</p>`}</div>`}
    ${last && html`<div class="pen"><div class="head"><h2 class="as-h3">${isOver(run.status) ? "Said last" : "Said so far"}</h2><span class="note">step ${last.data.step}</span></div><${Markdown} text=${last.data.text} class="letter" /></div>`}
    ${!last && isOver(run.status) && html`<p class="dim">It has said nothing.</p>`}`;
}
