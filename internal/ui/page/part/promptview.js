// What the model was sent with a step, to the byte.
import { html, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Drawer } from "../lib/dialog.js";
import { Choice } from "../lib/field.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { Prose } from "./prose.js";
import { Code } from "../lib/snippet.js";
import { json } from "../lib/exact.js";
import { count, plural } from "../lib/format.js";

/** @param {{id: string, step: string, steps: number}} props */
export function PromptView({ id, step, steps }) {
  const prompt = useLoad(async (signal) => ({ step, is: await get(`/v1/runs/${id}/steps/${encodeURIComponent(step)}/prompt`, { signal, exact: true }) }), [id, step]);
  const [view, setView] = useState("read"), n = Number(step), one = prompt.data?.step === step ? prompt.data.is : null;
  const to = (/** @type {number} */ at) => setQuery({ prompt: at });
  return html`<${Drawer} title=${`Prompt of step ${step}`} class="wide" onClose=${() => setQuery({ prompt: null })} footer=${html`<button class="btn" type="button" disabled=${n <= 1} onClick=${() => to(n - 1)}>Step ${Math.max(1, n - 1)}</button>
      <button class="btn" type="button" disabled=${n >= steps} onClick=${() => to(n + 1)}>Step ${Math.min(steps, n + 1)}</button><span class="push" />${one && html`<${Copy} text=${json(one)} word="Copy as JSON" label="Copy the prompt as JSON" />`}`}>
    ${prompt.error && html`<${Trouble} error=${prompt.error} what="The prompt could not be made." retry=${prompt.reload} />`}
    ${!one && !prompt.error && html`<${Skeleton} rows=${6} show=${prompt.slow || !!prompt.data} />`}
    ${one && html`<div class="prompt">
      <div class="row wrap small dim"><span>${one.model}</span><span>attempt ${String(one.attempt)}</span><span>${plural(one.messages.length, "message")}</span><span>${plural(one.tools.length, "tool")}</span>${one.required_tool && html`<span>must call <code>${one.required_tool}</code></span>`}<span class="push" />
        <${Choice} label="How it is shown" value=${view} onChange=${setView} options=${[{ value: "read", text: "Read" }, { value: "json", text: "JSON" }]} /></div>
      ${one.trimmed && html`<p class="small dim">For want of room the model was not shown all of the conversation.</p>`}
      ${view === "json" ? html`<${Code} text=${json(one)} plain />` : html`${one.messages.map((/** @type {any} */ message, /** @type {number} */ i) => html`<${Said} key=${i} message=${message} />`)}
        ${one.tools.length > 0 && html`<details><summary>${plural(one.tools.length, "tool")}</summary><${Code} text=${json(one.tools)} /></details>`}
        ${one.output_schema && html`<details><summary>Output schema</summary><${Code} text=${json(one.output_schema)} /></details>`}`}
    </div>`}<//>`;
}

/** @param {{message: any}} props */
function Said({ message }) {
  const [open, setOpen] = useState(false), long = message.text.length > 4000 && !open;
  return html`<article class="msg"><div class="who">${message.role}${message.tool ? html`<span class="mono faint">${message.tool}</span>` : ""}</div><div class="text">
    ${message.reasoning && html`<p class="plain-text faint"><${Prose} text=${message.reasoning} /></p>`}
    ${message.text && html`<p class=${"plain-text" + (message.failed ? " bad" : "") + (message.role === "tool" ? " mono" : "")}><${Prose} text=${long ? message.text.slice(0, 4000) : message.text} /></p>`}
    ${long && html`<button class="fold" type="button" onClick=${() => setOpen(true)}>all ${count(message.text.length)} characters</button>`}
    ${message.calls.map((/** @type {any} */ call) => html`<p key=${call.id} class="call"><b class="mono"><${Seen} text=${call.tool} /></b> <code><${Seen} text=${call.arguments} /></code></p>`)}
    ${message.images.length > 0 && html`<p class="small dim">${plural(message.images.length, "picture")}</p>`}</div></article>`;
}
