// Below the waterfall: what the run says, its conversation, its result, what it was
// made of, how to do the same from a shell, and what a browser has seen.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { get, may, url } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Choice } from "../lib/field.js";
import { Copy } from "../lib/clip.js";
import { isOver, reasonWord } from "../lib/glyph.js";
import { Markdown } from "../lib/markdown.js";
import { Seen } from "../lib/hidden.js";
import { Prose } from "./prose.js";
import { Code, Snippets } from "../lib/snippet.js";
import { json } from "../lib/exact.js";
import { clock, count } from "../lib/format.js";
import { At } from "../lib/time.js";
import { LiveTab } from "./livetab.js";
import { EventList } from "./eventlist.js";
import { messagesOf } from "./runlog.js";

/** @typedef {{run: any, data: import("./rundata.js").RunData, made: ReturnType<typeof useMade>, tab: string}} TabProps */

/** @param {TabProps} props */
export function RunTabs({ run, data, made, tab }) {
  const spans = data.trace.data?.spans || [], messages = useMemo(() => messagesOf(data.events), [data.events]);
  const browser = spans.some((/** @type {any} */ one) => one.kind === "tool" && /^browser[._]/.test(one.name || "")) && may("files:read");
  const tabs = [{ name: "live", text: "Live" }, { name: "messages", text: "Messages", count: messages.length }, { name: "result", text: "Result" }, { name: "spec", text: "Spec" }, { name: "curl", text: "curl" }, ...(browser ? [{ name: "screens", text: "Screenshots" }] : [])];
  const now = tabs.find((one) => one.name === tab)?.name || (isOver(run.status) ? "result" : "live"), row = useRef(/** @type {any} */ (null));
  const show = (/** @type {string} */ name) => setQuery({ tab: name });
  const keys = (/** @type {KeyboardEvent} */ event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (tabs.findIndex((one) => one.name === now) + by + tabs.length) % tabs.length;
    show(tabs[at].name);
    row.current?.children[at]?.focus();
  };
  return html`<div class="below"><div class="tabs" role="tablist" aria-label="What to read" ref=${row} onKeyDown=${keys}>${tabs.map((one) => html`<button key=${one.name} role="tab" type="button" id=${"tab-" + one.name} aria-selected=${String(one.name === now)} aria-controls=${one.name === now ? "tab-panel" : undefined} tabindex=${one.name === now ? 0 : -1} onClick=${() => show(one.name)}>${one.text}${one.count ? html` <span class="count">${one.count}</span>` : ""}</button>`)}</div>
    <div id="tab-panel" role="tabpanel" aria-labelledby=${"tab-" + now}>
      ${now === "live" && html`<div class="two"><${LiveTab} run=${run} spans=${spans} events=${data.events} writing=${data.writing} seq=${data.seq} /><${EventList} id=${run.id} events=${data.events} writing=${data.writing} /></div>`}
      ${now === "messages" && html`<${Messages} messages=${messages} />`}
      ${now === "result" && html`<div class="two"><${Result} run=${run} /><${EventList} id=${run.id} events=${data.events} writing=${data.writing} /></div>`}
      ${now === "spec" && html`<${Spec} run=${run} made=${made} events=${data.events} />`}
      ${now === "curl" && html`<${Shell} run=${run} />`}
      ${now === "screens" && html`<${Screens} run=${run} />`}
    </div></div>`;
}

const shown = 60;

/** @param {{messages: import("./runlog.js").Message[]}} props */
function Messages({ messages }) {
  const [all, setAll] = useState(false), rows = all ? messages : messages.slice(-shown);
  return html`<div class="talk">${rows.length < messages.length && html`<button class="btn small quiet" type="button" onClick=${() => setAll(true)}>Show the ${count(messages.length - rows.length)} before</button>`}
    ${rows.map((one) => html`<${Message} key=${one.key} one=${one} />`)}${!messages.length && html`<p class="dim">Nothing was said yet.</p>`}</div>`;
}

/** @param {{one: import("./runlog.js").Message}} props */
function Message({ one }) {
  const [open, setOpen] = useState(false), long = one.text.length > 2000 && !open;
  return html`<article class=${"msg " + one.kind}><div class="who"><span class=${one.code ? "mono" : ""}><${Seen} text=${one.who} /></span><time class="faint" datetime=${one.at}>${clock(one.at)}</time></div>
    <div class="text">${one.kind === "model" ? html`${one.text && html`<${Markdown} text=${one.text} />`}${(one.calls || []).map((call) => html`<p key=${call.action_id} class="call"><b class="mono"><${Seen} text=${call.tool} /></b> <code><${Seen} text=${cut(JSON.stringify(call.arguments), 400)} /></code></p>`)}`
      : html`<p class=${(one.code ? "mono " : "") + (one.bad ? "bad " : "") + "plain-text"}><${Prose} text=${long ? one.text.slice(0, 2000) : one.text} /></p>`}
      ${long && html`<button class="fold" type="button" onClick=${() => setOpen(true)}>all ${count(one.text.length)} characters</button>`}</div></article>`;
}

/** @param {string} text @param {number} n */
const cut = (text, n) => (text && text.length > n ? text.slice(0, n) + "…" : text || "");

/** @param {{run: any}} props */
function Result({ run }) {
  const result = run.result;
  if (!isOver(run.status)) return html`<p class="dim">It has not ended yet. Its result will stand here.</p>`;
  return html`<section class="result" aria-label="Result">
    ${run.error && html`<div class="note-box" data-s="failed" role="note"><div><b class="reason">${reasonWord(run.stop_reason) || "failed"}.</b> ${run.error.message}${run.error.code !== run.stop_reason ? html` <code class="small dim">${run.error.code}</code>` : ""}</div></div>`}
    ${result?.partial && result.summary && html`<p class="small dim said">The run ended before it was done: this is what it had so far.</p>`}
    ${result?.summary && html`<div class="head"><h2 class="as-h3">Answer</h2><span class="push" /><${Copy} text=${result.summary} label="Copy the answer" /></div><${Markdown} text=${result.summary} class="letter" />`}
    ${result?.output !== null && result?.output !== undefined && html`<div class="head"><h2 class="as-h3">Output</h2><span class="note">satisfies its schema</span></div><${Code} text=${json(result.output)} />`}
    ${!result?.summary && !run.error && html`<p class="dim">It ended without an answer: ${reasonWord(run.stop_reason) || run.status}.</p>`}</section>`;
}

/**
 * What a run was made of, as far as the API tells: the agent's version, or what the
 * model was sent with the first step.
 * @param {any} run @param {boolean} wanted
 */
export function useMade(run, wanted) {
  const saved = run?.agent?.startsWith("agt_") && run.agent_version && may("agents:read") ? `/v1/agents/${run.agent}/versions/${run.agent_version}` : "";
  const agent = useLoad((signal) => (saved ? get(saved, { signal }).catch(() => null) : Promise.resolve(null)), [saved]);
  const first = useLoad((signal) => (wanted && run ? get(`/v1/runs/${run.id}/steps/1/prompt`, { signal }).catch((error) => { if (error.status === 404) return null; throw error; }) : Promise.resolve(null)), [wanted, run?.id, wanted && !!run?.steps_used]);
  const instructions = agent.data?.instructions ?? first.data?.messages?.find((/** @type {any} */ one) => one.role === "system")?.text ?? "";
  return { agent: agent.data, prompt: first.data, error: first.error, slow: first.slow, instructions, limit: agent.data?.limits?.max_cost_usd ?? null };
}

/** @param {{run: any, made: ReturnType<typeof useMade>, events: any[]}} props */
function Spec({ run, made, events }) {
  const created = events[0]?.data, agent = made.agent, prompt = made.prompt, tools = prompt?.tools || [];
  const params = Object.entries(prompt?.params || {}).filter(([, value]) => value !== null);
  const limits = Object.entries(agent?.limits || {}).filter(([, value]) => value !== null);
  return html`<div class="spec">${made.error && html`<${Trouble} error=${made.error} what="What the model was sent could not be read." />`}
    <dl class="kv"><dt>Model</dt><dd>${run.model}</dd><dt>API</dt><dd>${run.dialect}</dd>
      ${run.agent && html`<dt>Agent</dt><dd>${run.agent_name || run.agent}${run.agent_version ? ` v${run.agent_version}` : ""}</dd>`}
      <dt>Steps at most</dt><dd>${run.max_steps}</dd>
      ${limits.map(([name, value]) => html`<dt>${name.replaceAll("_", " ")}</dt><dd>${String(value)}</dd>`)}
      ${params.map(([name, value]) => html`<dt>${name.replaceAll("_", " ")}</dt><dd>${typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>`)}
      ${agent?.approval?.required_for?.length > 0 && html`<dt>Gates</dt><dd class="mono">${agent.approval.required_for.map((/** @type {any} */ one) => (typeof one === "string" ? one : `${one.tool} when ${one.when}`)).join(", ")}</dd>`}
      <dt>Created</dt><dd><${At} at=${run.created_at} /></dd></dl>
    <div class="head"><h2 class="as-h3">Prompt</h2><span class="push" /><${Copy} text=${run.prompt} label="Copy the prompt" /></div><p class="plain-text letter"><${Prose} text=${run.prompt} /></p>
    ${made.slow && html`<${Skeleton} rows=${3} />`}
    ${made.instructions && html`<div class="head"><h2 class="as-h3">Instructions</h2><span class="push" /><${Copy} text=${made.instructions} label="Copy the instructions" /></div><p class="plain-text letter"><${Prose} text=${made.instructions} /></p>`}
    <div class="head"><h2 class="as-h3">Tools</h2><span class="note">${count((tools.length ? tools : created?.tools || []).length)}</span></div>
    ${tools.length ? html`<ul class="tools-list">${tools.map((/** @type {any} */ one) => html`<li key=${one.name}><details><summary><b class="mono"><${Seen} text=${one.name} /></b> <span class="dim"><${Seen} text=${one.description || ""} /></span></summary><${Code} text=${json(one.parameters)} caption="Parameters" /></details></li>`)}</ul>`
      : html`<p class="dim mono">${(created?.tools || []).join(", ") || "none"}</p>`}
    ${prompt?.output_schema && html`<div class="head"><h2 class="as-h3">Output schema</h2></div><${Code} text=${json(prompt.output_schema)} />`}</div>`;
}

/** The request that would start a run like this one. @param {any} run */
export const startRequest = (run) => (run.agent?.startsWith("agt_")
  ? { method: "POST", path: `/v1/agents/${run.agent}/run`, body: { prompt: run.prompt, ...(Object.keys(run.metadata || {}).length ? { metadata: run.metadata } : {}) } }
  : { method: "POST", path: `/v1/runs/${run.id}/retry`, body: {} });

/** @param {{run: any}} props */
function Shell({ run }) {
  const [what, pick] = useState("start"), path = "/v1/runs/" + run.id;
  /** @type {Record<string, {text: string, request: any}>} */
  const all = {
    start: { text: run.agent?.startsWith("agt_") ? "Start one like it" : "Start it again", request: startRequest(run) }, get: { text: "Get it", request: { method: "GET", path } },
    stream: { text: "Follow it", request: { method: "GET", path: path + "/stream" } }, events: { text: "Its events", request: { method: "GET", path: path + "/events?limit=1000" } },
    ...(run.pending_actions[0] ? { approve: { text: "Approve", request: { method: "POST", path: path + "/approve", body: { action_ids: [run.pending_actions[0].id], digest: run.pending_actions[0].digest } } } } : {}),
  };
  const one = all[what] || all.start;
  return html`<div class="shell-tab"><${Choice} label="What to do" value=${all[what] ? what : "start"} options=${Object.entries(all).map(([value, { text }]) => ({ value, text }))} onChange=${pick} />
    <${Snippets} request=${one.request} /><p class="small dim">The key is yours: this page does not know it.${one.request.path.endsWith("/retry") && !isOver(run.status) ? " A run can be started again once it has ended." : ""}</p></div>`;
}

/** @param {{run: any}} props */
function Screens({ run }) {
  const files = useLoad((signal) => readScreens(run, signal), [run.id, run.status]);
  const [at, look] = useState(-1), list = files.data || [];
  useEffect(() => look(-1), [run.id]);
  if (files.error) return html`<${Trouble} error=${files.error} what="The screenshots could not be read." retry=${files.reload} />`;
  if (!files.data) return html`<${Skeleton} rows=${2} height=${140} show=${files.slow} />`;
  if (!list.length) return html`<p class="dim">No screenshot is kept of this run. They stay for a week, or until their room is needed.</p>`;
  const address = (/** @type {any} */ one) => url(`/v1/files/${one.id}/content`);
  return html`${at >= 0 && list[at] && html`<figure class="screen"><img src=${address(list[at])} alt=${"Screenshot of " + clock(list[at].created_at)} /><figcaption class="row small dim">${clock(list[at].created_at)}, ${at + 1} of ${list.length}<span class="push" />
      <button class="btn small" type="button" disabled=${at === 0} onClick=${() => look(at - 1)}>Earlier</button><button class="btn small" type="button" disabled=${at === list.length - 1} onClick=${() => look(at + 1)}>Later</button></figcaption></figure>`}
    <ul class="screens">${list.map((one, i) => html`<li key=${one.id}><button class="plain" type="button" aria-pressed=${String(i === at)} onClick=${() => look(i === at ? -1 : i)}><img loading="lazy" src=${address(one)} alt=${"Screenshot of " + clock(one.created_at)} /><span class="small dim">${clock(one.created_at)}</span></button></li>`)}</ul>`;
}

/** The screenshots of a run, oldest first: they are among all files, newest first. @param {any} run @param {AbortSignal} signal */
async function readScreens(run, signal) {
  const found = [];
  for (let after = "", pages = 0; pages < 20; pages++) {
    const page = await get("/v1/files", { query: { purpose: "screenshot", limit: 100, starting_after: after }, signal });
    found.push(...page.data.filter((/** @type {any} */ one) => one.metadata?.run === run.id));
    const last = page.data.at(-1);
    if (!page.has_more || !last || last.created_at < run.created_at) break;
    after = page.next_cursor;
  }
  return found.reverse();
}
