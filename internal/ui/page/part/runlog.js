// What a run's events say: its conversation, and one line for each. Pure.
import { duration, money, tokens } from "../lib/format.js";

/**
 * @typedef {import("../lib/runstream.js").RunEvent} RunEvent
 * @typedef {{key: string, who: string, text: string, kind: "user"|"model"|"tool"|"note", calls?: any[], code?: boolean, bad?: boolean, at: string, seq: number}} Message
 */

/** The calls of a run by their ids: {tool, arguments, step, seq}. @param {RunEvent[]} events @returns {Map<string, any>} */
export function callsOf(events) {
  const calls = new Map();
  for (const { type, data, seq } of events) {
    if (type === "model.responded") for (const one of data.calls) calls.set(one.action_id, { ...one, step: data.step, seq });
  }
  return calls;
}

/**
 * The conversation, from the first word on.
 * @param {RunEvent[]} events
 * @returns {Message[]}
 */
export function messagesOf(events) {
  const calls = callsOf(events);
  /** @type {Message[]} */
  const messages = [];
  const put = (/** @type {RunEvent} */ event, /** @type {Omit<Message, "key"|"at"|"seq">} */ one, n = 0) => messages.push({ key: event.seq + "." + n, at: event.at, seq: event.seq, ...one });
  for (const event of events) {
    const { type, data } = event;
    if (type === "run.created") put(event, { who: "Prompt", kind: "user", text: data.prompt });
    else if (type === "message.added") put(event, { who: "Message", kind: "user", text: data.content });
    else if (type === "model.responded") put(event, { who: "Model", kind: "model", text: data.text, calls: data.calls });
    else if (type === "tool.finished" || type === "child.finished") put(event, { who: calls.get(data.action_id)?.tool || "Tool", kind: "tool", text: data.output || "", code: true, bad: data.outcome !== "ok" });
    else if (type === "input.received") (data.outputs || []).forEach((/** @type {any} */ one, /** @type {number} */ n) => put(event, { who: calls.get(one.action_id)?.tool || "Answer", kind: "tool", text: String(one.output ?? one.error ?? one.text ?? ""), bad: !!one.error }, n));
    else if (type === "model.failed" && !data.retry) put(event, { who: "Model", kind: "note", text: data.message, bad: true });
    else if (type === "approval.decided" && data.decision === "rejected") put(event, { who: "Person", kind: "note", text: "Rejected " + named(data.action_ids, calls) + (data.reason ? ": " + data.reason : ".") });
  }
  return messages;
}

/** @param {string[]} ids @param {Map<string, any>} calls */
const named = (ids, calls) => (ids || []).map((id) => calls.get(id)?.tool || id).join(", ");

/**
 * One line on an event.
 * @param {RunEvent} event
 * @param {Map<string, any>} calls
 */
export function lineOf({ type, data }, calls) {
  const action = data.action_id ? calls.get(data.action_id)?.tool || data.action_id : "";
  switch (type) {
    case "run.created": return `${data.model} · ${data.dialect}`;
    case "run.driven": return data.epoch > 1 ? `taken up again, time ${data.epoch}` : "taken up";
    case "model.responded": return [`step ${data.step}`, tokens(data.usage.total_tokens, true), money(data.usage.cost_usd)].join(" · ");
    case "model.failed": return `step ${data.step} · ${data.code}${data.retry ? " · tries again" : ""}`;
    case "tool.started": return `${action} · ${data.action_id}${data.attempt > 1 ? " · attempt " + data.attempt : ""}`;
    case "tool.finished": return `${action} · ${data.outcome} · ${duration(data.ms || 0)}`;
    case "child.finished": return `${action} · ${data.outcome}`;
    case "approval.decided": return `${named(data.action_ids, calls)} · ${data.decision}${data.by_name || data.by ? " by " + (data.by_name || data.by) : ""}`;
    case "approval.expired": return `${named(data.action_ids, calls)} · ${data.why}`;
    case "message.added": return data.content;
    case "input.received": return named((data.outputs || []).map((/** @type {any} */ one) => one.action_id), calls);
    case "cancel.requested": return data.reason || (data.by ? "by " + data.by : "");
    case "deadline.passed": return data.which;
    case "budget.refused": return data.message || data.limit;
    case "run.finished": return `${data.status} · ${data.stop_reason}`;
    default: return data.by ? "by " + data.by : "";
  }
}
