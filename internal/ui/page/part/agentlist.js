// The agents there are: as a page of its own, and as the column beside the one that is
// edited. What one does now stands with it.
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { all, get, lacking, may } from "../lib/api.js";
import { href } from "../lib/root.js";
import { go } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Icon, Status, statusWord } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { useRoving } from "../lib/list.js";
import { Seen } from "../lib/hidden.js";
import { Ago } from "../lib/time.js";
import { count, plural } from "../lib/format.js";
import { unsaved } from "./agentedit.js";

/** What an agent does that wants to be seen first, the most urgent first. */
const urgent = ["awaiting_approval", "awaiting_input", "running", "queued", "paused"];

/** All agents, and what each does now. */
export function useAgents() {
  const agents = useLoad((signal) => all("/v1/agents", {}, { signal }), [], { on: ["resync"] });
  const busy = useLoad((signal) => (may("runs:read") ? get("/v1/runs", { query: { status: urgent.join(","), limit: 100 }, signal }) : Promise.resolve({ data: [] })), [], { on: ["run.changed", "run.deleted", "resync"], every: 1000 });
  const doing = useMemo(() => {
    /** @type {Map<string, {s: string, n: number}>} */
    const found = new Map();
    for (const run of busy.data?.data || []) {
      const before = found.get(run.agent);
      found.set(run.agent, { s: before && urgent.indexOf(before.s) <= urgent.indexOf(run.status) ? before.s : run.status, n: (before?.n || 0) + 1 });
    }
    return found;
  }, [busy.data]);
  return { agents, doing };
}

/** @typedef {ReturnType<typeof useAgents>} Agents */

/** @param {any[]} list @param {string} asked */
function matching(list, asked) {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((one) => words.every((word) => `${one.name} ${one.description} ${one.model} ${one.tools.join(" ")}`.toLowerCase().includes(word)));
}

/** @param {{value: string, onInput: (value: string) => void, onFirst: () => void}} props */
function Filter({ value, onInput, onFirst }) {
  const field = useRef(/** @type {any} */ (null));
  useKeys([{ keys: "/", does: "Filter", where: "Lists", run: () => field.current?.focus() }]);
  return html`<div class="with filter"><${Icon} name="search" /><input ref=${field} class="in" type="search" placeholder="Filter agents" aria-label="Filter agents" value=${value} onInput=${(/** @type {any} */ event) => onInput(event.target.value)}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") onFirst(); else if (event.key === "Escape") { onInput(""); field.current?.blur(); } }} /></div>`;
}

/** @param {{what: {s: string, n: number}|undefined, alone?: boolean}} props */
function Doing({ what, alone }) {
  if (!what) return null;
  return html`<${Status} s=${what.s} alone=${alone} word=${statusWord(what.s) + (what.n > 1 ? ` and ${what.n - 1} more` : "")} />`;
}

/** The column beside the editor. @param {{list: Agents, id: string}} props */
export function Column({ list, id }) {
  const [asked, ask] = useState(""), shown = matching(list.agents.data || [], asked).sort((a, b) => a.name.localeCompare(b.name)), at = shown.findIndex((one) => one.id === id);
  const step = (/** @type {number} */ by) => { const to = shown[at + by]; if (to) go("/agents/" + to.id); };
  useKeys([
    { keys: "]", does: "Next agent", where: "Agents", run: () => step(1) },
    { keys: "[", does: "Previous agent", where: "Agents", run: () => step(-1) },
  ]);
  return html`<nav class="list" aria-label="Agents"><${Filter} value=${asked} onInput=${ask} onFirst=${() => { if (shown[0]) go("/agents/" + shown[0].id); }} />
    ${shown.map((one) => html`<a key=${one.id} href=${href("/agents/" + one.id)} aria-current=${one.id === id ? "true" : undefined} title=${one.description || undefined}><span class="cut"><${Seen} text=${one.name} /></span>
      ${unsaved.value.has(one.id) && one.id !== id && html`<span class="small faint push">unsaved</span>`}
      ${list.doing.has(one.id) ? html`<span class="push"><${Doing} what=${list.doing.get(one.id)} alone /></span>` : one.version > 1 && !unsaved.value.has(one.id) && html`<span class="faint small push">v${one.version}</span>`}</a>`)}
    ${may("agents:write") && (list.agents.data || list.agents.error) && html`<a class="new" href=${href("/agents/new")} aria-current=${id === "new" ? "true" : undefined}><${Icon} name="plus" />New agent${unsaved.value.has("new") && id !== "new" ? html`<span class="small faint push">unsaved</span>` : ""}</a>`}
    ${list.agents.error && !list.agents.data && html`<p class="small bad">The list could not be read.</p>`}</nav>`;
}

/** The page of all agents. @param {{list: Agents}} props */
export function AllAgents({ list }) {
  const [asked, ask] = useState(""), [at, move] = useState(-1), shown = matching(list.agents.data || [], asked), lacks = lacking("agents:write");
  const open = (/** @type {number} */ i) => { if (shown[i]) go("/agents/" + shown[i].id); };
  const roving = useRoving({ count: shown.length, at: Math.min(at, shown.length - 1), onMove: move, onOpen: open, noun: "agent" });
  return html`<div class="all"><div class="head"><h1>Agents</h1>${list.agents.data && html`<span class="note">${plural(list.agents.data.length, "agent")}</span>`}<span class="push" />
      <${Filter} value=${asked} onInput=${ask} onFirst=${() => open(0)} />
      ${lacks ? html`<button class="btn primary" type="button" disabled title=${lacks}><${Icon} name="plus" />New agent</button>` : html`<a class="btn primary" href=${href("/agents/new")}><${Icon} name="plus" />New agent</a>`}</div>
    ${list.agents.error && html`<${Trouble} error=${list.agents.error} what="The agents could not be read." retry=${list.agents.reload} />`}
    ${!list.agents.data && !list.agents.error && html`<${Skeleton} rows=${6} show=${list.agents.slow} />`}
    ${list.agents.data && !list.agents.data.length && html`<${Empty} what="No agents yet." how="An agent is a model with instructions, tools, gates and limits, under a name that programs call it by.">${lacks ? "" : html`<a class="btn primary" href=${href("/agents/new")}>Create an agent</a>`}<//>`}
    ${list.agents.data && list.agents.data.length > 0 && !shown.length && html`<p class="dim">No agent has these words. <button class="btn small" type="button" onClick=${() => ask("")}>Show all</button></p>`}
    ${shown.length > 0 && html`<table class="table"><caption class="sr">Agents</caption><thead><tr><th scope="col">Name</th><th scope="col" class="opt">What it is for</th><th scope="col" class="opt">Model</th><th scope="col" class="opt">Tools</th><th scope="col" class="opt">Gates</th><th scope="col">Now</th><th scope="col" class="num">Version</th><th scope="col" class="num opt">Changed</th></tr></thead>
      <tbody>${shown.map((one, i) => html`<tr key=${one.id} data-current=${i === at ? "" : undefined} onClick=${(/** @type {any} */ event) => { if (!event.target.closest("a") && !String(getSelection())) open(i); }}>
        <td><a class="name" href=${href("/agents/" + one.id)} onFocus=${() => move(i)} ...${roving.item(i)}><${Seen} text=${one.name} /></a>${unsaved.value.has(one.id) ? html` <span class="tag">unsaved</span>` : ""}</td>
        <td class="main-cell dim opt"><span>${one.description}</span></td><td class="dim opt">${one.model}</td>
        <td class="opt dim" title=${one.tools.join(", ")}>${one.tools.length ? (one.tools.length < 3 ? one.tools.join(", ") : `${one.tools[0]} and ${count(one.tools.length - 1)} more`) : html`<span class="faint">none</span>`}</td>
        <td class="opt dim">${one.approval?.required_for?.length ? plural(one.approval.required_for.length, "gate") : html`<span class="faint">none</span>`}</td>
        <td><${Doing} what=${list.doing.get(one.id)} /></td><td class="num dim">v${one.version}</td><td class="num dim opt"><${Ago} at=${one.updated_at} ago /></td></tr>`)}</tbody></table>
      <div class="keys desk under" aria-hidden="true"><span><${Key} k="j" /><${Key} k="k" /> move</span><span><${Key} k="Enter" /> open</span><span><${Key} k="/" /> filter</span></div>`}</div>`;
}
