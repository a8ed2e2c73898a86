// The robots in short: how each stands, what it is at or did last, and its trace.
import { html } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad, Empty, Skeleton } from "../lib/load.js";
import { isOver, Status, statusWord } from "../lib/glyph.js";
import { RunStrip, Strip } from "../lib/strip.js";
import { At } from "../lib/time.js";
import { Trouble } from "../lib/fault.js";
import { foremost, looks, ofRobots, robotsPath, stateOf } from "./robotdata.js";

const room = 6, urgency = ["waiting", "asking", "working", "error", "idle", "paused", "off"];

// The robots with their runs: those that go on, and the last ones of all.
/** @param {AbortSignal} signal */
async function read(signal) {
  const query = { dialect: "yao", limit: 50, include: "strip" };
  const [robots, recent, open] = await Promise.all([
    get(robotsPath, { query: { pagesize: 100 }, signal }), get("/v1/runs", { query, signal }),
    get("/v1/runs", { query: { ...query, status: "queued,running,awaiting_approval,awaiting_input,paused" }, signal }),
  ]);
  const runs = [...open.data, ...recent.data.filter((/** @type {any} */ one) => isOver(one.status))];
  return robots.data.map((/** @type {any} */ robot) => {
    const lines = runs.filter((one) => one.agent === "robot/" + robot.member_id);
    return { robot, line: foremost(lines), state: stateOf(robot, lines) };
  }).sort((/** @type {any} */ a, /** @type {any} */ b) => urgency.indexOf(a.state) - urgency.indexOf(b.state) || a.robot.display_name.localeCompare(b.robot.display_name));
}

export function Robots() {
  const robots = useLoad(read, [], { on: ["run.changed", "run.deleted", "resync"], when: ofRobots, every: 1500 });
  const all = robots.data || [];
  return html`<section aria-labelledby="robs">
    <div class="head"><h2 id="robs">Robots</h2><span class="note cut" title=${census(all)}>${census(all)}</span><a class="push small nowrap" href=${href("/robots")}>All robots</a></div>
    ${robots.error && html`<${Trouble} error=${robots.error} what="The robots could not be read." retry=${robots.reload} />`}
    ${!robots.data && !robots.error && html`<${Skeleton} rows=${4} height=${34} show=${robots.slow} />`}
    ${robots.data && !all.length && html`<${Empty} what="No robot yet" how="A robot works on its own: by the clock, by events, or when you give it a task."><a class="btn" href=${href("/robots?new=1")}>Make a robot</a><//>`}
    ${all.length > 0 && html`<ul class="rb">${all.slice(0, room).map((/** @type {any} */ one) => html`<${Robot} key=${one.robot.member_id} ...${one} />`)}</ul>`}
  </section>`;
}

/** "1 working · 2 idle" @param {any[]} all */
const census = (all) => urgency.map((state) => [state, all.filter((one) => one.state === state).length]).filter(([, n]) => n)
  .map(([state, n]) => `${n} ${looks[/** @type {keyof typeof looks} */ (state)].one}`).join(" · ");

/** @param {{robot: any, line: any, state: keyof typeof looks}} props */
function Robot({ robot, line, state }) {
  const look = looks[state], idle = state === "idle" && robot.next_run && robot.autonomous_mode;
  return html`<li><${Status} s=${look.s} word=${look.word} alone />
    <a class="cut" href=${href("/robots/" + encodeURIComponent(robot.member_id))}>${robot.display_name}</a>
    <span class="cut dim small">${idle ? html`next run <${At} at=${robot.next_run} />` : line ? (isOver(line.status) ? statusWord(line.status) + ": " : "") + line.title : look.word}</span>
    ${line ? html`<${RunStrip} run=${line} />` : html`<${Strip} spans=${[]} label="No task yet" />`}</li>`;
}
