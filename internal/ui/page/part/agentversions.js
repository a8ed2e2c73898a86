// An agent's versions: who made which, what differs, and back to an earlier one.
import { html, useEffect, useState } from "../lib/html.js";
import { del, get, lacking, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { usePages } from "../lib/list.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { confirm } from "../lib/dialog.js";
import { toast } from "../lib/announce.js";
import { Seen } from "../lib/hidden.js";
import { Ago, At } from "../lib/time.js";
import { keyName } from "../lib/names.js";
import { money, plural, tokens } from "../lib/format.js";
import { Status, reasonWord } from "../lib/glyph.js";
import { RunStrip } from "../lib/strip.js";
import { differences, fieldWords, lines } from "./agentdraft.js";

/** @param {{agent: any, at: number, against: number, unsaved: boolean, onRestored: (agent: any) => void}} props  at: the version that is looked at; against: what it is compared with */
export function Versions({ agent, at, against, unsaved, onRestored }) {
  const list = usePages(`/v1/agents/${agent.id}/versions`, { v: undefined }, { limit: 50 });
  const n = at || agent.version, other = against || n - 1, first = list.items[0]?.version || 0, found = list.items.find((each) => each.version === n);
  const alone = useLoad((signal) => (found || !first ? Promise.resolve(null) : get(`/v1/agents/${agent.id}/versions/${n}`, { signal })), [n, !!found, first > 0]), one = found || (alone.data?.version === n ? alone.data : null);
  useEffect(() => { if (first && first < agent.version) list.reload(); }, [agent.version, first > 0]); // somebody has saved since
  if (list.error) return html`<${Trouble} error=${list.error} what="The versions could not be read." retry=${list.reload} />`;
  if (!first) return html`<${Skeleton} rows=${4} show=${list.slow} />`;
  return html`<div class="versions">
    <ol class="vlist">${list.items.map((each) => html`<li key=${each.version}><button type="button" class="plain" aria-current=${each.version === n ? "true" : undefined} onClick=${() => setQuery({ v: each.version, against: null })}>
      <b>v${each.version}</b>${each.version === agent.version ? html`<span class="tag">current</span>` : ""}<span class="grow" /><span class="small dim"><${Ago} at=${each.updated_at} ago /></span>
      <span class="small faint by">by ${keyName(each.updated_by)}</span></button></li>`)}
      ${list.more && html`<li><button class="btn small" type="button" onClick=${list.next}>Earlier ones</button></li>`}</ol>
    ${one ? html`<${Compared} key=${n + "/" + other} agent=${agent} one=${one} other=${other} known=${list.items} unsaved=${unsaved} onRestored=${onRestored} />`
      : alone.error ? html`<${Trouble} error=${alone.error} what="This version could not be read." retry=${alone.reload} />` : html`<${Skeleton} rows=${4} />`}</div>`;
}

/** @param {{agent: any, one: any, other: number, known: any[], unsaved: boolean, onRestored: (agent: any) => void}} props */
function Compared({ agent, one, other, known, unsaved, onRestored }) {
  const [busy, setBusy] = useState(false), found = known.find((each) => each.version === other);
  const read = useLoad((signal) => (!other ? Promise.resolve({}) : found ? Promise.resolve(found) : get(`/v1/agents/${agent.id}/versions/${other}`, { signal })), [other, !!found]);
  const changes = read.data ? differences(read.data, one) : [];
  const restore = async () => {
    if (unsaved && !(await confirm({ title: `Restore v${one.version}?`, body: "You have changes that are not saved. They stay in the form, upon what is restored.", act: "Restore version", keep: "Keep v" + agent.version, danger: false }))) return;
    setBusy(true);
    try {
      const now = await post(`/v1/agents/${agent.id}/versions/${one.version}/restore`);
      toast(now.version === agent.version ? `v${one.version} is what holds already` : `Restored v${one.version} as v${now.version}`);
      onRestored(now);
    } catch (error) {
      toast("Not restored", { s: "failed", detail: /** @type {Error} */ (error).message });
    }
    setBusy(false);
  };
  return html`<section class="compared" aria-label=${"Version " + one.version}><div class="head"><h2>v${one.version}</h2><span class="note"><${At} at=${one.updated_at} /></span><span class="push" />
      ${one.version > 1 && html`<label class="row small dim nowrap">compared with <select class="in" value=${String(other)} onChange=${(/** @type {any} */ event) => setQuery({ v: one.version, against: event.target.value })}>${Array.from({ length: Math.min(200, agent.version) }, (_, i) => agent.version - i).filter((n) => n !== one.version).map((n) => html`<option key=${n} value=${String(n)} selected=${n === other}>v${n}</option>`)}</select></label>`}
      ${one.version !== agent.version && html`<${Button} busy=${busy} lacks=${lacking("agents:write")} onClick=${restore}>Restore v${one.version}<//>`}</div>
    ${read.error && html`<${Trouble} error=${read.error} what="The other version could not be read." retry=${read.reload} />`}
    ${read.data && (changes.length ? changes.map((each) => html`<section key=${each.name} class="change"><h3>${fieldWords[each.name] || each.name}</h3><${Diff} was=${each.was} is=${each.is} /></section>`) : html`<p class="dim">They are the same.</p>`)}</section>`;
}

/** @param {{was: string, is: string}} props */
function Diff({ was, is }) {
  const all = lines(was, is), near = all.map((one, i) => one.kind !== "same" || all.slice(Math.max(0, i - 2), i + 3).some((each) => each.kind !== "same"));
  return html`<div class="diff" tabindex="0" role="group" aria-label="What differs">${all.map((one, i) => (near[i] ? html`<div key=${i} class=${"d-" + one.kind}><span aria-hidden="true">${one.kind === "del" ? "−" : one.kind === "add" ? "+" : ""}</span><span>${one.kind !== "same" && html`<span class="sr">${one.kind === "del" ? "went: " : "came: "}</span>`}<${Seen} text=${one.text || " "} /></span></div>`
    : near[i - 1] ? html`<div key=${i} class="d-gap">…</div>` : null))}</div>`;
}

/** The agent's runs, the latest first. @param {{agent: any}} props */
export function AgentRuns({ agent }) {
  const list = useLoad((signal) => get(`/v1/agents/${agent.id}/runs`, { query: { limit: 30, include: "strip" }, signal }), [agent.id], { on: ["run.changed", "run.deleted", "resync"], every: 1000, when: ({ data }) => !data.run || data.run.agent === agent.id || typeof data.run === "string" });
  if (list.error && !list.data) return html`<${Trouble} error=${list.error} what="Its runs could not be read." retry=${list.reload} />`;
  if (!list.data) return html`<${Skeleton} rows=${6} show=${list.slow} />`;
  if (!list.data.data.length) return html`<${Empty} what="It has not run yet." how="What it does, for whom, and what that costs comes here."><a class="btn" href=${href("/playground?agent=" + agent.id)}>Talk to it</a><//>`;
  return html`<${RunsTable} runs=${list.data.data} /><p class="small after"><a href=${href("/runs?agent=" + agent.id)}>${list.data.has_more ? "All its runs" : "In the list of runs"}</a></p>`;
}

/** @param {{runs: any[]}} props */
function RunsTable({ runs }) {
  return html`<table class="table runs"><caption class="sr">Its latest runs</caption><thead><tr><th scope="col">Status</th><th scope="col">Run</th><th scope="col" class="opt">Trace</th><th scope="col" class="num opt">Tokens</th><th scope="col" class="num">Cost</th><th scope="col" class="num">Started</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${run.id}><td><${Status} s=${run.status} slim /></td><td class="main-cell"><span><a href=${href("/runs/" + run.id)}><${Seen} text=${run.title || "no prompt"} /></a>${run.status === "failed" && html` <span class="bad small">${reasonWord(run.stop_reason)}</span>`}</span></td>
      <td class="opt"><${RunStrip} run=${run} /></td><td class="num dim opt">${tokens(run.usage.total_tokens)}</td><td class="num">${money(run.usage.cost_usd)}</td><td class="num dim"><${Ago} at=${run.created_at} ago /></td></tr>`)}</tbody></table>`;
}

/** @param {{agent: any}} props */
export async function remove({ agent }) {
  const sure = await confirm({ title: `Delete ${agent.name}?`, body: `Its name is free at once, and nothing can call it any more. Its runs and its ${plural(agent.version, "version")} can still be read, and runs that are under way go on.`, act: "Delete agent", keep: "Keep agent" });
  if (!sure) return false;
  try {
    await del("/v1/agents/" + agent.id);
    toast("Deleted " + agent.name, { s: "cancelled" });
    return true;
  } catch (error) {
    toast("Not deleted", { s: "failed", detail: /** @type {Error} */ (error).message });
    return false;
  }
}
