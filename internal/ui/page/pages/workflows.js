// Workflows: runs that were recorded to be made again, with other values and without a
// model; what a page has changed since is mended by one, and marked.
import { html, useEffect, useId, useState } from "../lib/html.js";
import { get, lacking, post, put } from "../lib/api.js";
import { href } from "../lib/root.js";
import { crumbs, go, setQuery } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check, Field } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Key, shortcut, useKeys } from "../lib/keys.js";
import { useRoving } from "../lib/list.js";
import { Seen } from "../lib/hidden.js";
import { Snippets } from "../lib/snippet.js";
import { toast } from "../lib/announce.js";
import { plural } from "../lib/format.js";
import { Ago } from "../lib/time.js";
import { Parameters, Replay, Steps } from "../part/replay.js";
import { PlayTabs } from "./playground.js";

export const full = true;

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Workflows({ params, query }) {
  const list = useLoad((signal) => get("/api/tasks", { query: { limit: 200 }, signal }).then((said) => said.tasks), [], { on: ["run.changed", "resync"], every: 2000, when: ({ data }) => data.run?.dialect === "webagent" });
  const [recording, record] = useState(false), tasks = (list.data || []).filter((/** @type {any} */ one) => one.cached_workflow), at = tasks.findIndex((/** @type {any} */ one) => String(one.id) === params.id);
  useEffect(() => { crumbs.value = [{ text: "Playground", path: "/playground" }, { text: "Workflows", path: "/workflows" }, ...(params.id ? [{ text: "Workflow " + params.id }] : [])]; }, [params.id]);
  const roving = useRoving({ count: tasks.length, at, onMove: (i) => go("/workflows/" + tasks[i].id, { replace: at >= 0 }), noun: "workflow" });
  const kept = (/** @type {number|string} */ id) => { record(false); list.reload(); go("/workflows/" + id); };
  const button = html`<${Button} kind=${params.id ? "" : "primary"} lacks=${lacking("runs:write")} onClick=${() => record(true)}><${Icon} name="plus" />Make from a run<//>`;
  return html`<div class="wtop"><h1 class="sr">Workflows</h1><${PlayTabs} at="workflows" /><span class="push" />${button}</div>
    <div class=${params.id ? "two one-of" : "two"}>
      <nav class="wlist" aria-label="Workflows">${list.error && !list.data && html`<${Trouble} error=${list.error} what="The workflows could not be read." retry=${list.reload} />`}
        ${!list.data && !list.error && html`<${Skeleton} rows=${4} height=${58} show=${list.slow} />`}
        ${tasks.map((/** @type {any} */ one, /** @type {number} */ i) => html`<a key=${one.id} href=${href("/workflows/" + one.id)} aria-current=${i === at ? "true" : undefined} ...${roving.item(i)}><b><${Parameters} text=${one.cached_workflow.prompt || one.prompt} /></b>
          <span class="small dim">${plural(one.cached_workflow.steps.length, "step")}, ${plural(one.cached_workflow.parameters.length, "parameter")}${one.use_cached_workflow ? "" : " · not in use"}<span class="push"><${Ago} at=${one.created_at} ago /></span></span></a>`)}</nav>
      ${params.id ? html`<${Workflow} key=${params.id} id=${params.id} query=${query} onChanged=${list.reload} />`
        : html`<section class="none">${list.data && html`<${Empty} what=${tasks.length ? "Choose a workflow." : "No workflows yet."} how="A run that was successful can be made again without a model: its calls are recorded, and what of its prompt may be another thing next time becomes a parameter." />`}</section>`}
    </div>
    ${recording && html`<${Record} onClose=${() => record(false)} onKept=${kept} />`}`;
}

/** @param {{id: string, query: URLSearchParams, onChanged: () => void}} props */
function Workflow({ id, query, onChanged }) {
  const task = useLoad((signal) => get("/api/tasks/" + encodeURIComponent(id), { signal }), [id]), runs = useLoad((signal) => get(`/api/tasks/${encodeURIComponent(id)}/runs`, { query: { limit: 50 }, signal }), [id], { on: ["run.changed", "resync"], every: 1000, when: ({ data }) => data.run?.dialect === "webagent" });
  const flow = task.data?.cached_workflow, run = query.get("run");
  if (task.error && !task.data) return html`<section class="wone"><${Trouble} error=${task.error} what="The workflow could not be read." retry=${task.reload} /></section>`;
  if (!task.data) return html`<section class="wone"><${Skeleton} rows=${6} show=${task.slow} /></section>`;
  if (!flow) return html`<section class="wone"><${Empty} what="This task is not recorded." how="Make a workflow from a run of it that was successful." /></section>`;
  const use = async (/** @type {boolean} */ on) => {
    try {
      await put("/api/tasks/" + id, { use_cached_workflow: on });
      task.reload();
      onChanged();
    } catch (error) {
      toast("Not changed", { s: "failed", detail: /** @type {Error} */ (error).message });
    }
  };
  const started = (/** @type {number} */ n) => { runs.reload(); setQuery({ run: n }, { push: true }); };
  return html`<section class="wone" aria-label="Workflow">
      <p class="phone"><a href=${href("/workflows")}>All workflows</a></p>
      <h2 class="as-h1"><${Parameters} text=${flow.prompt || task.data.prompt} /></h2>
      <div class="row wrap under-h"><span class="small dim">Task ${task.data.id} · mends with ${task.data.provider}/${task.data.model}</span><${Check} look="switch" label="Replay its calls" checked=${task.data.use_cached_workflow} disabled=${!!lacking("runs:write")} title=${lacking("runs:write") || "Off: a run of the task is done by the model anew"} onChange=${use} /></div>
      ${run ? html`<p class="small"><button class="btn small" type="button" onClick=${() => setQuery({ run: null })}><${Icon} name="chev" class="back" />Recorded steps</button></p><${Replay} key=${run} n=${run} onKept=${() => { task.reload(); onChanged(); }} />`
        : html`<div class="head"><h2>Recorded steps</h2><span class="note">what a replay does, without a model</span></div><${Steps} steps=${flow.steps} />`}
    </section>
    <aside class="wside" aria-label="Replay"><${Start} key=${id} task=${task.data} flow=${flow} onStarted=${started} />
      <section aria-labelledby="wruns"><h2 id="wruns" class="as-h3">Its runs</h2>${runs.error && html`<${Trouble} error=${runs.error} what="Its runs could not be read." retry=${runs.reload} />`}
        <ul class="wruns">${(runs.data || []).map((/** @type {any} */ one) => html`<li key=${one.id}><a href=${href(`/workflows/${id}?run=${one.id}`)} aria-current=${String(one.id) === run ? "true" : undefined}><${Status} s=${!one.is_done ? "running" : one.is_successful ? "completed" : "failed"} alone /><span class="cut"><${Seen} text=${one.description} /></span><span class="small faint">${one.id}</span></a></li>`)}</ul>
        ${runs.data && !runs.data.length && html`<p class="small faint">None yet.</p>`}</section>
      <section aria-labelledby="wcall"><h2 id="wcall" class="as-h3">Call it</h2><${Snippets} request=${{ method: "POST", path: `/api/tasks/${task.data.id}/runs`, body: { parameters: Object.fromEntries(flow.parameters.map((/** @type {any} */ one) => [one.name, typed(one, one.exampleValue)])) } }} /></section></aside>`;
}

// A value as the parameter's type has it; what is no number goes as it stands, and the
// server says so.
/** @param {any} parameter @param {string} text */
const typed = (parameter, text) => (parameter.type === "number" && text.trim() && !Number.isNaN(Number(text)) ? Number(text) : parameter.type === "boolean" ? text === "true" : text);

/** Other values, and off it goes. @param {{task: any, flow: any, onStarted: (n: number) => void}} props */
function Start({ task, flow, onStarted }) {
  const [values, setValues] = useState(() => /** @type {Record<string, string>} */ (Object.fromEntries(flow.parameters.map((/** @type {any} */ one) => [one.name, one.exampleValue || (one.type === "boolean" ? "false" : "")]))));
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), missing = flow.parameters.filter((/** @type {any} */ one) => !values[one.name]?.trim());
  const start = async () => {
    if (busy || missing.length) return;
    setBusy(true);
    setError(null);
    try {
      const made = await post(`/api/tasks/${task.id}/runs`, { wait_for_completion: false, use_cached_workflow: true, parameters: Object.fromEntries(flow.parameters.map((/** @type {any} */ one) => [one.name, typed(one, values[one.name])])) });
      onStarted(made.task_run_id);
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  };
  useKeys([{ keys: "mod+Enter", does: "Replay", where: "Workflows", run: start }]);
  return html`<section aria-labelledby="wstart" class="start"><h2 id="wstart" class="as-h3">Replay</h2>
    ${flow.parameters.map((/** @type {any} */ one) => html`<${Field} key=${one.name} label=${one.name} hint=${[one.description, one.type !== "string" && one.type].filter(Boolean).join(" · ")}>${(/** @type {any} */ given) => (one.type === "boolean"
      ? html`<select class="in" value=${values[one.name]} onChange=${(/** @type {any} */ event) => setValues({ ...values, [one.name]: event.target.value })} ...${given}><option value="true">true</option><option value="false">false</option></select>`
      : html`<input class="in" type="text" inputmode=${one.type === "number" ? "decimal" : one.type === "url" ? "url" : undefined} placeholder=${one.exampleValue || undefined} value=${values[one.name]} onInput=${(/** @type {any} */ event) => setValues({ ...values, [one.name]: event.target.value })} ...${given} />`)}<//>`)}
    ${!flow.parameters.length && html`<p class="small dim">It has no parameters: each replay is the same.</p>`}
    ${error && html`<${Trouble} error=${error} what="The replay was not started." />`}
    <div><${Button} kind="primary" busy=${busy} lacks=${lacking("runs:write")} disabled=${missing.length > 0} title=${missing.length ? "Missing: " + missing.map((/** @type {any} */ one) => one.name).join(", ") : undefined} onClick=${start} aria-keyshortcuts=${shortcut("mod+Enter")}><${Icon} name="retry" />Replay <${Key} k="mod+Enter" /><//></div></section>`;
}

/** From which run. @param {{onClose: () => void, onKept: (id: number) => void}} props */
function Record({ onClose, onKept }) {
  const [asked, ask] = useState(""), [chosen, choose] = useState(""), [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), group = useId();
  const runs = useLoad((signal) => get("/v1/runs", { query: { status: "completed", limit: 40, q: asked.trim() }, signal }), [asked.trim()]);
  const there = runs.data?.data.some((/** @type {any} */ one) => one.id === chosen); // what one does not see is not recorded
  const keep = async () => {
    setBusy(true);
    setError(null);
    try {
      const made = await post(`/api/runs/${chosen}/set-as-cached-workflow`);
      toast("Recorded", { detail: `${plural(made.workflow.steps.length, "step")}, ${plural(made.workflow.parameters.length, "parameter")}` });
      onKept(made.task_id);
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<${Drawer} title="Make a workflow from a run" onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Make none</button><${Button} kind="primary" busy=${busy} disabled=${!there || runs.loading} onClick=${keep}>Make workflow<//>`}>
    <div class="stack"><p class="dim">The calls that worked are recorded. What of the prompt may be another thing next time becomes a parameter: one call of the run’s model finds that out.</p>
      <label class="with"><${Icon} name="search" /><input class="in" placeholder="Words of the run" aria-label="Words of the run" value=${asked} onInput=${(/** @type {any} */ event) => ask(event.target.value)} /></label>
      ${runs.error && html`<${Trouble} error=${runs.error} what="The runs could not be read." retry=${runs.reload} />`}
      <fieldset class="pick-run"><legend class="sr">The run</legend>${(runs.data?.data || []).map((/** @type {any} */ one) => html`<label key=${one.id} class="check"><input type="radio" name=${group} checked=${chosen === one.id} onChange=${() => choose(one.id)} /><span class="grow cut"><${Seen} text=${one.title || one.id} /></span><span class="small faint nowrap"><${Ago} at=${one.created_at} ago /></span></label>`)}</fieldset>
      ${runs.data && !runs.data.data.length && html`<p class="dim">No run that was successful has these words.</p>`}
      ${error && html`<${Trouble} error=${error} what="It can’t be repeated." />`}</div><//>`;
}
