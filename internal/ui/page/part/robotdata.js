// Robots as the pages show them: how each stands, what it is at, what it has cost today.
import { all, get, may } from "../lib/api.js";
import { useMemo, useRef } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { approvals } from "../lib/inbox.js";
import { useFrames } from "./robotstream.js";

/**
 * @typedef {{member_id: string, display_name: string, bio?: string, status: string, robot_status: string, autonomous_mode: boolean, robot_config: any,
 *   running: number, max_running: number, last_run: string|null, next_run: string|null, updated_at: string, updated_by?: string, [more: string]: any}} Robot
 * @typedef {"waiting"|"asking"|"working"|"error"|"paused"|"off"|"idle"} State
 * @typedef {{type: string, robot_id: string, robot_name?: string, execution_id: string, message: string, timestamp: string}} Activity
 */

/** The robots' address. */
export const robotsPath = "/v1/agent/robots";
/** @param {string} member */
export const robotPath = (member) => robotsPath + "/" + encodeURIComponent(member);
/** An execution is a run: exec_1 is run_1. @param {string} exec */
export const runOf = (exec) => exec.replace(/^exec_/, "run_");
/** @param {string} run */
export const execOf = (run) => run.replace(/^run_/, "exec_");

/** A state as the status that it looks like, and its word. @type {Record<State, {s: string, word: string, one: string}>} */
export const looks = {
  working: { s: "running", word: "Working", one: "working" }, waiting: { s: "awaiting_approval", word: "Waiting for you", one: "waiting" },
  asking: { s: "awaiting_input", word: "Asks you", one: "asking" }, idle: { s: "queued", word: "Idle", one: "idle" },
  paused: { s: "paused", word: "Paused", one: "paused" }, error: { s: "failed", word: "Error", one: "error" }, off: { s: "cancelled", word: "Switched off", one: "off" },
};

const open = "queued,running,awaiting_approval,awaiting_input,paused";

/**
 * How a robot stands: what waits for a person comes first, whatever else it does.
 * @param {Robot} robot @param {any[]} lines its runs that are known
 * @returns {State}
 */
export function stateOf(robot, lines) {
  if (lines.some((one) => one.status === "awaiting_approval")) return "waiting";
  if (lines.some((one) => one.status === "awaiting_input")) return "asking";
  if (robot.robot_status === "paused" || robot.robot_status === "maintenance") return "paused";
  if (robot.running > 0) return "working";
  if (robot.status !== "active") return "off";
  return robot.robot_status === "error" ? "error" : "idle";
}

/** The word for it; maintenance is a kind of pause. @param {Robot} robot @param {State} state */
export const wordOf = (robot, state) => (state === "paused" && robot.robot_status === "maintenance" ? "Maintenance" : looks[state].word);

/** The run that a card is about: what waits, what runs, or what was last. @param {any[]} lines */
export function foremost(lines) {
  const order = ["awaiting_approval", "awaiting_input", "running", "paused", "queued"], rank = (/** @type {any} */ one) => (order.indexOf(one.status) + 10) % 10;
  return [...lines].sort((a, b) => rank(a) - rank(b) || Date.parse(b.created_at) - Date.parse(a.created_at))[0];
}

/** All robots, page by page. @param {AbortSignal} signal @returns {Promise<Robot[]>} */
async function readRobots(signal) {
  const found = [];
  for (let page = 1; page <= 20; page++) {
    const said = await get(robotsPath, { query: { page, pagesize: 100 }, signal });
    found.push(...said.data);
    if (found.length >= said.total || !said.data.length) break;
  }
  return found.sort((a, b) => a.display_name.localeCompare(b.display_name));
}

/** The day's cost by robot, its conversations included; null where the key may not see it. @param {AbortSignal} signal */
async function readSpent(signal) {
  const day = new Date().toISOString().slice(0, 10), said = await get("/v1/usage", { query: { from: day, to: day, group_by: "agent" }, signal });
  /** @type {Map<string, number>} */
  const spent = new Map();
  for (const row of said.data) {
    const member = /^(?:robot|host)\/(.+)$/.exec(row.agent || "")?.[1];
    if (member) spent.set(member, (spent.get(member) || 0) + (row.cost_usd || 0));
  }
  return spent;
}

/** @param {AbortSignal} signal */
async function readWork(signal) {
  const query = { dialect: "yao", limit: 100, include: "strip" };
  const [recent, going, spent] = await Promise.all([get("/v1/runs", { query, signal }), get("/v1/runs", { query: { ...query, status: open }, signal }), readSpent(signal)]);
  /** @type {Map<string, any[]>} */
  const lines = new Map();
  const known = new Set();
  for (const line of [...going.data, ...recent.data]) {
    const member = /^robot\/(.+)$/.exec(line.agent || "")?.[1];
    if (!member || known.has(line.id)) continue;
    known.add(line.id);
    lines.set(member, [...(lines.get(member) || []), line]);
  }
  return { lines, spent };
}

/** What changes when an execution does. @param {import("../lib/live.js").Change} change */
export const ofRobots = ({ data }) => data.run?.dialect === "yao" || !data.run?.dialect;

/** All robots, what they are at, and what they did last, as it changes. */
export function useRobots() {
  const list = useLoad(readRobots, [], { on: ["resync"] });
  const work = useLoad((signal) => (may("runs:read") ? readWork(signal) : Promise.resolve({ lines: new Map(), spent: new Map() })), [], { on: ["run.changed", "run.deleted", "resync"], when: ofRobots, every: 700 });
  const activity = useLoad(async (signal) => (may("runs:read") ? /** @type {Activity[]} */ ((await get(robotsPath + "/activities", { query: { limit: 20 }, signal })).data) : []), [], { on: ["resync"] });
  const names = useRef(new Map());
  names.current = useMemo(() => new Map((list.data || []).map((one) => [one.member_id, one.display_name])), [list.data]);
  const lost = useFrames(robotsPath + "/stream", (some) => {
    const stands = some.filter((one) => one.event === "robot_status").map((one) => one.data);
    if (list.data && stands.some((one) => !names.current.has(one.member_id))) list.reload();
    else if (stands.length) list.set((robots) => robots.map((one) => standing(one, stands.findLast((other) => other.member_id === one.member_id))));
    const did = some.filter((one) => one.event === "activity").map((one) => ({ robot_name: names.current.get(one.data.robot_id), ...one.data }));
    if (did.length) activity.set((before) => [...did.reverse(), ...before.filter((one) => !did.some((other) => other.type === one.type && other.execution_id === one.execution_id))].slice(0, 20));
  });
  return { list, work, activity, lost };
}

/** A robot as a frame says that it stands. @param {Robot} robot @param {any} stand @returns {Robot} */
export function standing(robot, stand) {
  if (!stand || stand.member_id !== robot.member_id) return robot;
  return { ...robot, robot_status: stand.status, running: stand.running, max_running: stand.max_running, last_run: stand.last_run || robot.last_run, next_run: stand.next_run || null };
}

/** Where one decides on what an execution waits with, or "" when nothing does. @param {string} run */
export function reviewPath(run) {
  const item = (approvals.value || []).find((one) => one.run === run || one.parent_run === run);
  return item ? `/approvals/${item.run}/${item.id}` : "";
}

/** Agents, tools, servers and models that a robot may be given. @param {AbortSignal} signal */
export async function readChoices(signal) {
  const none = () => Promise.resolve([]);
  const [agents, servers, tools, models] = await Promise.all([
    may("agents:read") ? all("/v1/agents", {}, { signal }) : none(), may("tools:read") ? all("/v1/mcp/servers", {}, { signal }) : none(),
    may("tools:read") ? all("/v1/tools", {}, { signal }) : none(), get("/v1/models", { signal }).then((said) => said.data, () => []),
  ]);
  return { agents, servers, tools, models: models.filter((/** @type {any} */ one) => !one.id.startsWith("agent:")) };
}
