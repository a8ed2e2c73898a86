// One run of a recorded workflow: its steps, what was called with what, what came back,
// and what the model had to mend.
import { html, useState } from "../lib/html.js";
import { get, lacking, post } from "../lib/api.js";
import { href, base } from "../lib/root.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { Code } from "../lib/snippet.js";
import { Seen } from "../lib/hidden.js";
import { toast } from "../lib/announce.js";
import { duration, money, plural, tokens } from "../lib/format.js";
import { Ago } from "../lib/time.js";
import { Arguments } from "./arguments.js";

/** How a run of this API stands, as the rest of the page says it. @param {any} run */
export const statusOf = (run) => (run.status === "in_progress" ? run.run_status || "running" : run.status === "success" ? "completed" : run.run_status === "cancelled" ? "cancelled" : "failed");

/** @param {{n: number|string, onKept: () => void}} props  n: its number; onKept: a mended workflow was kept */
export function Replay({ n, onKept }) {
  const run = /** @type {import("../lib/load.js").Loaded<any>} */ (useLoad((signal) => get("/api/runs/" + n, { query: { screenshots: false }, signal }), [n], { on: ["run.changed", "resync"], every: 300, when: ({ data }) => data.run?.id === run.data?.run_id }));
  const [busy, setBusy] = useState("");
  if (run.error && !run.data) return html`<${Trouble} error=${run.error} what="The run could not be read." retry=${run.reload} />`;
  if (!run.data) return html`<${Skeleton} rows=${4} show=${run.slow} />`;
  const one = run.data, s = statusOf(one), mended = one.steps.flatMap((/** @type {any} */ step) => step.actions).filter((/** @type {any} */ each) => each.executed_by_ai).length;
  const act = async (/** @type {string} */ name, /** @type {string} */ path, /** @type {string} */ done) => {
    setBusy(name);
    try {
      await post(`/api/runs/${n}/${path}`);
      toast(done);
      if (name === "keep") onKept();
      run.reload();
    } catch (error) {
      toast("That was refused", { s: "failed", detail: /** @type {Error} */ (error).message });
    }
    setBusy("");
  };
  return html`<section class="replay" aria-label=${"Run " + n}><div class="head"><h2>Run ${n}</h2><${Status} s=${s} tag />${one.replayed && html`<span class="tag line">replay</span>`}<span class="note"><${Ago} at=${one.created_at} ago /></span><span class="push" />
      ${s !== "completed" && s !== "failed" && s !== "cancelled" && html`<${Button} kind="danger" busy=${busy === "stop"} lacks=${lacking("runs:write")} onClick=${() => act("stop", "stop", "Stopped")}>Stop<//>`}
      <a class="btn" href=${href("/runs/" + one.run_id)}>Open run</a></div>
    <p class="small dim facts">${one.ended_at ? duration(Date.parse(one.ended_at) - Date.parse(one.created_at)) : "under way"} · ${one.usage.total_tokens ? `${tokens(one.usage.total_tokens)} tokens · ${money(one.usage.cost_usd)}` : "no model was called"}</p>
    ${mended > 0 && html`<div class="note-box" data-s="running" role="note"><${Icon} name="edit" /><div class="grow"><b>${plural(mended, "recorded action")} did not work any more, and the model found another way.</b> <span class="dim">Keep it, and the next replay goes that way at once.</span></div>
      ${s === "completed" && html`<${Button} kind="small" busy=${busy === "keep"} lacks=${lacking("runs:write")} onClick=${() => act("keep", "set-as-cached-workflow", "The workflow has what was mended")}>Keep what was mended<//>`}</div>`}
    <${Steps} steps=${one.steps} />
    ${one.error && html`<p class="bad">${one.error}</p>`}
    ${one.result !== null && one.result !== undefined && html`<${Code} caption="What it answered" text=${typeof one.result === "string" ? one.result : JSON.stringify(one.result, null, 2)} plain=${typeof one.result === "string"} />`}
  </section>`;
}

/**
 * Steps with their actions: as they were recorded, or as a run has made them.
 * @param {{steps: any[]}} props
 */
export function Steps({ steps }) {
  return html`<ol class="wsteps">${steps.map((step, i) => html`<li key=${i}><span class="n" aria-hidden="true">${i + 1}</span><div class="what">
    <p class="desc"><${Seen} text=${step.description || "Step " + (i + 1)} /></p>
    ${step.screenshot_url && html`<a href=${base + path(step.screenshot_url)} target="_blank" rel="noopener" class="small">Screenshot</a>`}
    <ul>${step.actions.map((/** @type {any} */ action, /** @type {number} */ n) => html`<${Action} key=${n} action=${action} />`)}</ul></div></li>`)}</ol>`;
}

/** The path of an address of this server. @param {string} address */
const path = (address) => (address.startsWith("/") ? address : new URL(address).pathname);

/** @param {{action: any}} props */
function Action({ action }) {
  const back = action.error || action.extracted_content, healed = action.executed_by_ai;
  return html`<li class=${healed ? "healed" : undefined}><details><summary><${Icon} name=${action.is_done ? "check" : "tool"} /><code>${action.name}</code><span class="dim small cut"><${Parameters} text=${Object.values(action.params || {}).filter((one) => typeof one === "string" || typeof one === "number").join(" · ").slice(0, 160)} /></span>
      ${healed && html`<span class="tag" title=${action.fallback_reason || undefined}><${Icon} name="edit" />healed${action.fallback_attempt > 1 ? `, attempt ${action.fallback_attempt}` : ""}</span>`}${action.error && html`<${Status} s="failed" alone word="failed" />`}</summary>
    ${healed && action.fallback_reason && html`<p class="small dim">In place of a recorded action: <${Seen} text=${action.fallback_reason} /></p>`}
    <${Arguments} value=${action.params || {}} compact fold />${back && html`<${Code} caption=${action.error ? "What went wrong" : "What came back"} text=${back.slice(0, 6000)} plain />`}</details></li>`;
}

/** A text with its parameters marked. @param {{text: string}} props */
export function Parameters({ text }) {
  return text.split(/(\{\{[^}]*\}\})/).map((part) => (/^\{\{/.test(part) ? html`<b class="param">${part.slice(2, -2).trim()}</b>` : html`<${Seen} text=${part} />`));
}
