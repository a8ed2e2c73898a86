// What can be found and done: pages, things by their names and ids, runs by words, and
// the verbs that fit them.
import { get, may, post, put } from "../lib/api.js";
import { go } from "../lib/route.js";
import { toast } from "../lib/announce.js";
import { confirm } from "../lib/dialog.js";
import { dark, toggleTheme } from "../lib/theme.js";
import { signOut } from "../lib/session.js";
import { isOver } from "../lib/glyph.js";
import { entries } from "./entries.js";

/**
 * @typedef {{text: string, note?: string, icon?: string, s?: string, keys?: string, words?: string, acts?: boolean, run: () => void}} Command
 *   note: what kind of thing it is; s: a status, for its glyph; words: more to be found by; acts: it
 *   changes something, without asking
 */

/** @returns {Command[]} */
export function places() {
  return [
    ...entries.map((one) => ({ text: one.text, note: "Page", icon: one.icon, keys: "g " + one.key, run: () => go(one.path) })),
    { text: "New run", note: "Action", icon: "plus", keys: "n", run: () => go("/playground") },
    { text: "New agent", note: "Action", icon: "plus", run: () => go("/agents/new") },
    { text: "Compare runs", note: "Page", icon: "compare", run: () => go("/compare") },
    { text: "Workflows", note: "Page", icon: "workflow", run: () => go("/workflows") },
    { text: "Webhooks", note: "Page", icon: "hook", run: () => go("/webhooks") },
    { text: "Schedules", note: "Page", icon: "clock", run: () => go("/schedules") },
    { text: "Search index", note: "Page", icon: "search", run: () => go("/index") },
    { text: "API keys", note: "Settings", icon: "key", words: "revoke rotate", run: () => go("/settings/keys") },
    { text: "Models", note: "Settings", icon: "bolt", words: "providers prices", run: () => go("/settings/models") },
    { text: "Budgets", note: "Settings", icon: "money", words: "limits spend", run: () => go("/settings/budgets") },
    { text: "Audit log", note: "Settings", icon: "shield", words: "verify", run: () => go("/settings/audit") },
    { text: "System", note: "Settings", icon: "gear", words: "version storage queue doctor", run: () => go("/settings/system") },
    { text: dark.peek() ? "Light theme" : "Dark theme", note: "Action", icon: "sun", run: toggleTheme },
    { text: "Sign out", note: "Action", icon: "out", acts: true, run: signOut },
  ];
}

/** What has a name. @returns {Promise<Command[]>} */
export async function things() {
  const read = (/** @type {string} */ path, /** @type {any} */ query) => get(path, { query }).then((page) => page.data || [], () => []); // a key that may not read them finds none
  const [agents, robots, tools] = await Promise.all([read("/v1/agents", { limit: 100 }), read("/v1/agent/robots", { pagesize: 100 }), read("/v1/tools", { limit: 100 })]);
  return [...agents.flatMap(agentCommands), ...robots.flatMap(robotCommands), ...tools.map(toolCommand)];
}

/** @param {any} one @returns {Command[]} */
function agentCommands(one) {
  const id = encodeURIComponent(one.id);
  return [
    { text: one.name, note: "Agent", icon: "agents", words: one.id, run: () => go("/agents/" + id) },
    { text: "Run " + one.name, note: "Action", icon: "go", words: one.id, run: () => go("/playground?agent=" + id) },
    { text: "Runs of " + one.name, note: "Page", icon: "runs", run: () => go("/runs?agent=" + id) },
  ];
}

/** @param {any} one @returns {Command[]} */
function robotCommands(one) {
  const path = "/v1/agent/robots/" + encodeURIComponent(one.member_id), name = one.display_name, held = one.robot_status === "paused";
  const set = (/** @type {string} */ status, /** @type {string} */ said) => async () => {
    try {
      await put(path, { robot_status: status });
      toast(said, { path: "/robots/" + encodeURIComponent(one.member_id) });
    } catch (error) {
      failed(`${name} could not be changed`, error);
    }
  };
  const verbs = [held
    ? { text: "Resume " + name, note: "Action", icon: "go", acts: true, run: set("idle", name + " works again") }
    : { text: "Pause " + name, note: "Action", icon: "pause", acts: true, run: set("paused", name + " is paused") }];
  return [{ text: name, note: "Robot", icon: "robots", words: one.member_id, run: () => go("/robots/" + encodeURIComponent(one.member_id)) }, ...(may("agents:write") ? verbs : [])];
}

/** @param {any} one @returns {Command} */
const toolCommand = (one) => ({ text: one.name, note: "Tool", icon: "tool", run: () => go("/tools/" + encodeURIComponent(one.name)) });

/** Runs by words, and what can be done with those that go on. @param {string} asked @param {AbortSignal} signal @returns {Promise<Command[]>} */
export async function runs(asked, signal) {
  const page = await get("/v1/runs", { query: { q: asked, limit: 8 }, signal });
  return page.data.flatMap((/** @type {any} */ one) => {
    const open = { text: one.title || one.id, note: "Run", s: one.status, words: one.id + " " + asked, run: () => go("/runs/" + one.id) };
    if (isOver(one.status) || !may("runs:write")) return [open];
    return [open, { text: "Cancel " + (one.title || one.id), note: "Action", icon: "stop", words: one.id + " " + asked, run: () => cancel(one) }];
  });
}

/** @param {any} run */
async function cancel(run) {
  const sure = await confirm({ title: "Cancel this run?", body: `“${run.title}” ends now. A call that is under way may still have its effect.`, act: "Cancel run", keep: "Keep it running" });
  if (!sure) return;
  try {
    await post(`/v1/runs/${run.id}/cancel`);
    toast("Cancelled", { detail: run.title, s: "cancelled", path: "/runs/" + run.id });
  } catch (error) {
    failed("The run could not be cancelled", error);
  }
}

/** @param {string} what @param {any} error */
function failed(what, error) {
  toast(what, { detail: error.message, s: "failed" });
}

/** What an id that was pasted means. @param {string} asked @returns {Command[]} */
export function byID(asked) {
  const id = asked.trim();
  if (/^(run_|exec_|chatcmpl-|agent-)?[0-9a-f]{32}$/i.test(id)) return [{ text: "Open run " + id, note: "Run", icon: "runs", run: () => go("/runs/" + id) }];
  if (/^agt_[0-9a-f]+$/.test(id)) return [{ text: "Open agent " + id, note: "Agent", icon: "agents", run: () => go("/agents/" + id) }];
  return [];
}

/** The commands that fit, the best first. @param {Command[]} all @param {string} asked @returns {Command[]} */
export function matching(all, asked) {
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return all.filter((one) => ["Page", "Action", "Settings"].includes(one.note || "") && !one.text.includes(" of ")).slice(0, 12);
  const fit = (/** @type {Command} */ one) => {
    const text = one.text.toLowerCase(), rest = `${one.note || ""} ${one.words || ""}`.toLowerCase();
    let score = text === asked.trim().toLowerCase() ? 8 : 0;
    for (const word of words) {
      const at = text.indexOf(word);
      if (at < 0 && !rest.includes(word)) return 0;
      score += at === 0 ? 4 : at > 0 ? 2 : 1;
    }
    return score;
  };
  return all.map((one) => ({ one, score: fit(one) })).filter(({ score }) => score).sort((a, b) => b.score - a.score).slice(0, 14).map(({ one }) => one);
}
