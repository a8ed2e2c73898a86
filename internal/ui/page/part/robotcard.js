// A robot as a card: how it stands, what it is at, and the one thing one would do next.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get, lacking, post, put } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad } from "../lib/load.js";
import { Button } from "../lib/field.js";
import { Status } from "../lib/glyph.js";
import { RunStrip, Strip } from "../lib/strip.js";
import { At } from "../lib/time.js";
import { money } from "../lib/format.js";
import { toast } from "../lib/announce.js";
import { execPath, progressWord } from "./execdata.js";
import { useFrames } from "./robotstream.js";
import { execOf, foremost, looks, reviewPath, robotPath, stateOf, wordOf } from "./robotdata.js";

/** @typedef {import("./robotdata.js").Robot} Robot */

/** Whether an element has been in view. @returns {[any, boolean]} */
function useSeen() {
  const ref = useRef(/** @type {any} */ (null)), [seen, see] = useState(false);
  useEffect(() => {
    if (seen || !ref.current) return;
    const watcher = new IntersectionObserver((some) => { if (some.some((one) => one.isIntersecting)) see(true); }, { rootMargin: "200px" });
    watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, [seen]);
  return [ref, seen];
}

// How many cards follow their executions at once: a browser opens six connections to a
// server, and the page needs the others. The rest are read again when their status changes.
const room = 2;
let taken = 0;

/** Whether there is room for one more, for as long as it is wanted. @param {boolean} wanted */
function usePlace(wanted) {
  const [has, take] = useState(false);
  useEffect(() => {
    if (!wanted || taken >= room) return;
    taken++;
    take(true);
    return () => { taken--; take(false); };
  }, [wanted]);
  return has;
}

/**
 * @param {{robot: Robot, lines: any[], spent: number|null, chosen: boolean, given: any, onAssign: () => void, onChanged: () => void}} props
 */
export function RobotCard({ robot, lines, spent, chosen, given, onAssign, onChanged }) {
  const [ref, seen] = useSeen(), line = foremost(lines), state = stateOf(robot, lines), id = "r-" + robot.member_id;
  const about = useLoad((signal) => (line && seen ? get(execPath(robot.member_id, execOf(line.id)), { signal }) : Promise.resolve(null)), [seen, line?.id, line?.updated_at]);
  const follows = usePlace(seen && line?.status === "running");
  useFrames(follows && line ? execPath(robot.member_id, execOf(line.id)) + "/stream" : "", () => about.reload());
  const exec = about.data && line && about.data.id === execOf(line.id) ? about.data : null, page = "/robots/" + encodeURIComponent(robot.member_id);
  return html`<article ref=${ref} class=${`card${chosen ? " sel" : ""}${state === "waiting" ? " you" : ""}`} aria-labelledby=${id} data-robot=${robot.member_id}>
    <div class="row"><h2 id=${id}><a href=${href(page)} ...${given}>${robot.display_name}</a></h2><span class="id cut">${robot.member_id}</span><span class="push" /><${Status} s=${looks[state].s} word=${wordOf(robot, state)} /></div>
    <p class=${state === "error" ? "now bad" : "now dim"}>${nowOf(robot, state, line, exec)}</p>
    <div class="line">${line ? html`<${RunStrip} run=${line} wide />` : html`<${Strip} spans=${[]} wide label="No trace yet" />`}</div>
    <div class="row small"><span class="dim cut">${farOf(state, line, exec)}</span><span class="push" /><${Next} robot=${robot} state=${state} line=${line} onAssign=${onAssign} onChanged=${onChanged} /></div>
    <dl class="foot"><div><dt>At work</dt><dd>${robot.running} of ${robot.max_running}</dd></div>
      <div><dt>Last run</dt><dd>${robot.last_run ? html`<${At} at=${robot.last_run} />` : "none yet"}</dd></div>
      <div><dt>Next run</dt><dd>${nextWord(robot)}</dd></div>
      <div><dt>Today</dt><dd class="num">${spent === null ? "–" : money(spent)}</dd></div></dl></article>`;
}

/** When its clock starts it. @param {Robot} robot */
export function nextWord(robot) {
  if (robot.robot_status === "paused" || robot.robot_status === "maintenance") return "held";
  if (!robot.autonomous_mode || !robot.robot_config?.clock) return "on demand";
  if (robot.robot_config.clock.mode === "daemon") return "continuous";
  return robot.next_run ? html`<${At} at=${robot.next_run} />` : "–";
}

/** @param {Robot} robot @param {string} state @param {any} line @param {any} exec */
function nowOf(robot, state, line, exec) {
  if (state === "paused") return robot.robot_status === "maintenance" ? "In maintenance: it starts nothing" : "It starts nothing until it is resumed";
  if (state === "off") return `Its status is ${robot.status}: nothing starts it`;
  if (state === "error") return exec?.error || line?.title || "The last execution failed";
  if (line) return (state === "working" && exec?.current_task_name) || exec?.name || line.title;
  return robot.bio || "Nothing done yet";
}

/** @param {string} state @param {any} line @param {any} exec */
function farOf(state, line, exec) {
  if (!line) return "no task yet";
  const far = progressWord(exec?.current?.progress);
  if (line.status === "failed") return far ? "failed after " + far : "failed";
  if (line.finished_at) return html`${line.status === "cancelled" ? "cancelled" : "finished"} <${At} at=${line.finished_at} />`;
  return far || (line.status === "queued" ? "waits for its turn" : exec?.phase ? "phase: " + exec.phase : "begins");
}

/** @param {{robot: Robot, state: string, line: any, onAssign: () => void, onChanged: () => void}} props */
function Next({ robot, state, line, onAssign, onChanged }) {
  const [busy, setBusy] = useState(false), name = robot.display_name;
  const act = async (/** @type {() => Promise<any>} */ run, /** @type {string} */ done) => {
    setBusy(true);
    try {
      await run();
      toast(done, { detail: name, s: "running" });
    } catch (error) {
      toast("Not done: " + name, { s: "failed", detail: /** @type {Error} */ (error).message });
    }
    setBusy(false);
    onChanged();
  };
  if (state === "waiting" && line) return html`<a class="btn small" href=${href(reviewPath(line.id) || drawerPath(robot, line))} aria-label=${"Review what " + name + " waits with"}>Review</a>`;
  if (state === "asking" && line) return html`<a class="btn small" href=${href(drawerPath(robot, line))} aria-label=${"Answer " + name}>Answer</a>`;
  if (state === "paused") return html`<${Button} kind="small" busy=${busy} lacks=${lacking("agents:write")} aria-label=${"Resume " + name} onClick=${() => act(() => put(robotPath(robot.member_id), { robot_status: "idle" }), "Resumed")}>Resume<//>`;
  if (state === "error" && line) return html`<${Button} kind="small" busy=${busy} lacks=${lacking("runs:write")} aria-label=${"Retry " + name} onClick=${() => act(() => post(execPath(robot.member_id, execOf(line.id)) + "/retry"), "Tried again")}>Retry<//>`;
  return html`<${Button} kind="small" lacks=${lacking("runs:write")} disabled=${state === "off"} aria-label=${"Assign task to " + name} onClick=${onAssign}>Assign task<//>`;
}

/** @param {Robot} robot @param {any} line */
export const drawerPath = (robot, line) => `/robots/${encodeURIComponent(robot.member_id)}?exec=${execOf(line.id)}`;
