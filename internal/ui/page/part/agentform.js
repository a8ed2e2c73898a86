// The form of an agent's definition: every field that the API has, what is wrong with
// it below it, as one types.
import { html, useEffect, useId, useState } from "../lib/html.js";
import { Check, Field, Select, TextArea, TextField } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { count, plural } from "../lib/format.js";
import { schemaFault } from "./agentdraft.js";
import { wrong } from "./agentedit.js";
import { Gates, Tools } from "./agenttools.js";

/** @typedef {import("./agentdraft.js").Draft} Draft */

/**
 * @param {{draft: Draft, set: (change: Partial<Draft>) => void, faults: Record<string, string>, tools: import("../lib/load.js").Loaded<any[]>, models: any[], lacks: string}} props
 *   lacks: why nothing can be changed
 */
export function AgentForm({ draft, set, faults, tools, models, lacks }) {
  const put = (/** @type {keyof Draft} */ name) => (/** @type {any} */ value) => set({ [name]: value }), bad = (/** @type {string[]} */ ...names) => wrong(faults, ...names);
  const limit = (/** @type {string} */ label, /** @type {keyof Draft} */ name, /** @type {string} */ path, /** @type {string} */ none) => html`<${TextField} label=${label} class="in num" inputmode="decimal" value=${draft[name]} onInput=${put(name)} error=${bad(path)} placeholder=${none} />`;
  const gated = draft.untrusted || draft.wait || draft.quorum || draft.separate || draft.gates.some((one) => !draft.tools.includes(one.tool)) || Object.keys(faults).some((name) => name.startsWith("approval"));
  const further = draft.functions || draft.metadata || draft.temperature || draft.topP || draft.reply || draft.effort || draft.parallel || draft.unknown !== "ask" || draft.budget !== "fail" || wrong(faults, "functions", "metadata", "params", "parallel", "on_unknown", "on_budget");
  return html`<form class="form" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}><fieldset disabled=${!!lacks} title=${lacks || undefined}>
    ${lacks && html`<p class="small dim">${lacks}</p>`}
    <div class="twoc">
      <${TextField} label="Name" class="in mono" value=${draft.name} onInput=${put("name")} error=${bad("name")} maxlength="128" spellcheck=${false} />
      <${ModelField} value=${draft.model} onInput=${put("model")} models=${models} error=${bad("model")} />
    </div>
    <${TextField} label="Description" value=${draft.description} onInput=${put("description")} error=${bad("description")} maxlength="2000" placeholder="What it is for, in a line" />
    <${TextArea} label="Instructions" rows=${Math.min(16, Math.max(5, Math.ceil(draft.instructions.length / 78) + draft.instructions.split("\n").length - 1))} value=${draft.instructions} onInput=${put("instructions")} error=${bad("instructions")}
      hint=${draft.instructions ? `${count(draft.instructions.length)} characters, about ${count(Math.ceil(draft.instructions.length / 4))} tokens in every call` : "What it does, how, and what it never does."} />
    <${Tools} draft=${draft} set=${set} faults=${faults} tools=${tools} />
    <${Fold} title="Further gates" note="patterns, untrusted text, time to decide, several keys" wanted=${!!gated}><${Gates} draft=${draft} set=${set} faults=${faults} /><//>
    <fieldset class="limits"><legend class="label">Limits</legend><div class="five">
      ${limit("Steps", "steps", "max_steps", "16")}${limit("Spend, $ per run", "cost", "limits.max_cost_usd", "none")}${limit("Time, seconds", "seconds", "limits.timeout_s", "none")}${limit("Tool calls", "calls", "limits.max_tool_calls", "none")}${limit("Tokens", "tokens", "limits.max_tokens", "none")}</div>
      ${faults.limits && html`<p class="small bad">${faults.limits}</p>`}</fieldset>
    <${Lines} label="Result schema" value=${draft.schema} onInput=${put("schema")} fault=${bad("output_schema")} hint="A JSON schema that the answer has to satisfy. Empty: the answer is text." />
    <${Fold} title="More" note="your own functions, sampling, unknown outcomes, metadata" wanted=${!!further}><div class="stack">
      <${Lines} label="Functions that your program runs" value=${draft.functions} onInput=${put("functions")} fault=${bad("functions")} hint=${'A list of {"type": "function", "function": {"name", "description", "parameters"}}. The run waits for their results.'} />
      <div class="four">
        <${TextField} label="Temperature" inputmode="decimal" class="in num" value=${draft.temperature} onInput=${put("temperature")} error=${bad("params.temperature")} placeholder="the model’s" />
        <${TextField} label="Top p" inputmode="decimal" class="in num" value=${draft.topP} onInput=${put("topP")} error=${bad("params.top_p")} placeholder="the model’s" />
        <${TextField} label="Tokens of a reply" inputmode="numeric" class="in num" value=${draft.reply} onInput=${put("reply")} error=${bad("params.max_tokens")} placeholder="the model’s" />
        <${Select} label="Reasoning" value=${draft.effort} onChange=${put("effort")} error=${bad("params.reasoning_effort")} options=${[{ value: "", text: "the model’s" }, "none", "minimal", "low", "medium", "high", "xhigh"]} />
      </div>
      <div class="twoc">
        <${Select} label="If nobody knows whether a once call happened" value=${draft.unknown} onChange=${put("unknown")} error=${bad("on_unknown")} options=${[{ value: "ask", text: "ask a person" }, { value: "fail", text: "end the run" }]} />
        <${Select} label="If a budget has no room" value=${draft.budget} onChange=${put("budget")} error=${bad("on_budget")} options=${[{ value: "fail", text: "end the run" }, { value: "wait", text: "pause until there is room" }]} />
      </div>
      <${Check} label="Once calls of one reply may overlap" checked=${draft.parallel} onChange=${put("parallel")} />
      <${TextArea} label="Metadata" code rows=${2} value=${draft.metadata} onInput=${put("metadata")} error=${bad("metadata")} placeholder="team: finance" hint="A name, a colon and a text on each line. Each run of the agent has them, too." />
    </div><//>
    ${rest(faults).map(([name, said]) => html`<p key=${name} class="small bad"><code>${name}</code> ${said}</p>`)}
  </fieldset></form>`;
}

/**
 * What few need: open where it has something to show, and then as one leaves it.
 * @param {{title: string, note: string, wanted: boolean, children?: any}} props
 */
function Fold({ title, note, wanted, children }) {
  const [open, setOpen] = useState(wanted);
  useEffect(() => { if (wanted) setOpen(true); }, [wanted]);
  return html`<details class="fold-in" open=${open} onToggle=${(/** @type {any} */ event) => setOpen(event.currentTarget.open)}><summary><${Icon} name="chev" />${title} <span class="note">${note}</span></summary>${children}</details>`;
}

const places = ["name", "model", "description", "instructions", "tools", "approval", "max_steps", "limits", "output_schema", "functions", "params", "on_unknown", "on_budget", "parallel", "metadata"];

/** What is wrong with something that has no place here. @param {Record<string, string>} faults */
const rest = (faults) => Object.entries(faults).filter(([name]) => !places.some((place) => name === place || name.startsWith(place + ".") || name.startsWith(place + "[")));

/** @param {{value: string, onInput: (value: string) => void, models: any[], error?: string, label?: string}} props */
export function ModelField({ value, onInput, models, error, label = "Model" }) {
  const list = useId(), known = models.find((one) => one.id === value);
  const price = known?.pricing ? `$${known.pricing.input} in, $${known.pricing.output} out, a million tokens` : known?.resolves_to ? "stands for " + known.resolves_to : "";
  return html`<${Field} label=${label} error=${error}>${(/** @type {any} */ given) => html`<input class="in" title=${price || undefined} list=${list} value=${value} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} ...${given} />
    <datalist id=${list}>${models.map((one) => html`<option key=${one.id} value=${one.id} />`)}</datalist>`}<//>`;
}

/**
 * A field of JSON, its lines numbered; the line that is wrong is marked.
 * @param {{label: string, value: string, onInput: (value: string) => void, fault: string, hint: string}} props
 */
function Lines({ label, value, onInput, fault, hint }) {
  const found = fault ? schemaFault(fault, value) : null, n = Math.max(value ? 3 : 2, value.split("\n").length);
  const tidy = () => { try { onInput(JSON.stringify(JSON.parse(value), null, 2)); } catch { /* it says what is wrong with it already */ } };
  return html`<${Field} label=${label} hint=${hint} error=${found?.message}>${(/** @type {any} */ given) => html`<div class=${found ? "lines wrong" : "lines"}>
      <ol aria-hidden="true">${Array.from({ length: n }, (_, i) => html`<li key=${i} class=${found?.line === i + 1 ? "bad" : undefined}>${i + 1}</li>`)}</ol>
      ${found && found.line > 0 && html`<span class="mark" aria-hidden="true" style=${{ top: 6 + (found.line - 1) * 20 + "px" }} />`}
      <textarea rows=${n} wrap="off" spellcheck=${false} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} onBlur=${tidy} ...${given} /></div>`}<//>`;
}

/** @param {number} n */
export const problems = (n) => plural(n, "problem");
