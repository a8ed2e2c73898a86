// The robots in short: how each is, and what it did last.
import { html } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad, Empty, Skeleton } from "../lib/load.js";
import { robotStatus, Status } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { Trouble } from "../lib/fault.js";

const room = 6;

/** @type {Record<string, string>} */
const words = { running: "works", queued: "idle", paused: "paused", failed: "error", awaiting_approval: "waits" };

export function Robots() {
  const robots = useLoad(async (signal) => {
    const [list, activity] = await Promise.all([get("/v1/agent/robots", { query: { pagesize: 100 }, signal }), get("/v1/agent/robots/activities", { query: { limit: 50 }, signal })]);
    return list.data.map((/** @type {any} */ one) => ({ ...one, last: activity.data.find((/** @type {any} */ other) => other.robot_id === one.member_id) }));
  }, [], { on: ["run.changed", "resync"], when: ({ data }) => data.run?.dialect === "yao", every: 2000 });
  const all = robots.data || [];
  return html`<section aria-labelledby="robs">
    <div class="head"><h2 id="robs">Robots</h2><span class="note cut">${census(all)}</span><a class="push small nowrap" href=${href("/robots")}>All robots</a></div>
    ${robots.error && html`<${Trouble} error=${robots.error} what="The robots could not be read." retry=${robots.reload} />`}
    ${!robots.data && !robots.error && html`<${Skeleton} rows=${4} height=${34} show=${robots.slow} />`}
    ${robots.data && !all.length && html`<${Empty} what="No robot yet" how="A robot works on its own: by the clock, by events, or when you give it a task."><a class="btn" href=${href("/robots")}>Make a robot</a><//>`}
    ${all.length > 0 && html`<ul class="rb">${[...all].sort(atWorkFirst).slice(0, room).map((one) => html`<${Robot} key=${one.member_id} robot=${one} />`)}</ul>`}
  </section>`;
}

/** @param {any} robot */
const stateOf = (robot) => robotStatus[robot.running > 0 && robot.robot_status === "idle" ? "working" : robot.robot_status] || "queued";

/** @param {any} a @param {any} b */
function atWorkFirst(a, b) {
  const order = ["running", "awaiting_approval", "failed", "queued", "paused"];
  return order.indexOf(stateOf(a)) - order.indexOf(stateOf(b)) || a.display_name.localeCompare(b.display_name);
}

/** "1 works · 2 idle" @param {any[]} all */
function census(all) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const one of all) counts.set(stateOf(one), (counts.get(stateOf(one)) || 0) + 1);
  return [...counts].map(([s, n]) => `${n} ${words[s]}`).join(" · ");
}

/** @param {{robot: any}} props */
function Robot({ robot }) {
  const s = stateOf(robot);
  return html`<li><${Status} s=${s} word=${s === "running" ? "Working" : s === "queued" ? "Idle" : undefined} alone />
    <a class="cut" href=${href("/robots/" + encodeURIComponent(robot.member_id))}>${robot.display_name}</a>
    <span class="cut dim small">${s === "running" ? `${robot.running} of ${robot.max_running} at work` : robot.last ? robot.last.message : "nothing yet"}</span>
    <span class="num dim small">${robot.next_run && robot.autonomous_mode ? html`<${At} at=${robot.next_run} />` : ""}</span></li>`;
}
