// The head of a run: what it is, how it stands, and what can be done with it.
import { html, useRef, useState } from "../lib/html.js";
import { del, get, lacking, post } from "../lib/api.js";
import { href, server } from "../lib/root.js";
import { go, place } from "../lib/route.js";
import { toast } from "../lib/announce.js";
import { confirm } from "../lib/dialog.js";
import { Button } from "../lib/field.js";
import { Icon, isOver, reasonWord, Status } from "../lib/glyph.js";
import { Key } from "../lib/keys.js";
import { Seen } from "../lib/hidden.js";
import { duration, money, tokens } from "../lib/format.js";
import { Clock, now } from "../lib/time.js";
import { copy } from "../lib/clip.js";
import { json } from "../lib/exact.js";
import { soFar } from "./spans.js";

/** @param {string} text */
export const firstLine = (text) => (text.split("\n").find((line) => line.trim()) || "").trim();

/** The saved agent or robot that a run is of, as a link. @param {{run: any}} props */
export function AgentLink({ run }) {
  if (!run.agent) return html`<span>no agent</span>`;
  const robot = run.agent.startsWith("robot/");
  const path = robot ? "/robots/" + encodeURIComponent(run.agent.slice(6)) : "/agents/" + encodeURIComponent(run.agent);
  return html`<a class="agent" href=${href(path)}>${run.agent_name || (robot ? run.agent.slice(6) : run.agent)}</a>${run.agent_version ? html` <span class="ver">v${run.agent_version}</span>` : ""}`;
}

/** @param {{run: any, trace: any, limit: number|null, act: ReturnType<typeof useActs>, onAgain: () => void, onCurl: () => void}} props  limit: what it may cost */
export function RunHead({ run, trace, limit, act, onAgain, onCurl }) {
  const usage = run.usage, over = isOver(run.status), lacks = lacking("runs:write");
  const inModels = (trace?.spans || []).filter((/** @type {any} */ one) => one.kind === "model" && one.end).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + Date.parse(one.end) - Date.parse(one.begin), 0);
  return html`<div class="title">
    <div class="row1"><h1><${Seen} text=${firstLine(run.prompt) || "A run without a prompt"} /></h1><span class="push" />
      <span class="row btns-r">
        ${run.status === "paused" && html`<${Button} kind="primary" busy=${act.busy.includes("resume")} lacks=${lacks} onClick=${act.resume}><${Icon} name="go" />Resume<//>`}
        ${!over && run.status !== "paused" && html`<${Button} busy=${act.busy.includes("pause")} lacks=${lacks} onClick=${act.pause}><${Icon} name="pause" />Pause<//>`}
        ${!over && html`<${Button} kind="danger" busy=${act.busy.includes("cancel")} lacks=${lacks} onClick=${act.cancel}><${Icon} name="stop" />Cancel<//>`}
        ${over && html`<${Button} busy=${act.busy.includes("retry")} lacks=${lacks} title="A new run of the same, as it was" onClick=${act.retry}><${Icon} name="retry" />Retry<//>
          <${Button} lacks=${lacks} onClick=${onAgain}>Run again…<//>`}
        <${More} run=${run} act=${act} onCurl=${onCurl} />
      </span></div>
    <div class="facts"><${Status} s=${run.status} tag />${run.stop_reason && run.stop_reason !== run.status && html`<span class=${run.status === "failed" ? "bad" : ""}>${reasonWord(run.stop_reason)}</span>`}
      <span><${AgentLink} run=${run} /></span><span>${run.dialect}</span>
      <span>started <b><${Clock} at=${run.created_at} /></b></span><span>${over ? "took" : "elapsed"} <b><${Elapsed} run=${run} /></b></span>
      ${inModels > 0 && html`<span>in models <b>${duration(inModels)}</b></span>`}
      <span>tokens <b>${tokens(usage.total_tokens, true)}</b>${usage.cached_tokens > 0 ? ` (${Math.round((usage.cached_tokens / usage.input_tokens) * 100)} % cached)` : ""}</span>
      <span>cost <b>${money(usage.cost_usd)}</b>${limit ? " of " + money(limit) : ""}${usage.estimated ? " (estimated)" : ""}</span>
      <span>steps <b>${run.steps_used}</b> of ${run.max_steps}</span></div></div>`;
}

/** @param {{run: any}} props */
function Elapsed({ run }) {
  const begin = Date.parse(run.created_at);
  return isOver(run.status) && run.finished_at ? duration(Date.parse(run.finished_at) - begin) : soFar(now.value - begin);
}

/** @param {{run: any, act: ReturnType<typeof useActs>, onCurl: () => void}} props */
function More({ run, act, onCurl }) {
  const box = useRef(/** @type {any} */ (null)), over = isOver(run.status), saves = act.busy.includes("save"), removes = act.busy.includes("delete");
  const then = (/** @type {() => void} */ what) => () => { box.current?.hidePopover(); what(); };
  return html`<button class="btn icon" type="button" popovertarget="run-more" aria-busy=${saves || removes ? "true" : undefined} aria-label="More: compare, copy, save, delete">${!saves && !removes && html`<${Icon} name="more" />`}</button>
    <div id="run-more" popover class="pop menu" ref=${box}>
      <button type="button" onClick=${then(() => go("/compare?a=" + run.id))}><${Icon} name="compare" />Compare with… <span class="push" /><${Key} k="v" /></button>
      <button type="button" onClick=${then(onCurl)}><${Icon} name="copy" />Copy as curl <span class="push" /><${Key} k="c" /></button>
      <button type="button" onClick=${then(act.copyLink)}><${Icon} name="link" />Copy link <span class="push" /><${Key} k="l" /></button>
      <button type="button" disabled=${saves} onClick=${then(act.save)}><${Icon} name="doc" />Save events as JSON</button>
      <button type="button" class="danger" disabled=${removes || !!lacking("runs:write") || !(over || ["awaiting_approval", "awaiting_input", "paused"].includes(run.status))} onClick=${then(act.remove)}><${Icon} name="trash" />Delete run…</button>
    </div>`;
}

/** All events, to the digit. @param {string} id */
export async function readEvents(id) {
  const found = [];
  for (let after = "0"; ;) {
    const page = await get(`/v1/runs/${id}/events`, { query: { after, limit: 1000 }, exact: true });
    found.push(...page.data);
    if (!page.has_more || !page.data.length) return found;
    after = String(page.data[page.data.length - 1].seq);
  }
}

/**
 * What can be done with a run. Nothing shows as done before the server has said so.
 * Each act goes out by itself: one that a person has confirmed does not depend on what
 * else is under way, and the server says which of two it takes. busy: those under way.
 * @param {any} run @param {() => void} reread
 */
export function useActs(run, reread) {
  const [busy, setBusy] = useState(/** @type {string[]} */ ([])), under = useRef(/** @type {Set<string>} */ (new Set())); // a ref: what is confirmed was asked for seconds ago
  const attempt = async (/** @type {string} */ name, /** @type {string} */ failed, /** @type {() => Promise<void>} */ what) => {
    if (under.current.has(name)) return; // its button says so
    setBusy([...under.current.add(name)]);
    try {
      await what();
      reread();
    } catch (error) {
      toast(failed, { detail: /** @type {any} */ (error).message, s: "failed" });
    }
    under.current.delete(name);
    setBusy([...under.current]);
  };
  const path = `/v1/runs/${run?.id}`;
  const leave = (/** @type {string} */ to, replace = false) => { if (place.peek().path === "/runs/" + run.id) go(to, { replace }); }; // whoever has gone elsewhere stays there
  const ask = (/** @type {any} */ what, /** @type {() => any} */ then) => async () => { if (await confirm(what)) then(); };
  return {
    busy,
    pause: () => attempt("pause", "The run could not be paused", async () => { await post(path + "/pause"); toast("Paused", { s: "paused" }); }),
    resume: () => attempt("resume", "The run could not be resumed", async () => { await post(path + "/resume"); toast("Resumed", { s: "running" }); }),
    cancel: ask({ title: "Cancel this run?", body: "It ends now with what it has. A call that is under way may still have its effect.", act: "Cancel run", keep: "Keep it going" },
      () => attempt("cancel", "The run could not be cancelled", async () => { await post(path + "/cancel"); toast("Cancelled", { s: "cancelled" }); })),
    retry: () => attempt("retry", "The run could not be started again", async () => {
      const made = await post(path + "/retry", { background: true });
      toast("Started again", { s: "running", path: "/compare?a=" + run.id + "&b=" + made.id, link: "Compare" });
      leave("/runs/" + made.id);
    }),
    remove: ask({ title: "Delete this run?", body: "Its log goes, with all that it says. What it has cost stays in the sums. This can’t be undone.", act: "Delete run", keep: "Keep run" },
      () => attempt("delete", "The run could not be deleted", async () => { await del(path); toast("Deleted", { detail: firstLine(run.prompt), s: "cancelled" }); leave("/runs", true); })),
    save: () => attempt("save", "The events could not be read", async () => {
      const file = URL.createObjectURL(new Blob([json(await readEvents(run.id))], { type: "application/json" }));
      Object.assign(document.createElement("a"), { href: file, download: run.id + ".json" }).click();
      setTimeout(() => URL.revokeObjectURL(file), 10_000);
    }),
    copyLink: async () => { toast(await copy(new URL(server).origin + location.pathname + location.search) ? "Link copied" : "The browser does not let this page copy"); },
  };
}
