// A run in small, as a test run and a chat show it: its steps as they come, its words
// as they are written, and what it waits for, decided in place.
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { href } from "../lib/root.js";
import { approvals, readInbox } from "../lib/inbox.js";
import { toast } from "../lib/announce.js";
import { Trouble } from "../lib/fault.js";
import { Glyph, Icon, Status, isOver, reasonWord } from "../lib/glyph.js";
import { Markdown } from "../lib/markdown.js";
import { Seen, countHidden } from "../lib/hidden.js";
import { Skeleton } from "../lib/load.js";
import { get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { duration, money, tokens } from "../lib/format.js";
import { now, Until } from "../lib/time.js";
import { Code } from "../lib/snippet.js";
import { Effect } from "./action.js";
import { Answer, idsOf, stillAsked } from "./question.js";
import { Arguments, longFields } from "./arguments.js";
import { Decide } from "./decide.js";
import { callsOf } from "./runlog.js";
import { useRun } from "./rundata.js";
import { failed, forPerson, noteOf } from "./spans.js";

/**
 * @param {{id: string, models?: boolean, onRun?: (run: any) => void}} props  models: the model's calls are shown, too;
 *   onRun: told of the run whenever it has changed
 */
export function Turn({ id, models, onRun }) {
  const data = useRun(id), run = data.run.data, trace = data.trace.data, calls = useMemo(() => callsOf(data.events), [data.seq]);
  useEffect(() => { if (run) onRun?.(run); }, [run]);
  if (data.gone) return html`<p class="dim small">This run was deleted.</p>`;
  if (data.run.error && !run) return html`<${Trouble} error=${data.run.error} what="The run could not be read." retry=${data.run.reload} />`;
  if (!run || !trace) return html`<${Skeleton} rows=${2} height=${28} show=${data.run.slow} />`;
  const spans = trace.spans.filter((/** @type {any} */ one) => shown(one, !!models));
  const said = data.events.filter((one) => one.type === "model.responded" && one.data.text && one.data.calls.length);
  const later = data.events.filter((one) => one.type === "message.added").map((one) => one.data.content);
  return html`<div class="turn">
    ${data.state.how === "lost" && !isOver(run.status) && html`<p class="small bad">Not connected: this is as it was. It tries again by itself.</p>`}
    ${spans.length > 0 && html`<ol class="turn-steps">${spans.map((/** @type {any} */ span) => html`<${Row} key=${span.id} span=${span} call=${calls.get(span.action_id)} output=${outputOf(data.events, span)}
      said=${span.kind === "model" || models ? "" : firstOf(said, span, spans)} skew=${trace.skew} />`)}</ol>`}
    ${later.map((text, i) => html`<p key=${i} class="turn-later"><b>You, meanwhile</b> <${Seen} text=${text} /></p>`)}
    <${Words} run=${run} writing=${data.writing} />
    <${Waits} run=${run} reread=${data.reread} />
  </div>`;
}

/** @param {any} span @param {boolean} models */
function shown(span, models) {
  if (span.kind === "step") return false;
  if (span.kind === "model") return models || failed(span);
  if (span.kind === "wait") return !span.end || span.for === "budget" || span.outcome === "rejected";
  return true;
}

// What the model said before it asked for the first of these calls.
/** @param {any[]} said @param {any} span @param {any[]} spans */
function firstOf(said, span, spans) {
  if (spans.find((one) => one.step === span.step && one.kind !== "model") !== span) return "";
  return said.find((one) => one.data.step === span.step)?.data.text || "";
}

/** @param {any[]} events @param {any} span */
function outputOf(events, span) {
  const told = span.told_seq && events.find((one) => one.seq === span.told_seq)?.data;
  return told ? told.output ?? (told.outputs || []).find((/** @type {any} */ one) => one.action_id === span.action_id)?.output : undefined;
}

/** @param {{span: any, call: any, output: any, said: string, skew: number}} props */
function Row({ span, call, output, said, skew }) {
  const begin = Date.parse(span.begin), took = span.end ? Date.parse(span.end) - begin : Math.max(0, Math.floor((now.value + skew - begin) / 1000) * 1000);
  const head = html`<${Mark} span=${span} /><span class="cut"><${Name} span=${span} call=${call} /></span><span class=${failed(span) ? "small bad" : "small dim"}>${duration(took)}</span>`;
  const more = call && span.kind !== "model";
  return html`<li>${said && html`<${Markdown} class="turn-said" text=${said} />`}
    ${more ? html`<details><summary>${head}</summary><div class="turn-more"><${Arguments} value=${call.arguments} compact fold />
      ${typeof output === "string" && html`<${Code} text=${output.length > 4000 ? output.slice(0, 4000) + "\n… and more: see the run" : output} caption=${failed(span) ? "What came back: an error" : "What came back"} plain=${!/^\s*[[{]/.test(output)} />`}</div></details>` : html`<div class="turn-row">${head}</div>`}</li>`;
}

/** @param {{span: any, call: any}} props */
function Name({ span, call }) {
  const values = Object.values(call?.arguments || {}), hint = typeof values[0] === "string" || typeof values[0] === "number" ? String(values[0]) : "";
  if (span.kind === "model") return html`${span.name} <span class="dim small">${failed(span) ? span.message || span.code : span.first_ms ? "first token " + duration(span.first_ms) : ""}</span>`;
  const note = span.kind === "wait" || failed(span) ? noteOf(span) : "";
  return html`<code><${Seen} text=${span.name || call?.tool || noteOf(span)} /></code> <span class=${failed(span) ? "bad small" : "dim small"}>${failed(span) ? span.message || note : note || html`<${Seen} text=${hint.slice(0, 80)} />`}</span>`;
}

/** @param {{span: any}} props */
function Mark({ span }) {
  const s = failed(span) ? "failed" : span.outcome === "rejected" || span.outcome === "cancelled" ? "cancelled" : span.end ? "" : span.kind !== "wait" ? "running" : span.for === "input" ? "awaiting_input" : forPerson(span) ? "awaiting_approval" : span.for === "resume" ? "paused" : "queued";
  if (s) return html`<${Status} s=${s} alone word=${s === "failed" ? span.outcome : undefined} />`;
  return html`<${Icon} name=${{ model: "bolt", tool: "tool", wait: "clock", child: "agents" }[/** @type {"model"} */ (span.kind)]} />`;
}

// The answer: while it is written, as plain text; then as what it is.
/** @param {{run: any, writing: any}} props */
function Words({ run, writing }) {
  const live = writing.value;
  if (!isOver(run.status)) {
    if (live?.text) return html`<div class="turn-words"><${Markdown} text=${live.text} live /></div>`;
    if (live?.reasoning) return html`<p class="faint small">Thinks…</p>`;
    return run.status === "running" || run.status === "queued" ? html`<p class="turn-wait"><${Status} s=${run.status} word=${run.status === "queued" ? "Waits for a place" : "Works"} /></p>` : null;
  }
  const result = run.result, structured = result && result.output !== null && result.output !== undefined;
  return html`
    ${structured ? html`<${Code} text=${JSON.stringify(result.output, null, 2)} caption="The answer, by its schema" />` : result?.summary ? html`<div class="turn-words"><${Markdown} text=${result.summary} /></div>` : null}
    ${run.status !== "completed" && html`<div class="note-box" data-s=${run.status}><${Glyph} s=${run.status} /><div><b>${run.status === "cancelled" ? "Cancelled" : "Failed"}${run.stop_reason && run.stop_reason !== "cancelled" ? ": " + reasonWord(run.stop_reason) : ""}.</b> ${run.error?.message || ""}</div></div>`}
    ${run.status === "completed" && run.stop_reason !== "answered" && html`<p class="small dim">Ended: ${reasonWord(run.stop_reason)}${result?.partial ? ", with what it had" : ""}.</p>`}`;
}

/** What a run has used, in one line. @param {{run: any}} props */
export function Used({ run }) {
  const begin = Date.parse(run.created_at), took = run.finished_at ? Date.parse(run.finished_at) - begin : Math.max(0, Math.floor((now.value - begin) / 1000) * 1000);
  return html`<span class="small dim nowrap">${duration(took)} · ${tokens(run.usage.total_tokens)} tokens · ${money(run.usage.cost_usd)}</span>`;
}

/** @param {{run: any, reread: () => void}} props */
function Waits({ run, reread }) {
  const mine = (approvals.value || []).filter((one) => one.run === run.id && run.pending_actions.some((/** @type {any} */ other) => other.id === one.id)), item = mine[0];
  useEffect(() => { if (run.pending_actions.length && !mine.length) readInbox(); }, [run.pending_actions.length]);
  if (run.status === "awaiting_input" && run.pending_calls.length) return html`<${Ask} run=${run} reread=${reread} />`;
  if (run.status === "paused") return html`<p class="small dim">Paused. <a href=${href("/runs/" + run.id)}>Open the run</a> to resume it.</p>`;
  return item ? html`<${Approve} key=${item.id + item.digest} item=${item} more=${mine.length - 1} reread=${reread} />` : null;
}

/** @param {{item: any, more: number, reread: () => void}} props */
function Approve({ item, more, reread }) {
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  return html`<section class="panel turn-decide" aria-label="An action waits for you">
    <header><b class="cut"><${Seen} text=${item.tool} /></b><${Effect} effect=${item.effect} /><span class="push small dim">${item.expires_at ? html`expires <${Until} at=${item.expires_at} past="any moment" />` : ""}${more > 0 ? `${more} more behind it` : ""}</span></header>
    <div class="body">${item.reason !== "gate" && html`<p class="small bad">${item.reason === "changed" ? "It is not what was approved." : "Nobody knows whether this call happened."}</p>`}
      <${Arguments} value=${item.arguments} before=${item.original_arguments ?? undefined} compact fold onOpened=${(/** @type {string} */ name) => setOpened(new Set([...opened, name]))} /></div>
    <footer><${Decide} item=${item} hidden=${countHidden(item.arguments)} unopened=${longFields(item.arguments).filter((name) => !opened.has(name)).length} compact
      onDecided=${(/** @type {any} */ _, /** @type {string} */ said) => { toast(`${{ approved: "Approved", rejected: "Rejected", stopped: "Stopped at" }[said]} ${item.tool}`, { s: said === "approved" ? "completed" : "cancelled" }); readInbox(); reread(); }} /></footer></section>`;
}

/** @param {{run: any, reread: () => void}} props */
function Ask({ run, reread }) {
  const about = useLoad((signal) => get("/v1/runs/" + run.id, { query: { include_trace: false }, signal, exact: true }), [run.id, idsOf(run.pending_calls)]), calls = stillAsked(about.data, run);
  return calls.length ? html`<section class="panel turn-decide" aria-label="The run asks you"><div class="body"><${Answer} key=${idsOf(calls)} run=${run} calls=${calls} onAnswered=${() => { readInbox(); reread(); }} /></div></section>` : null;
}
