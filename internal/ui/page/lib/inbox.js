// What waits for a person: read once for the whole page, and again when it changes.
// The rail counts it, Home shows its beginning, Approvals is all of it.
import { all, get, may } from "./api.js";
import { onChanges } from "./live.js";
import { computed, signal } from "./html.js";
import { waiting } from "./route.js";
import { onLeaving } from "./session.js";

/**
 * @typedef {{object: "approval", run: string, agent: string|null, agent_name: string|null, title: string, since: string, id: string, tool: string,
 *   preview: string, arguments: any, original_arguments: any, digest: string, approvals: {given: string[], missing: number},
 *   reason: "gate"|"outcome_unknown"|"changed", expires_at: string|null, may?: {approve: boolean, reject: boolean, edit: boolean, why: string|null}, [more: string]: any}} Approval  numbers in arguments are Exact
 */

/** Actions that wait, those that expire first first. null = not read yet. */
export const approvals = signal(/** @type {Approval[]|null} */ (null));
/** Runs that wait for a message or for tools' outputs, as in the list of runs. */
export const questions = signal(/** @type {any[]} */ ([]));
export const inboxError = signal(/** @type {any} */ (null));
/** When the reading began that this is from, in ms of performance.now(): what was decided later is not in it. */
export const inboxFrom = signal(0);

/** How many wait. */
export const inboxCount = computed(() => (approvals.value?.length || 0) + questions.value.length);

/** @param {Approval} a @param {Approval} b */
const sooner = (a, b) => (a.expires_at ? Date.parse(a.expires_at) : Infinity) - (b.expires_at ? Date.parse(b.expires_at) : Infinity) || Date.parse(a.since) - Date.parse(b.since);

onLeaving(() => {
  approvals.value = null;
  questions.value = [];
  waiting.value = 0;
});

let reading = false, again = false;

/** Reads what waits; while it reads, one more reading is kept for later. */
export async function readInbox() {
  if (!may("runs:read")) return;
  if (reading) return void (again = true);
  reading = true;
  const from = performance.now();
  try {
    const [actions, asking] = await Promise.all([all("/v1/approvals", {}, { exact: true }), get("/v1/runs", { query: { status: "awaiting_input", limit: 100 } })]);
    approvals.value = actions.sort(sooner);
    questions.value = asking.data;
    inboxError.value = null;
    inboxFrom.value = from;
    waiting.value = inboxCount.value;
  } catch (error) {
    inboxError.value = error;
  }
  reading = false;
  if (again) {
    again = false;
    setTimeout(readInbox, 200); // a crowd of changes is read together
  }
}

/** Begins; returns what ends it. */
export function watchInbox() {
  readInbox();
  return onChanges((changes) => {
    const known = new Set(questions.peek().map((one) => one.id));
    if (changes.some(({ event, data }) => event === "approval.changed" || event === "resync" || event === "run.deleted" ||
      (event === "run.changed" && (data.run.status === "awaiting_input" || known.has(data.run.id))))) readInbox();
  });
}
