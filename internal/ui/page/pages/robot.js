// One robot: what it is at, what it did, what came of it, and how it is set up.
import { html, useEffect, useState } from "../lib/html.js";
import { Fault, all, get, lacking, may, put } from "../lib/api.js";
import { href } from "../lib/root.js";
import { crumbs, setQuery, style } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { Copy } from "../lib/clip.js";
import { At } from "../lib/time.js";
import { money, plural } from "../lib/format.js";
import { Key, useKeys } from "../lib/keys.js";
import { useCommands } from "../lib/commands.js";
import { toast } from "../lib/announce.js";
import { ExecutionCard } from "../part/execution.js";
import { ExecutionDrawer } from "../part/execdrawer.js";
import { History, Results } from "../part/robothistory.js";
import { RobotTalk } from "../part/robottalk.js";
import { RobotConfig } from "../part/robotconfig.js";
import { nextWord } from "../part/robotcard.js";
import { useFrames } from "../part/robotstream.js";
import { looks, ofRobots, robotPath, standing, stateOf, wordOf } from "../part/robotdata.js";

export const full = true;

// The cards, the talk and the drawer look as they do on the page of all robots.
await style("robots");

const tabs = [["active", "Active"], ["history", "History"], ["results", "Results"], ["configuration", "Configuration"]];

/** @param {string} member @param {AbortSignal} signal */
async function readStand(member, signal) {
  const day = new Date().toISOString().slice(0, 10);
  const [open, lines, usage] = await Promise.all([
    get(robotPath(member) + "/executions", { query: { exclude_status: "completed,failed,cancelled", pagesize: 100 }, signal }),
    all("/v1/runs", { agent: "robot/" + member, status: "queued,running,awaiting_approval,awaiting_input,paused" }, { signal }),
    get("/v1/usage", { query: { from: day, to: day, group_by: "agent" }, signal }),
  ]);
  const spent = usage.data.filter((/** @type {any} */ one) => one.agent === "robot/" + member || one.agent === "host/" + member).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + (one.cost_usd || 0), 0);
  return { open: open.data, lines, spent };
}

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Robot({ params, query }) {
  return html`<${One} key=${params.id} member=${params.id} query=${query} />`;
}

/** @param {{member: string, query: URLSearchParams}} props */
function One({ member, query }) {
  const robot = useLoad((signal) => get(robotPath(member), { signal }), [member], { on: ["resync"] }), one = robot.data;
  const stand = useLoad((signal) => (may("runs:read") ? readStand(member, signal) : Promise.resolve({ open: [], lines: [], spent: null })), [member], { on: ["run.changed", "run.deleted", "resync"], when: ofRobots, every: 500 });
  const tab = Math.max(0, tabs.findIndex(([name]) => name === query.get("tab"))), name = one?.display_name || member, talking = query.has("talk");
  useEffect(() => { crumbs.value = [{ text: "Robots", path: "/robots" }, { text: name }]; }, [name]);
  const [tick, setTick] = useState(0);
  useFrames(robotPath(member) + "/stream", (some) => {
    const last = some.findLast((frame) => frame.event === "robot_status");
    if (last) robot.set((before) => standing(before, last.data));
    if (some.some((frame) => frame.event !== "robot_status")) { stand.reload(); setTick((before) => before + 1); }
  });
  const show = (/** @type {number} */ i) => setQuery({ tab: i ? tabs[(i + tabs.length) % tabs.length][0] : null, q: null, status: null, trigger: null }, { push: true });
  const open = (/** @type {string} */ exec) => setQuery({ exec }, { push: true });
  useKeys([
    { keys: "]", does: "Next tab", where: "Robots", run: () => show((tab + 1) % tabs.length) },
    { keys: "[", does: "Previous tab", where: "Robots", run: () => show((tab + tabs.length - 1) % tabs.length) },
    { keys: "t", does: "Assign a task", where: "Robots", run: () => setQuery({ talk: 1 }, { push: true }), when: () => !!one && !lacking("runs:write") },
    { keys: "Escape", does: "Close the talk", where: "Robots", run: () => setQuery({ talk: null }), when: () => talking && !query.has("exec") },
  ]);
  if (robot.error instanceof Fault && robot.error.status === 404) return html`<div class="p-robots"><div class="lot"><h1>Robot</h1><${Empty} what="There is no such robot." how="It was deleted, or its id is another one. What it did stands under Runs."><a class="btn" href=${href("/robots")}>All robots</a><//></div></div>`;
  return html`<div class="p-robots"><div class=${talking ? "lay talked" : "lay"}>${talking && html`<h1 class="sr narrow">${name}</h1>`}
    <section class="lot" aria-label=${name}>
      ${one ? html`<${Head} robot=${one} stand=${stand.data} onChanged=${robot.reload} />` : html`<h1 class="sr">${member}</h1>`}
      ${robot.error && html`<${Trouble} error=${robot.error} what="The robot could not be read." retry=${robot.reload} />`}
      ${!one && !robot.error && html`<${Skeleton} rows=${6} show=${robot.slow} />`}
      ${one && html`<nav class="tabs" aria-label="Parts of this page">${tabs.map(([path, text], i) => html`<a key=${path} href=${href(`/robots/${encodeURIComponent(member)}${i ? "?tab=" + path : ""}`)} aria-current=${i === tab ? "page" : undefined}>${text}${i === 0 && stand.data?.open.length ? html` <span class="count">${stand.data.open.length}</span>` : ""}</a>`)}</nav>`}
      ${one && tab === 0 && html`<${Active} member=${member} stand=${stand} tick=${tick} onOpen=${open} />`}
      ${one && tab === 1 && html`<${History} member=${member} query=${query} onOpen=${open} />`}
      ${one && tab === 2 && html`<${Results} member=${member} query=${query} onOpen=${open} />`}
      ${one && tab === 3 && html`<${RobotConfig} robot=${one} onSaved=${(/** @type {any} */ saved) => robot.set(() => saved)} />`}
    </section>
    ${talking && one && html`<${RobotTalk} member=${member} name=${name} onClose=${() => setQuery({ talk: null })} />`}
    ${query.get("exec") && html`<${ExecutionDrawer} key=${query.get("exec")} member=${member} id=${query.get("exec")} onClose=${() => setQuery({ exec: null })} onAgain=${(/** @type {string} */ exec) => setQuery({ exec })} />`}
  </div></div>`;
}

/** @param {{robot: import("../part/robotdata.js").Robot, stand: any, onChanged: () => void}} props */
function Head({ robot, stand, onChanged }) {
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), state = stateOf(robot, stand?.lines || []), held = ["paused", "maintenance"].includes(robot.robot_status);
  const hold = async () => {
    setBusy(true);
    setError(null);
    try {
      await put(robotPath(robot.member_id), { robot_status: held ? "idle" : "paused" });
      toast(held ? "Resumed" : "Paused", { detail: robot.display_name, s: held ? "running" : "paused" });
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
    onChanged();
  };
  useCommands([{ text: (held ? "Resume " : "Pause ") + robot.display_name, icon: held ? "play" : "pause", acts: true, run: hold }], [held, robot.member_id]);
  return html`<div class="top robot-top"><h1 class="cut">${robot.display_name}</h1><${Status} s=${looks[state].s} tag word=${wordOf(robot, state)} /><span class="row id-row"><code class="id">${robot.member_id}</code><${Copy} text=${robot.member_id} label="Copy the robot’s id" /></span><span class="push" />
      <${Button} busy=${busy} lacks=${lacking("agents:write")} title=${held ? undefined : "It starts nothing until it is resumed; what is under way goes on"} onClick=${hold}><${Icon} name=${held ? "play" : "pause"} />${held ? "Resume" : "Pause"}<//>
      <${Button} kind="primary" lacks=${lacking("runs:write")} onClick=${() => setQuery({ talk: 1 }, { push: true })}><${Icon} name="plus" />Assign task <${Key} k="t" /><//></div>
    ${error && html`<${Trouble} error=${error} what=${held ? "It was not resumed." : "It was not paused."} />`}
    ${robot.bio && html`<p class="dim bio">${robot.bio}</p>`}
    <dl class="facts"><div><dt>At work</dt><dd>${robot.running} of ${robot.max_running}</dd></div><div><dt>Last run</dt><dd>${robot.last_run ? html`<${At} at=${robot.last_run} />` : "none yet"}</dd></div>
      <div><dt>Next run</dt><dd>${nextWord(robot)}</dd></div><div><dt>Today</dt><dd>${stand && stand.spent !== null ? money(stand.spent) : "–"}</dd></div><div><dt>Model</dt><dd class="cut">${robot.language_model}</dd></div></dl>`;
}

/** @param {{member: string, stand: any, tick: number, onOpen: (id: string) => void}} props */
function Active({ member, stand, tick, onOpen }) {
  const open = stand.data?.open || [];
  if (stand.error) return html`<${Trouble} error=${stand.error} what="What it does could not be read." retry=${stand.reload} />`;
  if (!stand.data) return html`<${Skeleton} rows=${5} show=${stand.slow} />`;
  if (!open.length) return html`<${Empty} what="It does nothing just now." how="Give it a task: its host asks until the goal is clear, and what you confirm runs here."><button class="btn" type="button" onClick=${() => setQuery({ talk: 1 }, { push: true })}>Assign a task</button><//>`;
  return html`<p class="sr" role="status">${plural(open.length, "execution")} under way</p><div class="actives">${open.map((/** @type {any} */ one) => html`<${ExecutionCard} key=${one.id} member=${member} id=${one.id} follow=${open.length === 1} tick=${open.length > 1 ? tick : 0} open=${`/robots/${encodeURIComponent(member)}?exec=${one.id}`} onAgain=${onOpen} />`)}</div>`;
}
