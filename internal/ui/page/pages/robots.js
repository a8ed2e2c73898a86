// Robots: how each stands, as it changes; what they did last; and the talk in which one
// gives a task.
import { html, useMemo, useRef } from "../lib/html.js";
import { lacking } from "../lib/api.js";
import { href } from "../lib/root.js";
import { go, setQuery } from "../lib/route.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Glyph, Icon, Status } from "../lib/glyph.js";
import { Clock, Until } from "../lib/time.js";
import { money } from "../lib/format.js";
import { useKeys } from "../lib/keys.js";
import { useAt, useRoving } from "../lib/list.js";
import { useCommands } from "../lib/commands.js";
import { RobotCard } from "../part/robotcard.js";
import { RobotTalk } from "../part/robottalk.js";
import { NewRobot } from "../part/newrobot.js";
import { looks, runOf, stateOf, useRobots } from "../part/robotdata.js";

export const full = true;

/** @typedef {import("../part/robotdata.js").Robot} Robot */
/** @typedef {import("../part/robotdata.js").State} State */

/** @param {{query: URLSearchParams}} props */
export default function Robots({ query }) {
  const { list, work, activity, lost } = useRobots(), field = useRef(/** @type {any} */ (null));
  const words = (query.get("q") || "").toLowerCase(), state = query.get("state") || "", talk = query.get("talk");
  const known = !!work.data || !!work.error; // a state without what waits would be another one a moment later
  const robots = useNeedsFirst(useMemo(() => (known ? list.data || [] : []).map((robot) => {
    const lines = work.data?.lines.get(robot.member_id) || [];
    return { robot, lines, state: stateOf(robot, lines) };
  }), [list.data, work.data, known]));
  const shown = robots.filter((one) => (!state || one.state === state) && `${one.robot.display_name}\n${one.robot.member_id}\n${one.robot.bio || ""}`.toLowerCase().includes(words));
  const partner = list.data?.find((one) => one.member_id === talk), making = query.has("new");
  const assign = (/** @type {Robot} */ robot) => setQuery({ talk: robot.member_id }, { push: true });
  const [at, setAt] = useAt(shown, (one) => one.robot.member_id);
  const roving = useRoving({ count: shown.length, at, onMove: setAt, onOpen: (i) => go("/robots/" + encodeURIComponent(shown[i].robot.member_id)), noun: "robot", when: () => !making });
  useKeys([
    { keys: "/", does: "Filter", where: "Robots", run: () => field.current?.focus() },
    { keys: "t", does: "Assign a task", where: "Robots", run: () => assign(shown[Math.max(0, at)].robot), when: () => shown.length > 0 && !lacking("runs:write") },
    { keys: "Escape", does: "Close the talk", where: "Robots", run: () => setQuery({ talk: null }), when: () => !!talk },
  ]);
  useCommands([
    { text: "New robot", icon: "robots", run: () => go("/robots?new=1") },
    ...(list.data || []).slice(0, 50).map((one) => ({ text: "Assign a task to " + one.display_name, note: one.member_id, icon: "robots", run: () => go("/robots?talk=" + encodeURIComponent(one.member_id)) })),
  ], [list.data?.length]);
  return html`<div class=${talk ? "lay talked" : "lay"}>${talk && html`<h1 class="sr narrow">Robots</h1>`}
    <section class="lot" aria-label="All robots">
      <div class="top"><h1>Robots</h1><${Census} robots=${robots} state=${state} />${lost > 0 && html`<span class="small bad">Not live, retrying <${Until} at=${lost} /></span>`}<span class="push" />
        <div class="with find"><${Icon} name="search" /><input class="in" ref=${field} placeholder="Filter" aria-label="Filter robots" value=${query.get("q") || ""} onInput=${(/** @type {any} */ event) => setQuery({ q: event.target.value })} /></div>
        <${Button} lacks=${lacking("agents:write")} aria-label="New robot" onClick=${() => setQuery({ new: 1 }, { push: true })}><${Icon} name="plus" /><span class="new-word">New robot</span><//></div>
      ${list.error && html`<${Trouble} error=${list.error} what="The robots could not be read." retry=${list.reload} />`}
      ${work.error && html`<${Trouble} error=${work.error} what="What the robots do could not be read." retry=${work.reload} />`}
      ${!(list.data && known) && !list.error && html`<div class="cards" aria-hidden="true">${[0, 1, 2, 3].map((i) => html`<div key=${i} class="card ghost"><${Skeleton} rows=${3} height=${32} show=${list.slow || work.slow} /></div>`)}</div>`}
      ${list.data && known && !robots.length && html`<${Empty} what="No robot yet." how="A robot works on its own: by the clock, by events, or when you give it a task in a talk."><${Button} kind="primary" lacks=${lacking("agents:write")} onClick=${() => setQuery({ new: 1 }, { push: true })}>Make a robot<//><//>`}
      ${robots.length > 0 && !shown.length && html`<${Empty} what="No robot is like that." how="Another word or another state finds more."><button class="btn" type="button" onClick=${() => setQuery({ q: null, state: null })}>Show all robots</button><//>`}
      ${shown.length > 0 && html`<div class="cards">${shown.map(({ robot, lines }, i) => html`<${RobotCard} key=${robot.member_id} robot=${robot} lines=${lines} spent=${work.data ? work.data.spent.get(robot.member_id) || 0 : null}
        chosen=${talk === robot.member_id || (at === i && !talk)} given=${roving.item(i)} onAssign=${() => assign(robot)} onChanged=${() => { list.reload(); work.reload(); }} />`)}</div>`}
      ${robots.length > 0 && html`<${Activities} activity=${activity} lines=${work.data?.lines} />`}
    </section>
    ${partner && html`<${RobotTalk} key=${partner.member_id} member=${partner.member_id} name=${partner.display_name} onClose=${() => setQuery({ talk: null })} />`}
    ${making && html`<${NewRobot} onClose=${() => setQuery({ new: null })} />`}</div>`;
}

// Who needs a person stands first when the page opens. Later each keeps its place: a card
// that moves away under a finger is worse than one that stands further down.
/** @template {{robot: Robot, state: State}} T @param {T[]} robots @returns {T[]} */
function useNeedsFirst(robots) {
  const first = useRef(/** @type {Set<string>|null} */ (null));
  const needs = (/** @type {T} */ one) => (one.state === "waiting" || one.state === "asking" || one.state === "error");
  if (!first.current && robots.length) first.current = new Set(robots.filter(needs).map((one) => one.robot.member_id));
  const rank = (/** @type {T} */ one) => Number(!first.current?.has(one.robot.member_id));
  return [...robots].sort((a, b) => rank(a) - rank(b));
}

/** How many are how; a press shows those alone. @param {{robots: {state: State}[], state: string}} props */
function Census({ robots, state }) {
  const order = /** @type {State[]} */ (["working", "waiting", "asking", "idle", "paused", "error", "off"]);
  return html`<div class="sum" role="group" aria-label="Show robots by state">${order.map((one) => [one, robots.filter((other) => other.state === one).length]).filter(([one, n]) => n || one === state).map(([one, n]) => html`
    <button key=${one} class="plain st" type="button" data-s=${looks[/** @type {State} */ (one)].s} aria-pressed=${String(one === state)} onClick=${() => setQuery({ state: one === state ? null : String(one) })}><${Glyph} s=${looks[/** @type {State} */ (one)].s} /><b>${n}</b> ${looks[/** @type {State} */ (one)].one}</button>`)}</div>`;
}

/** @type {Record<string, string>} */
const did = { "execution.started": "running", "execution.completed": "completed", "execution.failed": "failed", "execution.cancelled": "cancelled" };

/** @param {{activity: import("../lib/load.js").Loaded<import("../part/robotdata.js").Activity[]>, lines: Map<string, any[]>|undefined}} props */
function Activities({ activity, lines }) {
  const cost = (/** @type {any} */ one) => lines?.get(one.robot_id)?.find((line) => line.id === runOf(one.execution_id))?.usage?.cost_usd;
  return html`<section class="act" aria-labelledby="ra"><div class="head"><h2 id="ra">Activity</h2><a class="push small" href=${href("/runs?dialect=yao")}>All activity</a></div>
    ${activity.error && html`<${Trouble} error=${activity.error} what="The activity could not be read." retry=${activity.reload} />`}
    ${activity.data && !activity.data.length && html`<p class="dim none">What robots begin and end stands here.</p>`}
    ${!activity.data && !activity.error && html`<${Skeleton} rows=${4} height=${32} show=${activity.slow} />`}
    ${activity.data && activity.data.length > 0 && html`<ul>${activity.data.slice(0, 12).map((one) => {
      const ended = one.type !== "execution.started", sum = cost(one), later = !ended && activity.data?.some((other) => other.execution_id === one.execution_id && other !== one);
      return html`<li key=${one.type + one.execution_id}><${Status} s=${later ? "queued" : did[one.type] || "running"} word=${ended ? undefined : "Started"} alone /><span class="dim num opt when"><${Clock} at=${one.timestamp} /></span>
        <a class="cut who" href=${href("/robots/" + encodeURIComponent(one.robot_id))}>${one.robot_name || one.robot_id}</a>
        <a class="cut dim" href=${href(`/robots/${encodeURIComponent(one.robot_id)}?exec=${one.execution_id}`)}>${one.message}</a><span class="num opt dim">${ended && sum !== undefined ? money(sum) : ""}</span></li>`;
    })}</ul>`}</section>`;
}
