// Budgets, how much of each is used, and where the money went.
import { html, useState } from "../lib/html.js";
import { all, del, get, lacking, patch, post } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Choice, Select, TextField } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Icon } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { toast } from "../lib/announce.js";
import { count, money, tokens } from "../lib/format.js";

/** @param {{query: URLSearchParams}} props */
export function Budgets({ query }) {
  const budgets = useLoad((signal) => all("/v1/budgets", {}, { signal }), [], { on: ["run.changed"] });
  const agents = useLoad((signal) => all("/v1/agents", {}, { signal }), []), by = query.get("by") || "day";
  const usage = useLoad((signal) => get("/v1/usage", { query: { group_by: by }, signal }).then((said) => ({ ...said, by })), [by]);
  const ready = (budgets.data || budgets.error) && (agents.data || agents.error); // what comes later pushes nothing down
  const [open, setOpen] = useState(/** @type {any} */ (null)), lacks = lacking("admin");
  const nameOf = (/** @type {string} */ id) => agents.data?.find((one) => one.id === id)?.name || id;
  return html`<section aria-label="Budgets">
    <div class="head"><h2>Budgets</h2><span class="note">days and months are UTC’s</span><span class="push" /><${Button} kind="primary" lacks=${lacks} onClick=${() => setOpen({})}><${Icon} name="plus" />New budget<//></div>
    ${budgets.error && html`<${Trouble} error=${budgets.error} what="The budgets could not be read." retry=${budgets.reload} />`}
    ${ready && budgets.data?.map((one) => html`<${Line} key=${one.id} one=${one} nameOf=${nameOf} onEdit=${() => setOpen(one)} lacks=${lacks} />`)}
    ${ready && budgets.data?.length === 0 && html`<${Empty} what="No budgets: runs may spend what they need." how="A budget bounds what an agent, a key or the whole project uses in a day or a month." />`}
    ${!ready && html`<${Skeleton} rows=${2} height=${60} show=${budgets.slow} />`}
    ${open && html`<${BudgetForm} of=${open} agents=${agents.data || []} onClose=${() => setOpen(null)} onSaved=${() => { setOpen(null); budgets.reload(); }} />`}</section>
    ${ready && html`<${Usage} usage=${usage} asked=${by} nameOf=${nameOf} />`}`;
}

/** @param {{one: any, nameOf: (id: string) => string, onEdit: () => void, lacks: string}} props */
function Line({ one, nameOf, onEdit, lacks }) {
  const of = one.agent ? "agent " + nameOf(one.agent) : one.key ? "key " + one.key : "the whole project";
  /** @type {[string, number, number, number, string, string][]} */
  const bounds = [];
  if (one.max_cost_usd !== null) bounds.push(["money", one.spent.cost_usd, one.reserved.cost_usd, one.max_cost_usd, money(one.spent.cost_usd), money(one.max_cost_usd)]);
  if (one.max_tokens !== null) bounds.push(["tokens", one.spent.tokens, one.reserved.tokens, one.max_tokens, tokens(one.spent.tokens), tokens(one.max_tokens)]);
  if (one.max_runs !== null) bounds.push(["runs", one.spent.runs, one.reserved.runs, one.max_runs, count(one.spent.runs), count(one.max_runs)]);
  return html`<div class="budget"><div><b>${one.name || of}</b> <span class="tag line">a ${one.period}</span><div class="small faint">${one.name ? of + " · " : ""}begins anew <${At} at=${one.resets_at} />${one.unpriced ? " · some calls had no known price" : ""}</div></div>
    <div class="bounds">${bounds.map(([what, spent, kept, most, said, max]) => html`<div key=${what} data-s=${spent + kept >= most ? "failed" : undefined}>
      <div class="row small"><span class="dim">${what}</span><span class="push num">${said} of ${max}${kept > 0 ? html` <span class="faint">and ${what === "money" ? money(kept) : tokens(kept)} reserved</span>` : ""}</span></div>
      <div class="progress" role="progressbar" aria-label=${what + " of " + (one.name || of)} aria-valuenow=${Math.min(100, Math.round((100 * spent) / most))} aria-valuemin="0" aria-valuemax="100"><i style=${{ width: Math.min(100, (100 * spent) / most) + "%" }} /></div></div>`)}</div>
    <${Button} kind="small quiet" lacks=${lacks} onClick=${onEdit} aria-label=${"Change " + (one.name || of)}>Change…<//></div>`;
}

/** @param {string} text */
const number = (text) => (text.trim() === "" ? null : Number(text));

/** @param {{of: any, agents: any[], onClose: () => void, onSaved: () => void}} props */
function BudgetForm({ of, agents, onClose, onSaved }) {
  const [name, setName] = useState(of.name || ""), [agent, setAgent] = useState(of.agent || ""), [period, setPeriod] = useState(of.period || "day");
  const [cost, setCost] = useState(String(of.max_cost_usd ?? "")), [most, setMost] = useState(String(of.max_tokens ?? "")), [runs, setRuns] = useState(String(of.max_runs ?? ""));
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), wrong = error?.fields || {};
  const attempt = async (/** @type {() => Promise<any>} */ act, /** @type {string} */ said) => {
    setBusy(true);
    setError(null);
    try {
      await act();
      toast(said);
      onSaved();
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  const save = () => {
    const limits = { name: name || null, max_cost_usd: number(cost), max_tokens: number(most), max_runs: number(runs) };
    return attempt(() => (of.id ? patch("/v1/budgets/" + of.id, limits) : post("/v1/budgets", { ...limits, period, ...(agent ? { agent } : {}) })), "Saved the budget");
  };
  const remove = async () => {
    if (await confirm({ title: "Delete this budget?", body: "Runs that wait for it go on at once.", act: "Delete budget", keep: "Keep budget" })) attempt(() => del("/v1/budgets/" + of.id), "Deleted the budget");
  };
  return html`<${Drawer} title=${of.id ? "Budget" : "New budget"} onClose=${onClose} footer=${html`${of.id && html`<${Button} kind="danger" disabled=${busy} onClick=${remove}>Delete…<//>`}<button class="btn" type="button" onClick=${onClose}>Leave it</button><${Button} kind="primary" busy=${busy} onClick=${save}>Save budget<//>`}>
    <div class="stack">${error && !Object.keys(wrong).length && html`<${Trouble} error=${error} what="The budget was not saved." />`}
      <${TextField} label="Name" value=${name} onInput=${setName} error=${wrong.name} maxlength="100" />
      ${!of.id && html`<${Select} label="For the runs of" value=${agent} onChange=${setAgent} error=${wrong.agent} options=${[{ value: "", text: "the whole project" }, ...agents.map((one) => ({ value: one.id, text: one.name }))]} />
      <${Select} label="In each" value=${period} onChange=${setPeriod} error=${wrong.period} options=${[{ value: "day", text: "day (UTC)" }, { value: "month", text: "month (UTC)" }]} />`}
      <${TextField} label="US dollars" value=${cost} onInput=${setCost} error=${wrong.max_cost_usd} inputmode="decimal" hint="Empty: no bound." />
      <${TextField} label="Tokens" value=${most} onInput=${setMost} error=${wrong.max_tokens} inputmode="numeric" hint="Of input and output together." />
      <${TextField} label="Runs" value=${runs} onInput=${setRuns} error=${wrong.max_runs} inputmode="numeric" /></div><//>`;
}

/** @param {{usage: import("../lib/load.js").Loaded<any>, asked: string, nameOf: (id: string) => string}} props */
function Usage({ usage, asked, nameOf }) {
  const by = usage.data?.by || asked; // what is shown until the other is read
  const named = (/** @type {any} */ row) => (by === "agent" ? (row.agent ? nameOf(row.agent) : "runs without an agent") : row[by] || "–");
  return html`<section aria-label="Usage"><div class="head"><h2>Usage</h2><span class="note">this month</span><span class="push" />
    <${Choice} label="Usage by" value=${asked} onChange=${(/** @type {string} */ to) => setQuery({ by: to === "day" ? "" : to })} options=${["day", "agent", "key", "model"].map((one) => ({ value: one, text: "By " + one }))} /></div>
    ${usage.error && html`<${Trouble} error=${usage.error} what="The usage could not be read." retry=${usage.reload} />`}
    ${usage.data ? html`<div class="scroll" tabindex="0"><table class="table"><thead><tr><th>${by[0].toUpperCase() + by.slice(1)}</th><th class="num">Runs</th><th class="num desk">Model calls</th><th class="num desk">Input</th><th class="num desk">Cached</th><th class="num desk">Output</th><th class="num">Cost</th></tr></thead>
      <tbody>${[...usage.data.data].reverse().map((/** @type {any} */ row, i) => html`<tr key=${i}><td>${named(row)}</td><${Sums} of=${row} /></tr>`)}</tbody>
      <tfoot><tr><th scope="row">Total</th><${Sums} of=${usage.data.total} /></tr></tfoot></table></div>` : !usage.error && html`<${Skeleton} rows=${4} show=${usage.slow} />`}</section>`;
}

/** @param {{of: any}} props */
const Sums = ({ of }) => html`<td class="num">${count(of.runs)}</td><td class="num desk">${count(of.calls)}</td><td class="num desk">${tokens(of.input_tokens)}</td><td class="num desk">${tokens(of.cached_tokens)}</td><td class="num desk">${tokens(of.output_tokens)}</td>
  <td class="num">${money(of.cost_usd)}${of.unpriced ? html`<span class="faint" title="Some calls had no known price"> +</span>` : ""}</td>`;
