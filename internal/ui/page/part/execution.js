// An execution as a card: what it is to reach, how far it is, what it writes just now,
// and what one can do to it. The same card stands in the talk, under Active and in the drawer.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { href } from "../lib/root.js";
import { Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Select, TextArea } from "../lib/field.js";
import { confirm } from "../lib/dialog.js";
import { Status } from "../lib/glyph.js";
import { Strip } from "../lib/strip.js";
import { useKeys } from "../lib/keys.js";
import { now } from "../lib/time.js";
import { announce, toast } from "../lib/announce.js";
import { duration, money, shortID, tokens } from "../lib/format.js";
import { progressWord, statusOf, stripOf, taskLooks, useActs, useExecution, wordOf } from "./execdata.js";
import { reviewPath, runOf } from "./robotdata.js";

/**
 * @typedef {{member: string, id: string, follow?: boolean, onGuide?: () => void, onAgain?: (id: string) => void, onOver?: () => void, open?: string, tick?: number}} CardProps
 *   follow: its text is wanted while it is written; onGuide: where one guides, if not in the card; open: where all of it is
 */

/** @param {CardProps} props */
export function ExecutionCard({ member, id, follow, onGuide, onAgain, onOver, open, tick }) {
  const data = useExecution(member, id, follow), over = ["completed", "failed", "cancelled"].includes(data.data?.exec.status);
  useEffect(() => { if (over) onOver?.(); }, [over]);
  useEffect(() => { if (tick) data.reload(); }, [tick]); // something of the robot’s has moved
  if (!data.data) return html`<article class="goal" aria-label="Execution"><div>${data.error ? html`<${Trouble} error=${data.error} what="The execution could not be read." retry=${data.reload} />` : html`<${Skeleton} rows=${4} height=${26} show=${data.slow} />`}</div></article>`;
  const { exec, trace } = data.data, s = statusOf(exec, trace);
  return html`<article class=${s === "awaiting_approval" ? "goal you" : "goal"} aria-label=${"Execution: " + exec.name}>
    <div><div class="row"><${Status} s=${s} tag word=${wordOf(exec, s)} /><span class="push" /><a class="id" href=${href(trace ? "/runs/" + runOf(id) : open || "")} title=${trace ? "Open the run " + id : id}>${shortID(id)}</a></div>
      <${Goal} exec=${exec} open=${open} /></div>
    ${data.error && html`<div><${Trouble} error=${data.error} what="The execution could not be read again." retry=${data.reload} /></div>`}
    <${Progress} exec=${exec} />
    <${Tasks} exec=${exec} s=${s} />
    <${Now} exec=${exec} trace=${trace} writing=${data.writing} />
    <${Acts} member=${member} data=${data} s=${s} onGuide=${onGuide} onAgain=${onAgain} />
  </article>`;
}

/** @param {{exec: any, open?: string}} props */
function Goal({ exec, open }) {
  const [first, ...rest] = (exec.goals?.content || exec.name || "No goal yet").split("\n"), more = rest.join("\n").trim();
  return html`<p class="what">${open ? html`<a href=${href(open)}>${first}</a>` : first}</p>${more && html`<p class="small dim more-goal">${more}</p>`}`;
}

const phases = ["goals", "tasks", "run", "delivery", "learning"];

/** How far it is. @param {{exec: any}} props */
export function Progress({ exec }) {
  const all = exec.trigger_type === "clock" || exec.phase === "inspiration" ? ["inspiration", ...phases] : phases, at = all.indexOf(exec.phase), over = !!exec.end_time;
  return html`<div><ol class="phases" aria-label=${`Phase: ${exec.phase}`}>${all.map((one, i) => html`<li key=${one} class=${i < at || (over && exec.status === "completed" && i === at) ? "done" : i === at ? (over ? "bad" : "now") : ""} aria-current=${i === at && !over ? "step" : undefined}>${one[0].toUpperCase() + one.slice(1)}</li>`)}</ol></div>`;
}

/** @param {{exec: any, s: string}} props  s: a task under way waits when its execution does */
function Tasks({ exec, s: whole }) {
  if (!exec.tasks.length) return null;
  return html`<ol class="tasks">${exec.tasks.map((/** @type {any} */ one) => {
    const [s, word] = one.status === "running" && ["awaiting_approval", "paused"].includes(whole) ? [whole, whole === "paused" ? "Paused" : "Waits for you"] : taskLooks[one.status] || ["queued", one.status];
    return html`<li key=${one.id} class=${one.start_time ? "" : "next"}><${Status} s=${s} word=${word} alone /><span class="cut" title=${one.description}>${one.description}</span><${Took} task=${one} /></li>`;
  })}</ol>`;
}

/** How long a task took, or takes so far. @param {{task: any}} props */
export function Took({ task }) {
  if (!task.start_time) return html`<span />`;
  const end = task.end_time ? Date.parse(task.end_time) : now.value;
  return html`<span class="small dim num">${duration(Math.max(0, end - Date.parse(task.start_time)))}</span>`;
}

/** @param {{exec: any, trace: any, writing: any}} props */
function Now({ exec, trace, writing }) {
  const text = writing.value?.text || "";
  if (!trace) return null;
  return html`<div class="now-box">${text && html`<p class="small dim written">${text.slice(-280)}<span class="caret" role="img" aria-label="still writing" /></p>`}
    ${exec.error && html`<p class=${exec.status === "failed" ? "small bad" : "small dim"}>${exec.error}</p>`}
    <${Strip} spans=${stripOf(trace)} rest=${!trace.end && exec.status !== "waiting"} wide /></div>`;
}

/** "45 s · 18 k tokens · $0.052" @param {any} trace @param {number} at */
export function spentWord(trace, at) {
  const ms = (trace.end ? Date.parse(trace.end) : at) - Date.parse(trace.begin), used = trace.usage;
  return [duration(Math.max(0, ms)), used?.total_tokens ? tokens(used.total_tokens) + " tokens" : "", used ? money(used.cost_usd) : ""].filter(Boolean).join(" · ");
}

/**
 * The question that waits, the decision that waits, and the controls.
 * @param {{member: string, data: import("./execdata.js").ExecutionData, s: string, onGuide?: () => void, onAgain?: (id: string) => void}} props
 */
export function Acts({ member, data, s, onGuide, onAgain }) {
  const { exec, trace } = /** @type {import("./execdata.js").Execution} */ (data.data), acts = useActs(member, exec.id, data.reload);
  const [guiding, setGuiding] = useState(false), asks = exec.tasks.find((/** @type {any} */ one) => one.status === "waiting_input"), review = s === "awaiting_approval" ? reviewPath(runOf(exec.id)) : "";
  const over = ["completed", "failed", "cancelled"].includes(exec.status), has = (/** @type {string[]} */ ...some) => some.includes(exec.status);
  const end = async () => {
    if (await confirm({ title: "Cancel this execution?", body: "What is under way is cut off, and nothing is delivered. What was done already stays done.", act: "Cancel execution", keep: "Keep it going" })) acts.cancel();
  };
  const again = async () => {
    const made = await acts.retry();
    if (made) {
      toast("Tried again", { detail: exec.name, s: "running" });
      onAgain?.(made.execution_id);
    }
  };
  return html`
    ${asks && html`<${Answer} key=${asks.id + questionOf(exec, asks)} question=${questionOf(exec, asks)} task=${asks} acts=${acts} />`}
    ${guiding && !over && html`<${Guide} acts=${acts} paused=${exec.status === "paused"} onDone=${() => setGuiding(false)} />`}
    ${acts.error && html`<div><${Trouble} error=${acts.error.fault} what=${acts.error.what} /></div>`}
    <div class="row wrap acts">
      ${has("confirming") && html`<${Button} kind="small you" busy=${acts.busy === "confirm"} lacks=${acts.lacks} onClick=${acts.confirm}>Confirm goal<//>`}
      ${review && html`<a class="btn small you" href=${href(review)}>Review</a>`}
      ${has("running", "waiting", "paused", "pending") && html`<${Button} kind="small" lacks=${acts.lacks} aria-expanded=${onGuide ? undefined : String(guiding)} onClick=${onGuide || (() => setGuiding(!guiding))}>Guide…<//>`}
      ${has("running") && html`<${Button} kind="small" busy=${acts.busy === "pause"} lacks=${acts.lacks} onClick=${acts.pause}>Pause<//>`}
      ${has("paused") && html`<${Button} kind="small" busy=${acts.busy === "resume"} lacks=${acts.lacks} onClick=${acts.resume}>Resume<//>`}
      ${over && trace && html`<${Button} kind="small" busy=${acts.busy === "retry"} lacks=${acts.lacks} onClick=${again}>Retry<//>`}
      ${!over && html`<${Button} kind="small danger" busy=${acts.busy === "cancel"} lacks=${acts.lacks} onClick=${end}>Cancel…<//>`}
      <span class="push small dim nowrap">${trace ? spentWord(trace, now.value) : progressWord(exec.current?.progress)}</span></div>`;
}

/** @param {any} exec @param {any} task @returns {string} */
const questionOf = (exec, task) => exec.results.find((/** @type {any} */ one) => one.task_id === task.id)?.input_question || "It asks for something without which it cannot go on.";

/** Sends once at a time: a key that is pressed again meanwhile sends nothing. @param {() => Promise<void>} send */
function useOnce(send) {
  const out = useRef(false);
  return async () => {
    if (out.current) return;
    out.current = true;
    try {
      await send();
    } finally {
      out.current = false;
    }
  };
}

/** @param {{question: string, task: any, acts: import("./execdata.js").Acts}} props  another question is another field */
function Answer({ question, task, acts }) {
  const [text, setText] = useState("");
  const send = useOnce(async () => { if (text.trim() && (await acts.reply(task.id, text))) { setText((now) => (now === text ? "" : now)); announce("Answered"); } });
  return html`<div class="asks stack"><p class="asked">${question}</p>
    <${TextArea} label="Your answer" rows=${2} value=${text} onInput=${setText} onKeyDown=${onSend(send)} />
    <div class="row"><${Button} kind="you small" busy=${acts.busy === "reply"} lacks=${acts.lacks} disabled=${!text.trim()} onClick=${send}>Answer<//></div></div>`;
}

/** ⌘Enter in a field sends what it has. @param {() => void} send @returns {(event: KeyboardEvent) => void} */
export const onSend = (send) => (event) => {
  if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat) send(); // held down it is one press
};

/** What a message to an execution is meant as. */
export const meanings = [{ value: "", text: "Guide it" }, { value: "adjust", text: "Change the goal" }, { value: "add_task", text: "Add a task" }];

/** @param {{acts: import("./execdata.js").Acts, paused: boolean, onDone: () => void}} props */
function Guide({ acts, paused, onDone }) {
  const [text, setText] = useState(""), [action, setAction] = useState(""), box = useRef(/** @type {any} */ (null));
  const send = useOnce(async () => {
    const said = text.trim() && (await acts.guide(text, action));
    if (!said) return;
    toast("It was told", { detail: said.message, s: "running" });
    onDone();
  });
  useKeys([{ keys: "mod+Enter", does: "Send", where: "Robots", modal: true, run: send, within: () => box.current }]);
  return html`<div class="stack" ref=${box}><${Select} label="What it is meant as" value=${action} onChange=${setAction} options=${meanings} />
    <${TextArea} label="What it should know" rows=${3} value=${text} onInput=${setText} hint=${paused ? "It hears this when it is resumed." : "It sees this before its next step, and may change its plan."} />
    <div class="row"><${Button} kind="primary small" busy=${acts.busy === "guide"} disabled=${!text.trim()} onClick=${send}>Tell it<//><button class="btn small" type="button" onClick=${onDone}>Say nothing</button></div></div>`;
}
