// One schedule: how it stands, its next times, its runs, and what one can do with it.
import { html, useState } from "../lib/html.js";
import { del, get, lacking, patch, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Ago, At } from "../lib/time.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { plural, shortID } from "../lib/format.js";
import { toast } from "../lib/announce.js";
import { does } from "./attempt.js";
import { NextTimes, WhenWords } from "./when.js";

/** How a schedule is, as the status that it looks like. @param {any} one */
export function stateOf(one) {
  if (one.paused) return { s: "paused", word: "Paused" };
  if (one.error) return { s: "failed", word: "Could not start" };
  if (one.running.length) return { s: "running", word: one.running.length > 1 ? plural(one.running.length, "run") : "Running" };
  if (one.failures > 0) return { s: "failed", word: `${plural(one.failures, "run")} failed` };
  return { s: "queued", word: "Waits for its time" };
}

/** Starts its run now. @param {any} one @param {string} name */
export async function fire(one, name) {
  try {
    const run = await post(`/v1/schedules/${one.id}/run`, { background: true });
    toast("Started " + name, { s: "running", path: "/runs/" + run.id, link: "Open run" });
  } catch (error) {
    toast("Not started", { s: "failed", detail: /** @type {Error} */ (error).message });
  }
}

/** Pauses it, or resumes it. @param {any} one @param {string} name */
export const hold = (one, name) => does(() => patch("/v1/schedules/" + one.id, { paused: !one.paused }), (one.paused ? "Resumed " : "Paused ") + name, one.paused ? "Not resumed" : "Not paused");

/** @param {{id: string, nameOf: (one: any) => string, onClose: () => void, onChanged: () => void, onGone: () => void}} props */
export function ScheduleDrawer({ id, nameOf, onClose, onChanged, onGone }) {
  const schedule = useLoad((signal) => get("/v1/schedules/" + id, { signal }), [id], { on: ["run.changed", "resync"], every: 2000 }), one = schedule.data, [busy, setBusy] = useState("");
  const lacks = lacking("agents:write"), name = one ? nameOf(one) : "";
  const act = async (/** @type {string} */ what, /** @type {() => Promise<any>} */ run) => {
    setBusy(what);
    await run();
    setBusy("");
    schedule.reload();
    onChanged();
  };
  const remove = async () => {
    const sure = await confirm({ title: "Delete this schedule?", body: `It starts ${name} no longer. Runs that it has started go on.`, act: "Delete schedule", keep: "Keep schedule" });
    if (sure && await does(() => del("/v1/schedules/" + id), "Deleted the schedule", "Not deleted")) onGone();
  };
  const footer = one && html`<${Button} kind="danger" lacks=${lacks} onClick=${remove}>Delete…<//><span class="push" /><${Button} lacks=${lacks} onClick=${() => setQuery({ edit: "1" }, { push: true })}>Change…<//>
    <${Button} lacks=${lacks} busy=${busy === "hold"} onClick=${() => act("hold", () => hold(one, name))}><${Icon} name=${one.paused ? "go" : "pause"} />${one.paused ? "Resume" : "Pause"}<//>
    <${Button} kind="primary" lacks=${lacking("runs:write")} busy=${busy === "fire"} onClick=${() => act("fire", () => fire(one, name))}>Run now<//>`;
  return html`<${Drawer} class="wide" title=${name || "Schedule"} onClose=${onClose} footer=${footer}>
    ${schedule.error && html`<${Trouble} error=${schedule.error} what=${schedule.error.status === 404 ? "There is no such schedule any more." : "The schedule could not be read."} retry=${schedule.reload} />`}
    ${!one && !schedule.error && html`<${Skeleton} rows=${6} show=${schedule.slow} />`}
    ${one && html`<div class="stack">${one.error && html`<div class="note-box" data-s="failed"><${Icon} name="warn" /><p><b>The last run could not be started.</b> ${one.error}</p></div>`}
      <${Facts} one=${one} name=${name} />
      ${!one.daemon && html`<section aria-label="The next five times"><h3>The next five times</h3>${one.next_runs.length ? html`<${NextTimes} times=${one.next_runs} tz=${one.tz} />` : html`<p class="dim">${one.paused ? "None while it is paused. Resumed, it counts from then, and nothing was missed." : "It has no further times."}</p>`}</section>`}
      <${Runs} one=${one} /></div>`}<//>`;
}

/** @param {{one: any, name: string}} props */
function Facts({ one, name }) {
  const is = stateOf(one);
  const kept = one.overlap === "queue" ? "waits for its end" : one.overlap === "allow" ? "starts another run" : "is left out";
  return html`<dl class="kv"><dt>State</dt><dd><${Status} s=${is.s} word=${is.word} />${one.failures > 0 && html` <span class="bad">${plural(one.failures, "run")} in a row failed at once: the next one is put off</span>`}${one.queued > 0 && html` <span class="dim">${plural(one.queued, "time")} wait for the end of a run</span>`}</dd>
    <dt>Starts</dt><dd class="cut">${one.agent ? html`the agent <a href=${href("/agents/" + one.agent)}>${name}</a>` : html`the robot <a href=${href("/robots/" + encodeURIComponent(one.robot))}>${name}</a>`}</dd>
    <dt>When</dt><dd><${WhenWords} of=${one} /> <span class="faint">${one.tz}</span></dd>
    <dt>With</dt><dd class="words">${one.input ? html`<${Seen} text=${one.input} />` : html`<span class="faint">nothing</span>`}</dd>
    <dt>Missed times</dt><dd>${one.missed === "once" ? "are made up for by one run" : "are left out"}${one.missed_count > 0 && html` <span class="faint">${plural(one.missed_count, "time")} so far</span>`}</dd>
    <dt>While one goes on</dt><dd>a time ${kept}${one.skipped_count > 0 && html` <span class="faint">${plural(one.skipped_count, "time")} left out so far</span>`}</dd>
    <dt>Changed</dt><dd><${At} at=${one.updated_at} /></dd><dt>Id</dt><dd class="row"><code class="id cut">${one.id}</code><${Copy} text=${one.id} label="Copy the schedule’s id" /></dd></dl>`;
}

/** @param {{one: any}} props */
function Runs({ one }) {
  const others = one.running.filter((/** @type {string} */ id) => id !== one.last_run), goes = one.running.includes(one.last_run);
  return html`<section aria-label="Its runs"><div class="head"><h3>Its runs</h3><span class="push" />${one.agent && html`<a class="btn small" href=${href("/runs?agent=" + encodeURIComponent(one.agent))}>All runs of the agent</a>`}</div>
    ${!one.last_run && html`<p class="dim">It has started none yet.</p>`}
    <ul class="ruled">${one.last_run && html`<li><${Status} s=${goes ? "running" : one.last_status || "running"} /><a class="id" href=${href("/runs/" + one.last_run)} title=${one.last_run}>${shortID(one.last_run)}</a><span class="push dim"><${Ago} at=${one.last_run_at} ago /></span></li>`}
      ${others.map((/** @type {string} */ id) => html`<li key=${id}><${Status} s="running" /><a class="id" href=${href("/runs/" + id)} title=${id}>${shortID(id)}</a></li>`)}</ul></section>`;
}
