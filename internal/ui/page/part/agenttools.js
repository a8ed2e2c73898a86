// What an agent may call, and where a person has to say yes first.
import { html, useState } from "../lib/html.js";
import { href } from "../lib/root.js";
import { Check, Select, TextField } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { Icon } from "../lib/glyph.js";
import { plural } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";
import { Effect } from "./action.js";
import { wrong } from "./agentedit.js";

/** @typedef {import("./agentdraft.js").Draft} Draft */

/** @param {string} pattern @param {string} name */
export const covers = (pattern, name) => new RegExp("^" + pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*") + "$").test(name);

/** @param {{draft: Draft, set: (change: Partial<Draft>) => void, faults: Record<string, string>, tools: import("../lib/load.js").Loaded<any[]>}} props */
export function Tools({ draft, set, faults, tools }) {
  const [adding, setAdding] = useState(false), known = new Map((tools.data || []).map((one) => [one.name, one]));
  const remove = (/** @type {string} */ name) => set({ tools: draft.tools.filter((one) => one !== name), gates: draft.gates.filter((one) => one.tool !== name) });
  return html`<section aria-label="Tools"><div class="head"><span class="label">Tools</span><span class="note">${draft.tools.length}${known.size ? " of " + known.size : ""}</span>
      <button class="btn small push" type="button" onClick=${() => setAdding(true)}><${Icon} name="plus" />Add tool</button></div>
    ${draft.tools.length > 0 ? html`<table class="table tools"><caption class="sr">Tools that the agent may call</caption><thead><tr><th scope="col">Tool</th><th scope="col">Effect</th><th scope="col" class="opt">What it does</th><th scope="col">Gate</th><th><span class="sr">Remove</span></th></tr></thead>
      <tbody>${draft.tools.map((name, i) => html`<${Line} key=${name} name=${name} tool=${known.get(name)} known=${!tools.data || known.has(name)} draft=${draft} set=${set} faults=${faults} at=${i} remove=${() => remove(name)} />`)}</tbody></table>`
      : html`<p class="dim none">None: it answers from what it knows.</p>`}
    ${faults.tools && html`<p class="small bad">${faults.tools}</p>`}
    ${adding && html`<${Choose} tools=${tools} draft=${draft} set=${set} onClose=${() => setAdding(false)} />`}</section>`;
}

/** @param {{name: string, tool: any, known: boolean, draft: Draft, set: (change: Partial<Draft>) => void, faults: Record<string, string>, at: number, remove: () => void}} props */
function Line({ name, tool, known, draft, set, faults, at, remove }) {
  const i = draft.gates.findIndex((one) => one.tool === name), gate = draft.gates[i], pattern = draft.gates.find((one) => one !== gate && covers(one.tool, name));
  const flip = (/** @type {boolean} */ on) => set({ gates: on ? [...draft.gates, { tool: name, when: "" }] : draft.gates.filter((one) => one !== gate) });
  const bad = faults[`tools[${at}]`] || (i >= 0 ? wrong(faults, `approval.required_for[${i}]`) : "");
  return html`<tr><td><a href=${href("/tools/" + encodeURIComponent(name))} title=${tool?.description}><code>${name}</code></a></td><td>${tool ? html`<${Effect} effect=${tool.effect} />` : known ? "" : html`<span class="tag">missing</span>`}</td>
      <td class="dim opt main-cell"><span title=${tool?.description}>${tool?.description || ""}</span></td>
      <td><${Check} look="switch" label=${html`<span class=${gate ? "small" : "small faint"}>${gate ? (gate.when ? "asks if" : "asks") : pattern ? "by " + pattern.tool : "runs"}</span><span class="sr"> ${name}</span>`} checked=${!!gate} onChange=${flip} /></td>
      <td class="num"><button class="btn icon small quiet" type="button" aria-label=${"Remove " + name} onClick=${remove}><${Icon} name="x" /></button></td></tr>
    ${(gate || bad) && html`<tr class="when"><td colspan="5">${gate && html`<label class="row"><span class="small dim nowrap">only if</span><input class="in code" aria-label=${"Condition of the gate on " + name} aria-invalid=${bad ? "true" : undefined} placeholder=${example(tool)} value=${gate.when}
      onInput=${(/** @type {any} */ event) => set({ gates: draft.gates.map((one) => (one === gate ? { ...one, when: event.target.value } : one)) })} /></label>`}${bad && html`<p class="small bad">${bad}</p>`}</td></tr>`}`;
}

/** @param {any} tool */
function example(tool) {
  const [name, schema] = /** @type {[string, any]} */ (Object.entries(tool?.parameters?.properties || {})[0] || ["amount", { type: "number" }]);
  return `always; or a condition such as ${name} ${schema?.type === "number" || schema?.type === "integer" ? "> 100" : schema?.type === "boolean" ? "== true" : 'contains "…"'}`;
}

/** Where tools are chosen from all there are. @param {{tools: import("../lib/load.js").Loaded<any[]>, draft: {tools: string[]}, set: (change: {tools: string[]}) => void, onClose: () => void}} props */
export function Choose({ tools, draft, set, onClose }) {
  const [asked, ask] = useState(""), words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const found = (tools.data || []).filter((one) => words.every((word) => (one.name + " " + one.description).toLowerCase().includes(word)));
  const flip = (/** @type {string} */ name, /** @type {boolean} */ on) => set({ tools: on ? [...draft.tools, name] : draft.tools.filter((one) => one !== name) });
  return html`<${Drawer} title="Tools" onClose=${onClose} footer=${html`<span class="small dim grow">${plural(draft.tools.length, "tool")}</span><button class="btn primary" type="button" onClick=${onClose}>Done</button>`}>
    <div class="stack choose"><label class="with"><${Icon} name="search" /><input class="in" placeholder="Find a tool" aria-label="Find a tool" value=${asked} onInput=${(/** @type {any} */ event) => ask(event.target.value)} /></label>
      ${tools.error && html`<${Trouble} error=${tools.error} what="The tools could not be read." retry=${tools.reload} />`}
      <ul>${found.map((one) => html`<li key=${one.name}><${Check} label=${html`<span class="row"><code>${one.name}</code><${Effect} effect=${one.effect} />${one.origin !== "builtin" ? html`<span class="faint small">${one.origin}</span>` : ""}</span><span class="small dim about">${one.description}</span>`} checked=${draft.tools.includes(one.name)} onChange=${(/** @type {boolean} */ on) => flip(one.name, on)} /></li>`)}</ul>
      ${tools.data && !found.length && html`<p class="dim">No tool has these words. <a href=${href("/tools")}>Register one</a></p>`}</div><//>`;
}

/** Gates beyond those of single tools. @param {{draft: Draft, set: (change: Partial<Draft>) => void, faults: Record<string, string>}} props */
export function Gates({ draft, set, faults }) {
  const first = new Set(), wide = draft.gates.map((gate, i) => ({ gate, i })).filter(({ gate }) => { const own = draft.tools.includes(gate.tool) && !first.has(gate.tool); first.add(gate.tool); return !own; });
  const put = (/** @type {number} */ i, /** @type {Partial<{tool: string, when: string}>} */ change) => set({ gates: draft.gates.map((one, at) => (at === i ? { ...one, ...change } : one)) });
  return html`<div class="stack gates">
    ${wide.map(({ gate, i }) => html`<div class="gate" key=${i}><div class="gate-line"><input class="in code" aria-label="Tools that the gate is for" placeholder="payments.*" value=${gate.tool} aria-invalid=${wrong(faults, `approval.required_for[${i}]`) ? "true" : undefined} onInput=${(/** @type {any} */ event) => put(i, { tool: event.target.value })} />
      <span class="small dim">only if</span><input class="in code" aria-label=${"Condition of the gate " + gate.tool} placeholder="always; or amount > 100" value=${gate.when} onInput=${(/** @type {any} */ event) => put(i, { when: event.target.value })} />
      <button class="btn icon small quiet" type="button" aria-label=${"Remove the gate " + gate.tool} onClick=${() => set({ gates: draft.gates.filter((_, at) => at !== i) })}><${Icon} name="x" /></button></div>
      ${wrong(faults, `approval.required_for[${i}]`) && html`<p class="small bad">${wrong(faults, `approval.required_for[${i}]`)}</p>`}</div>`)}
    <div><button class="btn small" type="button" onClick=${() => set({ gates: [...draft.gates, { tool: "", when: "" }] })}><${Icon} name="plus" />Gate for a pattern</button></div>
    <div class="twoc">
      <${TextField} label="Ask after reading what others wrote" code value=${draft.untrusted} onInput=${(/** @type {string} */ untrusted) => set({ untrusted })} error=${wrong(faults, "approval.after_untrusted")} placeholder="email.*, payments.transfer" hint="Tools and patterns, with commas between." />
      <${TextField} label="Keys that have to approve" inputmode="numeric" value=${draft.quorum} onInput=${(/** @type {string} */ quorum) => set({ quorum })} error=${wrong(faults, "approval.quorum")} placeholder="1" />
      <${TextField} label="Wait for a decision, seconds" inputmode="numeric" value=${draft.wait} onInput=${(/** @type {string} */ wait) => set({ wait })} error=${wrong(faults, "approval.timeout")} placeholder="for ever" />
      <${Select} label="If nobody decides in time" value=${draft.silence} disabled=${!draft.wait.trim()} onChange=${(/** @type {string} */ silence) => set({ silence })} error=${wrong(faults, "approval.on_timeout")} options=${[{ value: "reject", text: "reject: the run ends" }, { value: "continue", text: "reject: the run goes on" }, { value: "approve", text: "approve: silence is a yes" }]} />
    </div>
    <${Check} label="Who starts a run may not approve its actions" checked=${draft.separate} onChange=${(/** @type {boolean} */ separate) => set({ separate })} />
    ${faults["approval.separate"] && html`<p class="small bad">${faults["approval.separate"]}</p>`}
    ${(faults.approval || faults["approval.required_for"]) && html`<p class="small bad">${faults.approval || faults["approval.required_for"]}</p>`}
  </div>`;
}
