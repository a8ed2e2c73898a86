// All of an execution, beside what one was looking at: what it delivered, its plan with
// outputs and verdicts, what was said, and what it was started with.
import { html, useState } from "../lib/html.js";
import { get, url } from "../lib/api.js";
import { href } from "../lib/root.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Drawer } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Strip } from "../lib/strip.js";
import { At, Until } from "../lib/time.js";
import { Markdown } from "../lib/markdown.js";
import { Copy } from "../lib/clip.js";
import { Code } from "../lib/snippet.js";
import { Button } from "../lib/field.js";
import { bytes } from "../lib/format.js";
import { Acts, Progress, Took } from "./execution.js";
import { statusOf, stripOf, taskLooks, triggers, useActs, useExecution, wordOf } from "./execdata.js";
import { runOf } from "./robotdata.js";

/** @param {{member: string, id: string, onClose: () => void, onAgain: (id: string) => void}} props */
export function ExecutionDrawer({ member, id, onClose, onAgain }) {
  const data = useExecution(member, id, true), exec = data.data?.exec, trace = data.data?.trace;
  return html`<${Drawer} class="wide execution" title=${exec?.name || "Execution"} onClose=${onClose}>
    ${data.error && html`<${Trouble} error=${data.error} what="The execution could not be read." retry=${data.reload} />`}
    ${!exec && !data.error && html`<${Skeleton} rows=${8} show=${data.slow} />`}
    ${exec && html`<${Whole} member=${member} data=${data} exec=${exec} trace=${trace} onAgain=${onAgain} />`}<//>`;
}

/** @param {{member: string, data: import("./execdata.js").ExecutionData, exec: any, trace: any, onAgain: (id: string) => void}} props */
function Whole({ member, data, exec, trace, onAgain }) {
  const s = statusOf(exec, trace), text = data.writing.value?.text || "";
  return html`<div class="row wrap"><${Status} s=${s} tag word=${wordOf(exec, s)} /><span class="small dim">started by ${exec.input.retry_of ? "a retry" : "a " + (triggers[exec.trigger_type] || exec.trigger_type)} · <${At} at=${exec.start_time} /></span><span class="push" />
      <code class="id">${exec.id}</code><${Copy} text=${exec.id} label="Copy the execution’s id" /></div>
    <article class="goal flat" aria-label="Execution">
      <div><p class="what pre">${exec.goals?.content || exec.name}</p></div>
      <${Progress} exec=${exec} />
      ${trace && html`<div><${Strip} spans=${stripOf(trace)} rest=${!trace.end && exec.status !== "waiting"} wide />
        ${text && html`<p class="small dim written">${text.slice(-600)}<span class="caret" role="img" aria-label="still writing" /></p>`}
        ${exec.error && html`<p class=${exec.status === "failed" ? "bad" : "dim"}>${exec.error}</p>`}</div>`}
      <${Acts} member=${member} data=${data} s=${s} onAgain=${onAgain} /></article>
    ${exec.delivery && html`<${Delivery} delivery=${exec.delivery} />`}
    <${Plan} member=${member} exec=${exec} reload=${data.reload} />
    ${trace && html`<${SaidBetween} run=${runOf(exec.id)} seq=${trace.seq} />`}
    <${Start} exec=${exec} />
    ${trace && html`<div class="row links"><a class="btn" href=${href("/runs/" + runOf(exec.id))}><${Icon} name="runs" />Open its run, with trace and costs</a></div>`}`;
}

/** @param {{delivery: any}} props */
function Delivery({ delivery }) {
  const { content, results } = delivery;
  return html`<section aria-labelledby="ex-d"><h3 id="ex-d">Delivered</h3>
    ${content.summary && content.summary.trim() !== content.body.trim() && html`<p class="lead">${content.summary}</p>`}
    ${content.body && html`<div class="body-of"><${Markdown} text=${content.body} /></div>`}
    ${content.attachments.length > 0 && html`<ul class="files">${content.attachments.map((/** @type {any} */ one, /** @type {number} */ i) => html`<li key=${i}><${Icon} name="doc" /><span class="grow cut">${one.title}${one.description && html` <span class="faint">${one.description}</span>`}</span>
      <span class="small dim">${one.size ? bytes(one.size) : ""}</span>${one.file ? html`<a class="btn small" href=${url(`/v1/files/${one.file}/content`)} download=${one.title}>Download</a>` : html`<span class="small faint">is being stored</span>`}</li>`)}</ul>`}
    ${results.length > 0 && html`<ul class="files targets">${results.map((/** @type {any} */ one, /** @type {number} */ i) => html`<li key=${i}><${Status} s=${targets[one.status]?.[0] || "queued"} word=${targets[one.status]?.[1]} /><span class="grow cut">${one.type} to ${one.target}</span>
      <span class="small dim">${one.error ? html`<span class="bad">${one.error}</span> ` : ""}${one.next_attempt ? html`again <${Until} at=${one.next_attempt} />` : one.sent_at ? html`<${At} at=${one.sent_at} />` : ""}</span></li>`)}</ul>`}</section>`;
}

/** What became of a target. @type {Record<string, [string, string]>} */
const targets = { pending: ["queued", "Pending"], sent: ["completed", "Sent"], failed: ["failed", "Failed"], unknown: ["awaiting_approval", "Not known whether it went out"] };

/** @param {{member: string, exec: any, reload: () => void}} props */
function Plan({ member, exec, reload }) {
  const acts = useActs(member, exec.id, reload), live = ["running", "waiting", "paused"].includes(exec.status);
  if (!exec.tasks.length) return null;
  return html`<section aria-labelledby="ex-t"><h3 id="ex-t">Plan <span class="faint">${exec.tasks.filter((/** @type {any} */ one) => one.status === "completed").length} of ${exec.tasks.length} done</span></h3>
    ${acts.error && html`<${Trouble} error=${acts.error.fault} what=${acts.error.what} />`}
    <ol class="plan">${exec.tasks.map((/** @type {any} */ one) => html`<${Task} key=${one.id} task=${one} result=${exec.results.find((/** @type {any} */ other) => other.task_id === one.id)}
      skip=${live && ["pending", "running"].includes(one.status) ? html`<${Button} kind="small quiet" busy=${acts.busy === "skip " + one.id} lacks=${acts.lacks} aria-label=${"Skip " + one.description} onClick=${() => acts.skip(one.id)}>Skip<//>` : null} />`)}</ol></section>`;
}

/** @param {{task: any, result: any, skip: any}} props */
function Task({ task, result, skip }) {
  const [s, word] = taskLooks[task.status] || ["queued", task.status], [open, setOpen] = useState(task.status === "failed"), more = task.expected_output || task.validation_rules?.length || result?.output || result?.error;
  const issues = (result?.validation.issues || []).filter((/** @type {string} */ one) => one !== result.error && one !== result.output); // said once
  const who = task.executor_type === "mcp" ? "tool " + task.executor_id : task.executor_id && task.executor_id !== "self" ? task.executor_id : "";
  return html`<li><div class="row"><${Status} s=${s} word=${word} alone />
      <span class="grow">${more ? html`<button class="plain" type="button" aria-expanded=${String(open)} onClick=${() => setOpen(!open)}><span>${task.description}</span> <${Icon} name=${open ? "down" : "chev"} /></button>` : task.description}</span>
      ${skip}<${Took} task=${task} /></div>
    <p class="small faint by">${[who, task.source === "human" ? "asked for by a person" : "", word].filter(Boolean).join(" · ")}</p>
    ${open && html`<div class="task-more stack">
      ${task.expected_output && html`<p><span class="faint">Expected:</span> ${task.expected_output}</p>`}
      ${task.validation_rules?.length > 0 && html`<p class="small"><span class="faint">Checked:</span> ${task.validation_rules.map((/** @type {string} */ one) => html`<code key=${one} class="rule">${one}</code> `)}</p>`}
      ${result?.output && html`<div class="body-of"><${Markdown} text=${result.output} /></div>`}
      ${result?.error && result.error !== result.output && html`<p class="bad">${result.error}</p>`}
      ${issues.length > 0 && html`<ul class="issues">${issues.map((/** @type {string} */ one, /** @type {number} */ i) => html`<li key=${i}>${one}</li>`)}</ul>`}</div>`}</li>`;
}

/** What people told it, and what it wrote beside its calls. @param {{run: string, seq: number}} props */
function SaidBetween({ run, seq }) {
  const events = useLoad((signal) => get(`/v1/runs/${run}/events`, { query: { limit: 1000 }, signal }), [run, seq]);
  const said = (events.data?.data || []).flatMap((/** @type {any} */ one) => {
    const text = one.type === "model.responded" ? one.data?.text || one.data?.reply?.text : one.type === "message.added" ? one.data?.text || one.data?.message : "";
    return text ? [{ seq: one.seq, at: one.at, who: one.type === "message.added" ? "You" : "Robot", text }] : [];
  });
  if (!said.length) return null;
  return html`<section aria-labelledby="ex-s"><h3 id="ex-s">Said meanwhile</h3>${said.map((/** @type {any} */ one) => html`<div class="msg" key=${one.seq}><span class="who">${one.who}</span><div class="text"><${Markdown} text=${one.text} /><p class="small faint"><${At} at=${one.at} /></p></div></div>`)}</section>`;
}

/** @param {{exec: any}} props */
function Start({ exec }) {
  const { input } = exec, rest = { ...(input.context ? { context: input.context } : {}), ...(input.data ? { data: input.data } : {}) };
  const facts = [["Trigger", triggers[input.trigger_type] || input.trigger_type], ["Source", input.source], ["Event", input.event_type], ["Due", input.due && html`<${At} at=${input.due} />`], ["Retry of", input.retry_of && html`<code class="id">${input.retry_of}</code>`], ["Mode", input.executor_mode], ["Language", input.locale], ["Chat", exec.chat_id && html`<code class="id">${exec.chat_id}</code>`], ["Ended", exec.end_time && html`<${At} at=${exec.end_time} />`]].filter(([, value]) => value);
  return html`<section aria-labelledby="ex-i"><h3 id="ex-i">Started with</h3><dl class="kv">${facts.map(([name, value]) => [html`<dt>${name}</dt>`, html`<dd>${value}</dd>`])}</dl>
    ${Object.keys(rest).length > 0 && html`<${Code} text=${JSON.stringify(rest, null, 2)} caption="What came with it" />`}</section>`;
}
