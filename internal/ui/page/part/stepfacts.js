// What is known of one step of a run: its figures, what was asked, and what came of it.
import { html, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Icon } from "../lib/glyph.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { Prose } from "./prose.js";
import { Code } from "../lib/snippet.js";
import { json } from "../lib/exact.js";
import { count, duration, money, shortID } from "../lib/format.js";
import { Clock, Until } from "../lib/time.js";
import { Arguments } from "./arguments.js";
import { failed, forPerson, nameOf, soFar } from "./spans.js";

/** @type {Record<string, string>} */
const effects = { once: "once: never repeated unasked", keyed: "keyed: a repetition is done once", safe: "safe: can be repeated" };

/** @param {{span: import("./spans.js").Span, run: any, ms: number, beside: string, onLink: () => void, shown: boolean}} props  shown: its arguments stand above already */
export function StepFacts({ span, run, ms, beside, onLink, shown }) {
  const asked = useEvent(run.id, span.kind === "model" || span.kind === "step" ? null : span.asked_seq), told = useEvent(run.id, span.told_seq);
  const call = asked.data?.data?.calls?.find((/** @type {any} */ one) => one.action_id === span.action_id);
  const said = told.data?.data, output = said?.output ?? (said?.outputs || []).find((/** @type {any} */ one) => one.action_id === span.action_id)?.output;
  return html`<section aria-label="This step"><div class="head"><h2 class="as-h3 cut">${shown ? "This step" : html`<${Seen} text=${nameOf(span)} />`}</h2><span class="push" />
      <button class="btn small quiet icon" type="button" aria-label="Copy link to this step" title="Copy link to this step" onClick=${onLink}><${Icon} name="link" /></button></div>
    <dl class="kv small"><${Facts} span=${span} ms=${ms} run=${run} said=${said} beside=${beside} /></dl>
    ${span.message && html`<p class="bad small said">${span.message}</p>`}
    ${span.kind === "model" && span.step && html`<div class="row wrap acts"><button class="btn small" type="button" onClick=${() => setQuery({ prompt: span.step }, { push: true })}><${Icon} name="eye" />Exact prompt</button></div>`}
    ${(asked.error || told.error) && html`<${Trouble} error=${asked.error || told.error} what="Its event could not be read." />`}
    ${asked.slow && html`<${Skeleton} rows=${2} height=${28} />`}
    ${call && !shown && html`<div class="part"><div class="head"><h3>Arguments</h3><span class="push" /><${Copy} text=${json(call.arguments)} label="Copy the arguments" /></div><${Arguments} value=${call.arguments} compact fold /></div>`}
    ${span.kind === "model" && said && html`<${Reply} said=${said} />`}
    ${span.kind !== "model" && typeof output === "string" && html`<${Output} text=${output} bad=${failed(span)} />`}
  </section>`;
}

/** One event of the run, with its numbers to the digit. @param {string} id @param {number|null} seq */
function useEvent(id, seq) {
  return useLoad((signal) => (seq ? get(`/v1/runs/${id}/events`, { query: { after: seq - 1, limit: 1 }, exact: true, signal }).then((page) => page.data[0]) : Promise.resolve(null)), [id, seq]);
}

/** @param {{span: import("./spans.js").Span, ms: number, run: any, said: any, beside: string}} props */
function Facts({ span, ms, run, said, beside }) {
  /** @type {[string, any][]} */
  const facts = [];
  const usage = span.usage;
  if (span.action_id) facts.push(["Action", html`<span class="mono">${span.action_id}</span>`]);
  if (span.asked_seq && span.kind !== "model") facts.push(["Asked in", `step ${span.step}, event ${span.asked_seq}`]);
  if (span.effect) facts.push(["Effect", effects[span.effect] || span.effect]);
  if (span.outcome && span.outcome !== "ok") facts.push(["Outcome", html`<span class=${failed(span) ? "bad" : ""}>${span.outcome}${span.by ? html` by <span class="mono">${span.by}</span>` : ""}</span>`]);
  if (span.code) facts.push(["Code", html`<span class="mono">${span.code}</span>`]);
  if (span.kind === "child" && span.run_id) facts.push(["Its run", html`<a class="id" href=${href("/runs/" + span.run_id)} title=${span.run_id}>${shortID(span.run_id)}</a>`]);
  facts.push(["Began", html`<${Clock} at=${span.begin} /> <span class="faint">· ${duration(Math.max(0, Date.parse(span.begin) - Date.parse(run.created_at)))} in</span>`]);
  facts.push([span.kind === "wait" ? "Waited" : "Took", span.end ? duration(ms) : soFar(ms) + " so far"]);
  if (span.first_ms) facts.push(["First token", duration(span.first_ms)]);
  if (span.attempt && span.attempt > 1) facts.push(["Attempt", span.attempt]);
  if (span.until && !span.end) facts.push(["Until", html`<${Until} at=${span.until} past="any moment" />`]);
  if (usage && usage.total_tokens > 0) {
    facts.push(["Input", `${count(usage.input_tokens)} tokens, ${usage.cached_tokens ? count(usage.cached_tokens) : "none"} cached`]);
    facts.push(["Output", `${count(usage.output_tokens)} tokens${usage.reasoning_tokens ? `, ${count(usage.reasoning_tokens)} of reasoning` : ""}`]);
    facts.push(["Cost", money(usage.cost_usd) + (usage.estimated ? ", estimated" : "")]);
  }
  if (span.kind === "model" && said?.finish) facts.push(["Ended with", said.finish.replaceAll("_", " ")]);
  if (beside) facts.push(["Beside it", beside]);
  if (forPerson(span) && !span.end && span.for === "approval") facts.push(["If rejected", "the run ends without acting"]);
  return facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`);
}

/** @param {{said: any}} props */
function Reply({ said }) {
  return html`${said.reasoning && html`<details class="part"><summary>Reasoning</summary><p class="reply faint"><${Prose} text=${said.reasoning} /></p></details>`}
    ${said.text && html`<${Output} text=${said.text} title="Reply" />`}
    ${said.calls?.length > 0 && html`<div class="part"><h3>Asks for</h3><ul class="calls">${said.calls.map((/** @type {any} */ one) => html`<li key=${one.action_id}><span class="mono">${one.action_id}</span> <b><${Seen} text=${one.tool} /></b>${one.refused ? html` <span class="bad small">${one.refused}</span>` : ""}</li>`)}</ul></div>`}
    ${said.output?.problem && html`<p class="bad small said">${said.output.problem}</p>`}
    ${said.trimmed && html`<p class="small dim said">For want of room the model was not shown all: ${[said.trimmed.views && `${said.trimmed.views} older views`, said.trimmed.outputs && `${said.trimmed.outputs} outputs cut`, said.trimmed.turns && `${said.trimmed.turns} oldest turns`].filter(Boolean).join(", ")}.</p>`}`;
}

const much = 1200;

/** A text that came back: its beginning, and all of it on demand. @param {{text: string, title?: string, bad?: boolean}} props */
function Output({ text, title = "Output", bad }) {
  const [open, setOpen] = useState(false), long = text.length > much && !open, pretty = asJSON(text);
  return html`<div class="part"><div class="head"><h3 class=${bad ? "bad" : ""}>${title}</h3><span class="note">${count(text.length)} characters</span><span class="push" /><${Copy} text=${text} label=${"Copy the " + title.toLowerCase()} /></div>
    ${text ? html`<${Code} text=${(long ? text.slice(0, much) : pretty || text)} plain=${!pretty} />` : html`<p class="dim small">Empty.</p>`}
    ${long && html`<button class="fold" type="button" onClick=${() => setOpen(true)}><${Icon} name="chev" />all ${count(text.length)} characters</button>`}</div>`;
}

/** JSON over several lines, or "" when it is none. @param {string} text */
function asJSON(text) {
  if (!/^\s*[[{]/.test(text) || text.length > 100_000) return "";
  try {
    JSON.parse(text); // numbers keep their digits only as text: a short one stays as it came
    return text.length < 60 ? text : JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return "";
  }
}
