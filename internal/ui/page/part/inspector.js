// Beside the waterfall: what has to be decided, what is known of the step that is
// selected, where the cost went, and what the run belongs to.
import { html, useMemo, useState, useEffect } from "../lib/html.js";
import { href } from "../lib/root.js";
import { approvals, readInbox } from "../lib/inbox.js";
import { toast } from "../lib/announce.js";
import { Icon } from "../lib/glyph.js";
import { Copy } from "../lib/clip.js";
import { get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { Seen, countHidden } from "../lib/hidden.js";
import { count, money, plural, shortID } from "../lib/format.js";
import { Until } from "../lib/time.js";
import { Arguments, fieldsOf, longFields } from "./arguments.js";
import { Decide } from "./decide.js";
import { Editor } from "./editor.js";
import { useWord } from "./word.js";
import { Effect } from "./action.js";
import { Answer, idsOf, stillAsked } from "./question.js";
import { StepFacts } from "./stepfacts.js";
import { timesOf } from "./spans.js";

/**
 * @param {{run: any, trace: any, now: number, span: import("./spans.js").Span|null, onSelect: (id: string) => void, onLink: () => void, reread: () => void}} props
 */
export function Inspector({ run, trace, now, span, onSelect, onLink, reread }) {
  const begin = Date.parse(trace.begin), waiting = (approvals.value || []).filter((one) => one.run === run.id && run.pending_actions.some((/** @type {any} */ other) => other.id === one.id));
  const item = waiting.find((one) => one.id === span?.action_id) || waiting[0];
  useEffect(() => { if (run.pending_actions.length && approvals.peek() && !waiting.length) readInbox(); }, [run.pending_actions.length]);
  const times = span ? timesOf(span, begin, now) : [0, 0];
  return html`<aside class="insp" aria-label="Inspector">
    ${item && html`<${Approve} key=${item.id + item.digest} item=${item} others=${waiting.filter((one) => one !== item)} spans=${trace.spans} onSelect=${onSelect} onDecided=${(/** @type {any} */ _, /** @type {string} */ said) => {
      toast(`${{ approved: "Approved", rejected: "Rejected", stopped: "Stopped at" }[said]} ${item.tool}`, { s: said === "approved" ? "completed" : "cancelled" });
      reread();
    }} />`}
    ${run.status === "awaiting_input" && run.pending_calls.length > 0 && html`<${Ask} run=${run} reread=${reread} />`}
    ${span && html`<${StepFacts} key=${span.id} span=${span} run=${run} ms=${times[1] - times[0]} beside=${besideOf(span, trace.spans, begin, now)} onLink=${onLink} shown=${!!item && item.id === span.action_id} />`}
    ${!span && !item && html`<p class="small faint desk">Choose a step to see what was asked, and what came of it.</p>`}
    <${Costs} run=${run} spans=${trace.spans} />
    <${About} run=${run} />
  </aside>`;
}

/** @param {{item: import("../lib/inbox.js").Approval, others: any[], spans: any[], onSelect: (id: string) => void, onDecided: (item: any, said: any) => void}} props */
function Approve({ item, others, spans, onSelect, onDecided }) {
  const hidden = useMemo(() => countHidden(item.arguments), [item]), [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const where = fieldsOf(item.arguments).filter(([name, value]) => countHidden(value) + countHidden(name) > 0).map(([name]) => name || "the value");
  const unopened = longFields(item.arguments).filter((name) => !opened.has(name)).length, word = useWord(item, onDecided), edits = word.mode === "edit";
  return html`<section class="panel you decision" aria-labelledby="ap">
    <header><h2 id="ap" class="as-h3 cut"><${Seen} text=${item.tool} /></h2><${Effect} effect=${item.effect} /><span class="push small dim nowrap">${item.expires_at ? html`expires <${Until} at=${item.expires_at} past="any moment" />` : "no expiry"}</span></header>
    <div class="body">
      ${item.reason === "outcome_unknown" && html`<p class="bad small lead">Nobody knows whether this call happened: it was begun, and its answer was lost.</p>`}
      ${item.reason === "changed" && html`<p class="bad small lead">It is not what was approved: the tool or the arguments were changed since.</p>`}
      ${edits ? html`<${Editor} item=${item} word=${word} />` : html`<${Arguments} value=${item.arguments} before=${item.original_arguments ?? undefined} compact fold onOpened=${(/** @type {string} */ name) => setOpened(new Set([...opened, name]))} />`}
      ${hidden > 0 && !edits && html`<p class="small bad note">${plural(hidden, "character")} in ${where.join(", ")} can’t be seen. <a href=${href(`/approvals/${item.run}/${item.id}`)}>Look closer</a></p>`}
      ${!edits && html`<p class="small faint note">Digest <span class="mono" title=${item.digest}>${(item.digest.replace(/^\w+:/, "").slice(0, 16).match(/.{4}/g) || []).join(" ")}…</span>${item.reason === "gate" ? ` · gate of ${item.agent_name || "this run"}${item.agent_version ? " v" + item.agent_version : ""}` : ""}</p>`}
    </div>
    <footer><${Decide} item=${item} word=${word} hidden=${countHidden(word.changed ? word.draft : item.arguments)} unopened=${edits ? 0 : unopened} compact /></footer>
    ${others.length > 0 && html`<div class="others small">Waits, too: ${others.map((one) => html`<button key=${one.id} class="fold" type="button" onClick=${() => {
      const span = spans.find((each) => each.kind === "wait" && each.action_id === one.id && !each.end);
      if (span) onSelect(span.id);
    }}><${Seen} text=${one.tool} /></button> `)}</div>`}
  </section>`;
}

/** @param {{run: any, reread: () => void}} props */
function Ask({ run, reread }) {
  const about = useLoad((signal) => get("/v1/runs/" + run.id, { query: { include_trace: false }, signal, exact: true }), [run.id, idsOf(run.pending_calls)]);
  const calls = stillAsked(about.data, run);
  if (!calls.length) return null;
  return html`<section class="panel you decision" aria-labelledby="qu"><header><h2 id="qu" class="as-h3">${plural(calls.length, "answer")} wanted</h2></header>
    <div class="body"><${Answer} key=${idsOf(calls)} run=${run} calls=${calls} onAnswered=${() => { toast("Answered", { s: "running" }); readInbox(); reread(); }} /></div></section>`;
}

/** What else went on while this span did. @param {any} span @param {any[]} spans @param {number} begin @param {number} now */
function besideOf(span, spans, begin, now) {
  if (span.kind === "step") return "";
  const [from, to] = timesOf(span, begin, now);
  const others = spans.filter((one) => one !== span && one.kind !== "step" && one.kind !== "model" && one.step === span.step && one.action_id !== span.action_id && (([a, b]) => a < to && b > from)(timesOf(one, begin, now)));
  return others.slice(0, 4).map((one) => `${one.name || one.kind} ${one.end ? (one.outcome === "ok" ? "done" : one.outcome || "done") : one.kind === "wait" ? "waiting" : "running"}`).join(", ") + (others.length > 4 ? ` and ${others.length - 4} more` : "");
}

/** @param {{run: any, spans: any[]}} props */
function Costs({ run, spans }) {
  /** @type {Map<string, {cost: number|null, calls: number}>} */
  const sums = new Map();
  for (const one of spans) {
    if ((one.kind !== "model" && one.kind !== "child") || !one.usage?.total_tokens) continue;
    const name = one.kind === "child" ? (one.name || "other run") + (one.end ? "" : " so far") : one.name || run.model, sum = sums.get(name) || { cost: 0, calls: 0 };
    sums.set(name, { cost: sum.cost === null || one.usage.cost_usd === null ? null : sum.cost + one.usage.cost_usd, calls: sum.calls + 1 });
  }
  const usage = run.usage;
  if (!sums.size) return null;
  return html`<section aria-labelledby="co"><h2 id="co" class="as-h3">Where the cost went</h2><dl class="kv small figures-kv">
    ${[...sums].map(([name, sum]) => html`<dt class="cut">${name}${sum.calls > 1 ? html` <span class="faint">× ${sum.calls}</span>` : ""}</dt><dd class="num">${money(sum.cost)}</dd>`)}
    <dt>Fresh input</dt><dd class="num">${count(usage.input_tokens - usage.cached_tokens)} tokens</dd>
    ${usage.cached_tokens > 0 && html`<dt>Cached input</dt><dd class="num">${count(usage.cached_tokens)} tokens</dd>`}
    <dt>Output</dt><dd class="num">${count(usage.output_tokens)} tokens</dd>
    ${usage.reasoning_tokens > 0 && html`<dt>of it reasoning</dt><dd class="num">${count(usage.reasoning_tokens)} tokens</dd>`}</dl></section>`;
}

/** @param {{run: any}} props */
function About({ run }) {
  const link = (/** @type {string} */ id) => html`<a class="id" href=${href("/runs/" + id)} title=${id}>${shortID(id)}</a>`;
  return html`<section aria-labelledby="ab"><h2 id="ab" class="as-h3">This run</h2><dl class="kv small">
    <dt>Id</dt><dd class="row"><span class="id cut" title=${run.id}>${shortID(run.id)}</span><${Copy} text=${run.id} label="Copy the run’s id" /></dd>
    <dt>Model</dt><dd>${run.model}</dd>
    ${run.parent_run && html`<dt>Part of</dt><dd>${link(run.parent_run)}</dd>`}
    ${run.previous_run_id && html`<dt>Continues</dt><dd>${link(run.previous_run_id)}</dd>`}
    ${run.waiting_for?.length > 0 && html`<dt>Waits for</dt><dd>${run.waiting_for.map((/** @type {string} */ id) => (id.startsWith("run_") ? html`${link(id)} ` : html`<a class="id" href=${href("/settings/budgets")}>${shortID(id)}</a>`))}</dd>`}
    ${run.schedule_id && html`<dt>Schedule</dt><dd><a class="id" href=${href("/schedules")}>${shortID(run.schedule_id)}</a></dd>`}
    ${Object.entries(run.metadata || {}).map(([name, value]) => html`<dt class="mono cut">${name}</dt><dd class="mono"><${Seen} text=${String(value)} /></dd>`)}</dl>
    <p class="small links"><a href=${href("/runs?agent=" + encodeURIComponent(run.agent || ""))} hidden=${!run.agent}><${Icon} name="runs" />Runs of ${run.agent_name || "this agent"}</a></p></section>`;
}
