// Agents: all of them; and one, with its definition, its versions and its runs, a test
// run of what stands in the form, and how programs call it.
import { html, useEffect } from "../lib/html.js";
import { Fault, all, get, lacking, may } from "../lib/api.js";
import { announce } from "../lib/announce.js";
import { href } from "../lib/root.js";
import { crumbs, go, place, setQuery } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { Key, shortcut, useKeys } from "../lib/keys.js";
import { useCommands } from "../lib/commands.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { plural } from "../lib/format.js";
import { confirm } from "../lib/dialog.js";
import { Calls } from "../part/agentcalls.js";
import { fieldWords } from "../part/agentdraft.js";
import { useEdit } from "../part/agentedit.js";
import { AgentForm, problems } from "../part/agentform.js";
import { AllAgents, Column, useAgents } from "../part/agentlist.js";
import { Meanwhile } from "../part/agenttheirs.js";
import { TestRun } from "../part/agenttry.js";
import { AgentRuns, Versions, remove } from "../part/agentversions.js";

export const full = true;

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Agents({ params, query }) {
  const list = useAgents();
  if (!params.id) return html`<${Everything} list=${list} />`;
  return html`<div class="cols"><${Column} list=${list} id=${params.id} /><${One} key=${params.id} id=${params.id} list=${list} query=${query} /></div>`;
}

/** @param {{list: import("../part/agentlist.js").Agents}} props */
function Everything({ list }) {
  useEffect(() => { crumbs.value = [{ text: "Agents" }]; }, []);
  return html`<${AllAgents} list=${list} />`;
}

/** @param {{id: string, list: import("../part/agentlist.js").Agents, query: URLSearchParams}} props */
function One({ id, list, query }) {
  const edit = useEdit(id, (made) => { list.agents.reload(); if (id === "new" && place.peek().path === "/agents/new") go("/agents/" + made.id, { replace: true }); });
  const tools = useLoad((signal) => (may("tools:read") ? all("/v1/tools", {}, { signal }) : Promise.resolve([])), []);
  const models = useLoad((signal) => get("/v1/models", { signal }).then((said) => said.data.filter((/** @type {any} */ one) => !one.agent)), []);
  const name = edit.fresh ? "New agent" : edit.base?.name || "";
  useEffect(() => { crumbs.value = [{ text: "Agents", path: "/agents" }, { text: name || "…" }]; }, [name]);
  useKeys([{ keys: "mod+s", does: edit.fresh ? "Create the agent" : "Save as the next version", where: "Agents", run: () => byKey(edit) }]);
  useCommands(edit.base?.id ? [
    { text: "Talk to " + name, note: "Action", icon: "play", run: () => go("/playground?agent=" + id) },
    { text: "Versions of " + name, note: "Action", icon: "clock", run: () => setQuery({ tab: "versions" }, { push: true }) },
  ] : [], [name, id]);
  if (edit.saved.error && !edit.base) return html`<${Lost} error=${edit.saved.error} retry=${edit.saved.reload} />`;
  if (!edit.base || !edit.draft) return html`<section class="edit"><h1 class="sr">Agent</h1><${Skeleton} rows=${8} height=${48} show=${edit.saved.slow} /></section>`;
  const tab = edit.fresh ? "" : query.get("tab") || "", bad = Object.keys(edit.faults).length;
  return html`
    <section class="edit" aria-label="Definition"><${Head} edit=${edit} />
      ${!edit.fresh && html`<nav class="tabs" aria-label="About the agent">${[["", "Definition"], ["versions", "Versions"], ["runs", "Runs"]].map(([each, text]) => html`<a key=${each} href=${href(`/agents/${id}${each ? "?tab=" + each : ""}`)} aria-current=${each === tab ? "page" : undefined}>${text}${each === "versions" && html`<span class="count">${(edit.theirs || edit.base).version}</span>`}</a>`)}</nav>`}
      ${edit.theirs && html`<${Meanwhile} edit=${edit} />`}
      ${edit.error && !Object.keys(edit.error.fields || {}).length && html`<${Trouble} error=${edit.error} what="It was not saved." />`}
      ${edit.saved.error && html`<${Trouble} error=${edit.saved.error} what=${edit.saved.error.status === 404 ? "Somebody has deleted this agent." : "It could not be read again."} />`}
      ${edit.refused && html`<${Trouble} error=${edit.refused} what="What is written here could not be checked." />`}
      ${tab === "versions" ? html`<${Versions} agent=${edit.saved.data} at=${Number(query.get("v")) || 0} against=${Number(query.get("against")) || 0} unsaved=${edit.changed.length > 0} onRestored=${(/** @type {any} */ now) => { edit.saved.set(() => now); list.agents.reload(); }} />`
        : tab === "runs" ? html`<${AgentRuns} agent=${edit.saved.data} />`
        : html`<${AgentForm} draft=${edit.draft} set=${edit.set} faults=${edit.shown} tools=${tools} models=${models.data || []} lacks=${lacking("agents:write")} />`}
    </section>
    <aside class="try" aria-label="Test run and snippets"><${TestRun} key=${id} edit=${edit} tools=${tools.data || []} problems=${bad} />${!edit.fresh && html`<${Calls} agent=${edit.base} />`}</aside>`;
}

/** Why it can't be saved now. @param {import("../part/agentedit.js").Edit} edit @param {Record<string, string>} [faults] */
function blocked(edit, faults = edit.faults) {
  const bad = Object.keys(faults).length;
  if (lacking("agents:write")) return lacking("agents:write");
  if (edit.theirs) return "Decide first what becomes of the other’s change.";
  if (bad && !edit.error) return `Resolve ${problems(bad)} first`;
  return edit.changed.length ? "" : "Nothing is changed.";
}

// A key can't wait for the server's word on what was typed just before it, as the button
// does: what is only said of an earlier text keeps nothing from being saved.
/** @param {import("../part/agentedit.js").Edit} edit */
function byKey(edit) {
  const why = blocked(edit, edit.sure);
  if (!why) {
    edit.save();
    return;
  }
  announce(why);
  if (Object.keys(edit.sure).length) toFirst();
}

/** @param {{edit: import("../part/agentedit.js").Edit}} props */
function Head({ edit }) {
  const bad = Object.keys(edit.faults).length, n = edit.changed.length, why = blocked(edit);
  const discard = async () => {
    if (await confirm({ title: "Discard your changes?", body: `Changed: ${edit.changed.map((one) => fieldWords[one] || one).join(", ")}. What is saved stays as it is.`, act: "Discard changes", keep: "Keep changes" })) {
      edit.discard();
      if (edit.fresh) go("/agents");
    }
  };
  const erase = async () => { if (await remove({ agent: edit.base })) { edit.discard(); go("/agents"); } };
  return html`<div class="top"><h1 class="cut">${edit.fresh ? "New agent" : html`<${Seen} text=${edit.base.name} />`}</h1>
    ${!edit.fresh && html`<span class="tag line">v${edit.base.version}</span>${n === 0 && html`<span class="desk"><${Copy} text=${edit.base.id} label="Copy the agent’s id" /></span>`}`}
    ${n > 0 && html`<span class="dim small" title=${"Changed: " + edit.changed.map((one) => fieldWords[one] || one).join(", ")}>${plural(n, "change")}</span>`}<span class="push" />
    ${bad > 0 && html`<button type="button" class="plain problems" onClick=${toFirst}><${Status} s="failed" word=${problems(bad)} /></button>`}
    ${n > 0 ? html`<button class="btn" type="button" onClick=${discard}>Discard</button>` : !edit.fresh && html`<${Button} kind="danger quiet" lacks=${lacking("agents:write")} onClick=${erase}>Delete…<//><a class="btn" href=${href("/playground?agent=" + edit.base.id)}><${Icon} name="play" />Talk to it</a>`}
    <${Button} kind="primary" busy=${edit.busy} disabled=${!!why} title=${why || undefined} onClick=${edit.save} aria-keyshortcuts=${shortcut("mod+s")}>${edit.fresh ? "Create agent" : `Save as v${(edit.theirs || edit.base).version + 1}`} <${Key} k="mod+s" /><//></div>`;
}

function toFirst() {
  const field = document.querySelector(".p-agents [aria-invalid=true]");
  if (!(field instanceof HTMLElement)) return;
  field.closest("details")?.setAttribute("open", "");
  field.focus();
}

/** @param {{error: any, retry: () => void}} props */
function Lost({ error, retry }) {
  return html`<section class="edit"><h1 class="sr">Agent</h1>${error instanceof Fault && error.status === 404
    ? html`<${Empty} what="There is no such agent." how="It was deleted, or the address is wrong. The runs of one that was deleted are still in the list of runs."><a class="btn" href=${href("/agents")}>All agents</a><//>`
    : html`<${Trouble} error=${error} what="The agent could not be read." retry=${retry} />`}</section>`;
}
