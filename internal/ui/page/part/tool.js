// One tool: what it is, what it takes, and a call of it.
import { html } from "../lib/html.js";
import { del, get, lacking } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Choice } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Seen } from "../lib/hidden.js";
import { Code } from "../lib/snippet.js";
import { Copy } from "../lib/clip.js";
import { At } from "../lib/time.js";
import { Effect } from "./action.js";
import { does } from "./attempt.js";
import { TryTool } from "./trytool.js";

/** @type {Record<string, string>} */
const origins = { builtin: "built in", operator: "set up by the operator", registered: "this project’s", mcp: "of an MCP server" };
/** @type {Record<string, string>} */
export const effects = {
  safe: "Repeating a call does no harm: after a crash it is made again.",
  keyed: "A repetition carries the same Idempotency-Key, so that its owner does it once.",
  once: "Repeating a call would do it twice: after a crash it halts and asks a person.",
};

/** @param {{name: string, tab: string, onClose: () => void, onGone: () => void}} props */
export function ToolDrawer({ name, tab, onClose, onGone }) {
  const tool = useLoad((signal) => get("/v1/tools/" + encodeURIComponent(name), { signal }), [name]), one = tool.data, own = one?.origin === "registered", lacks = lacking("tools:write");
  const remove = async () => {
    const sure = await confirm({ title: `Delete ${name}?`, body: "Agents that name it can’t call it any more, and calls of it that wait for an approval are refused. Runs go on without it.", act: "Delete tool", keep: "Keep tool" });
    if (sure && await does(() => del("/v1/tools/" + encodeURIComponent(name)), "Deleted " + name, "Not deleted")) onGone();
  };
  const footer = own && html`<${Button} kind="danger" lacks=${lacks} onClick=${remove}>Delete…<//><span class="push" /><${Button} lacks=${lacks} onClick=${() => setQuery({ edit: "1" }, { push: true })}>Change…<//>`;
  return html`<${Drawer} class="wide" title=${html`<${Seen} text=${name} />`} onClose=${onClose} footer=${footer}>
    ${tool.error && html`<${Trouble} error=${tool.error} what=${tool.error.status === 404 ? "There is no such tool, or it can’t be used now." : "The tool could not be read."} retry=${tool.reload} />`}
    ${!one && !tool.error && html`<${Skeleton} rows=${6} show=${tool.slow} />`}
    ${one && html`<div class="stack tool">
      <p class="row wrap"><${Effect} effect=${one.effect} /><span class="dim">${effects[one.effect]}</span></p>
      ${one.description && html`<p class="text"><${Seen} text=${one.description} /></p>`}
      <${Choice} label="What is shown of the tool" small=${false} value=${tab === "try" ? "try" : ""} onChange=${(/** @type {string} */ to) => setQuery({ tab: to }, { push: true })} options=${[{ value: "", text: "What it takes" }, { value: "try", text: "Try it" }]} />
      ${tab === "try" ? html`<${TryTool} tool=${one} />` : html`<${About} tool=${one} />`}</div>`}<//>`;
}

/** @param {{tool: any}} props */
function About({ tool }) {
  const headers = Object.keys(tool.headers || {});
  return html`<${Parameters} schema=${tool.parameters} />
    <dl class="kv">
      <dt>From</dt><dd>${origins[tool.origin] || tool.origin}</dd>
      ${tool.url && html`<dt>Calls</dt><dd><code>${tool.method} ${tool.url}</code></dd>`}
      ${headers.length > 0 && html`<dt>Headers</dt><dd>${headers.map((one) => html`<code>${one}</code> `)}<span class="faint">values are stored encrypted, and not shown</span></dd>`}
      ${tool.timeout_s && html`<dt>Waits</dt><dd>${tool.timeout_s} s for an answer</dd>`}
      <dt>Needs</dt><dd>${tool.scope ? html`the scope <code>${tool.scope}</code>` : html`<span class="dim">no scope beyond the run’s</span>`}</dd>
      ${tool.preview && html`<dt>Preview</dt><dd><code>${tool.preview}</code></dd>`}
      ${tool.created_at && html`<dt>Made</dt><dd><${At} at=${tool.created_at} /></dd>`}
      <dt>Version</dt><dd class="row"><code class="id cut">${tool.version}</code><${Copy} text=${tool.version} label="Copy the version" /></dd></dl>`;
}

/** The fields that a schema asks for. @param {any} schema @returns {{name: string, type: string, required: boolean, of: any}[]} */
export function fieldsOf(schema) {
  const required = new Set(schema?.required || []);
  return Object.entries(schema?.properties || {}).map(([name, of]) => ({ name, type: typeOf(of), required: required.has(name), of: of || {} })).sort((a, b) => Number(b.required) - Number(a.required));
}

/** @param {any} of */
function typeOf(of) {
  const types = [of?.type].flat().filter((one) => one && one !== "null");
  if (of?.enum || of?.const !== undefined) return "one of";
  if (types.length === 1) return types[0] === "array" && of.items?.type ? `list of ${of.items.type}` : types[0] === "array" ? "list" : types[0];
  return types.length ? types.join(" or ") : "any";
}

/** @param {{schema: any}} props */
export function Parameters({ schema }) {
  const fields = fieldsOf(schema);
  return html`<section aria-label="Arguments"><div class="head"><h3>Arguments</h3><span class="note">what a model has to give</span></div>
    ${fields.length ? html`<table class="args"><tbody>${fields.map(({ name, type, required, of }) => html`<tr key=${name}><th scope="row"><${Seen} text=${name} /></th>
      <td class="words"><${Seen} text=${of.description || ""} />${of.enum ? html`${of.description ? " " : ""}<span class="faint">${of.enum.map((/** @type {any} */ one) => JSON.stringify(one)).join(", ")}</span>` : ""}${of.default !== undefined ? html` <span class="faint">default ${JSON.stringify(of.default)}</span>` : ""}</td><td class="t kind">${type}${required ? html`<br /><b>required</b>` : ""}</td></tr>`)}</tbody></table>`
      : html`<p class="dim">${schema ? "Its schema names no fields." : "None: it is called without arguments."}</p>`}
    ${schema && html`<details class="schema"><summary class="small">The whole schema</summary><${Code} text=${JSON.stringify(schema, null, 2)} /></details>`}</section>`;
}
