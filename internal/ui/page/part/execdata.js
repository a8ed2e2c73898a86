// One execution: what the server has of it, its text while it is written, and what one
// can do to it. Everything here is the run's log, read through the robots' API.
import { Fault, get, may, post } from "../lib/api.js";
import { useEffect, useRef, useSignal, useState } from "../lib/html.js";
import { useLoad } from "../lib/load.js";
import { followRun } from "../lib/runstream.js";
import { spansOf } from "../lib/strip.js";
import { robotPath, runOf } from "./robotdata.js";
import { written } from "./rundata.js";

/** @typedef {{exec: any, trace: any}} Execution  trace: as GET /v1/runs/{id}/trace has it; null while no run is in it */

/** @param {string} member @param {string} exec */
export const execPath = (member, exec) => `${robotPath(member)}/executions/${encodeURIComponent(exec)}`;

/**
 * @param {string} member @param {string} id of the execution
 * @param {boolean} [follow] whether its text is wanted while it is written
 */
export function useExecution(member, id, follow = false) {
  const run = runOf(id), writing = useSignal(/** @type {import("./rundata.js").Writing|null} */ (null));
  const load = useLoad(async (signal) => {
    const exec = await get(execPath(member, id), { signal });
    const trace = exec.status === "confirming" ? null : await get(`/v1/runs/${run}/trace`, { signal }).catch((fault) => { if (fault instanceof Fault && fault.status === 404) return null; throw fault; });
    return /** @type {Execution} */ ({ exec, trace });
  }, [member, id], { on: ["run.changed", "run.deleted", "resync"], when: ({ data }) => (data.run?.id || data.run) === run || parentOf(data) === run, every: 250 });
  const begun = !!load.data?.trace, over = !!load.data?.exec.end_time && settled(load.data.exec), again = useRef(0);
  useEffect(() => {
    if (!follow || !begun || over) return;
    const soon = () => { clearTimeout(again.current); again.current = setTimeout(load.reload, 120); };
    const stop = followRun(run, {
      onEvents: (some) => { if (some.some((one) => one.type === "model.responded" || one.type === "run.finished")) writing.value = null; soon(); },
      onDeltas: (some) => { writing.value = written(writing.peek(), some); },
      onReset: () => { writing.value = null; },
    }, { after: load.data?.trace?.seq || "" });
    return () => { stop(); clearTimeout(again.current); };
  }, [run, follow, begun, over]);
  return { ...load, writing };
}

/** @typedef {ReturnType<typeof useExecution>} ExecutionData */

/** @param {any} data */
const parentOf = (data) => data.run?.parent_run || data.run?.parent || "";

/** Whether all targets know what became of them. @param {any} exec */
const settled = (exec) => !(exec.delivery?.results || []).some((/** @type {any} */ one) => one.status === "pending");

/** An execution's status as a run's. @param {any} exec @param {any} trace */
export function statusOf(exec, trace) {
  if (exec.status === "waiting") return trace?.status?.startsWith("awaiting") ? trace.status : exec.tasks?.some((/** @type {any} */ one) => one.status === "waiting_input") ? "awaiting_input" : "awaiting_approval";
  return /** @type {Record<string, string>} */ ({ pending: "queued", confirming: "awaiting_input" })[exec.status] || exec.status;
}

/** @type {Record<string, string>} */
const words = { confirming: "Being settled", pending: "Queued", running: "Running", paused: "Paused", completed: "Completed", failed: "Failed", cancelled: "Cancelled" };

/** @param {any} exec @param {string} s as statusOf says */
export const wordOf = (exec, s) => words[exec.status] || (s === "awaiting_input" ? "Asks you" : "Waiting for you");

/** A task's status as a run's, and its word. @type {Record<string, [string, string]>} */
export const taskLooks = {
  pending: ["queued", "To do"], running: ["running", "Under way"], completed: ["completed", "Done"], failed: ["failed", "Failed"], skipped: ["cancelled", "Skipped"],
  cancelled: ["cancelled", "Cancelled"], waiting_input: ["awaiting_input", "Asks you"],
};

/** @type {Record<string, string>} */
export const triggers = { human: "person", clock: "clock", event: "event" };

/** The trace in small. @param {any} trace */
export function stripOf(trace) {
  const begin = Date.parse(trace.begin);
  const spans = trace.spans.filter((/** @type {any} */ one) => one.kind !== "step").map((/** @type {any} */ one) => ({
    kind: one.kind, for: one.for, outcome: one.outcome, at_ms: Date.parse(one.begin) - begin, ms: one.end ? Date.parse(one.end) - Date.parse(one.begin) : null,
  })).sort((/** @type {any} */ a, /** @type {any} */ b) => a.at_ms - b.at_ms).slice(0, 60);
  return spansOf({ created_at: trace.begin, finished_at: trace.end, strip: { spans } });
}

/** "2 of 5 tasks" @param {string|undefined} progress as the API has it: "2/5 tasks" */
export const progressWord = (progress) => (progress || "").replace("/", " of ");

/**
 * What one can do to an execution; each says what went wrong in error.
 * @param {string} member @param {string} id @param {() => void} done
 */
export function useActs(member, id, done) {
  const [busy, setBusy] = useState(""), [error, setError] = useState(/** @type {{what: string, fault: any}|null} */ (null));
  /** @template T @param {string} name @param {string} what went wrong, if it does @param {() => Promise<T>} run @returns {Promise<T|null>} */
  const act = async (name, what, run) => {
    setBusy(name);
    setError(null);
    try {
      const said = await run();
      done();
      return said;
    } catch (fault) {
      setError({ what, fault });
      return null;
    } finally {
      setBusy("");
    }
  };
  const path = execPath(member, id);
  return {
    busy, error, lacks: may("runs:write") ? "" : "Your key lacks the scope runs:write. Sign in with one that has it.",
    pause: () => act("pause", "It was not paused.", () => post(path + "/pause")),
    resume: () => act("resume", "It was not resumed.", () => post(path + "/resume")),
    cancel: () => act("cancel", "It was not cancelled.", () => post(path + "/cancel")),
    retry: () => act("retry", "It was not tried again.", () => post(path + "/retry")),
    confirm: () => act("confirm", "The goal was not confirmed.", () => post(path + "/confirm")),
    reply: (/** @type {string} */ task, /** @type {string} */ message) => act("reply", "The answer was not taken.", () => post(`${path}/tasks/${encodeURIComponent(task)}/reply`, { message })),
    guide: (/** @type {string} */ message, /** @type {string} */ action) => act("guide", "It was not told.", () => post(robotPath(member) + "/interact", { message, execution_id: id, ...(action ? { action } : {}) })),
    skip: (/** @type {string} */ task) => act("skip " + task, "It was not told.", () => post(robotPath(member) + "/interact", { message: "Skip this task.", execution_id: id, task_id: task, action: "skip_task" })),
  };
}

/** @typedef {ReturnType<typeof useActs>} Acts */
