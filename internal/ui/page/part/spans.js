// A run's spans as rows on a time axis: what belongs to what, and where on the axis a
// moment lies when long waits are folded. Pure.
import { duration } from "../lib/format.js";

/**
 * @typedef {{id: string, parent: string|null, kind: "step"|"model"|"tool"|"wait"|"child", name: string|null, step: number|null, attempt: number|null,
 *   for: string|null, begin: string, end: string|null, until: string|null, outcome: string|null, first_ms: number|null, usage: any, code: string|null,
 *   message: string|null, action_id: string|null, effect: string|null, run_id: string|null, by: string|null, asked_seq: number|null, told_seq: number|null}} Span
 *   as GET /v1/runs/{id}/trace has it
 * @typedef {{span: Span, depth: number, parts: number}} Row  parts: how many rows belong to a step
 * @typedef {{from: number, to: number, kept: number}} Fold  ms since the run's begin; kept: how much of it is drawn
 * @typedef {{total: number, shown: number, folds: Fold[], x: (ms: number) => number, ticks: {x: number, text: string}[]}} Scale  x: 0 to 1
 */

/** How long something has taken that goes on: whole seconds, so that nothing flickers. @param {number} ms */
export const soFar = (ms) => (ms < 60_000 ? Math.max(0, Math.floor(ms / 1000)) + " s" : duration(ms));

/** What a wait is for, in words. @type {Record<string, string>} */
const waits = {
  approval: "waits for a person", outcome: "waits for a person’s word", input: "waits for an answer", resume: "paused",
  budget: "waits for the budget", room: "waits for a place", retry: "waits to try again", child: "waits for another run",
};

/** What stands for a wait that has no name of its own. @type {Record<string, string>} */
const waitNames = { resume: "Paused", budget: "Budget", room: "Queue", retry: "Pause before the next try", input: "Input", child: "Other run", approval: "Approval", outcome: "Outcome" };

/** @param {Span} span */
export const forPerson = (span) => span.kind === "wait" && ["approval", "outcome", "input"].includes(span.for || "");

/** @param {Span} span */
export const failed = (span) => ["error", "unknown", "denied", "refused"].includes(span.outcome || "");

/** The name of a row. @param {Span} span */
export function nameOf(span) {
  if (span.kind === "step") return "Step " + span.step;
  return span.name || (span.kind === "wait" ? waitNames[span.for || ""] || "Wait" : span.kind);
}

/** What a row says beside its name. @param {Span} span @param {number} [calls] how many calls a reply asked for */
export function noteOf(span, calls = 0) {
  const again = span.attempt && span.attempt > 1 ? `attempt ${span.attempt}` : "";
  if (span.kind === "model") {
    if (!span.end) return again || "is written";
    if (failed(span)) return [span.code, again].filter(Boolean).join(" · ");
    return [again, calls > 1 ? `asks for ${calls} actions` : span.first_ms ? "first token " + duration(span.first_ms) : ""].filter(Boolean).join(" · ");
  }
  if (span.kind === "tool") return [span.effect, again, span.end ? (span.outcome === "ok" ? "" : span.outcome) : "runs"].filter(Boolean).join(" · ");
  if (span.kind === "wait") return span.end ? (span.outcome && span.outcome !== "ok" ? span.outcome : "") : (forPerson(span) ? "waits for you" : waits[span.for || ""] || "waits");
  if (span.kind === "child") return span.end ? span.outcome || "" : "works";
  return "";
}

/** What a span is, for a screen reader. @param {Span} span @param {number} ms */
export function spoken(span, ms) {
  const what = span.kind === "wait" ? waits[span.for || ""] || "wait" : span.kind === "child" ? "run of another agent" : span.kind;
  return `, ${what}, ${duration(ms)}${span.end ? "" : " so far"}${failed(span) ? ", " + span.outcome : ""}`;
}

/**
 * Rows in order: what belongs to a step stands below it, unless the step is folded.
 * @param {Span[]} spans
 * @param {Set<string>} folded ids of steps
 * @returns {Row[]}
 */
export function rowsOf(spans, folded) {
  /** @type {Map<string, Span[]>} */
  const parts = new Map();
  const steps = new Set(spans.filter((one) => one.kind === "step").map((one) => one.id));
  for (const one of spans) {
    if (one.parent && steps.has(one.parent)) parts.set(one.parent, [...(parts.get(one.parent) || []), one]);
  }
  /** @type {Row[]} */
  const rows = [];
  for (const one of spans) {
    if (one.parent && steps.has(one.parent)) continue;
    const below = parts.get(one.id) || [];
    rows.push({ span: one, depth: 0, parts: below.length });
    if (!folded.has(one.id)) for (const part of below) rows.push({ span: part, depth: 1, parts: 0 });
  }
  return rows;
}

/** @param {Span} span @param {number} begin @param {number} now @returns {[number, number]} ms since the run's begin */
export const timesOf = (span, begin, now) => [Date.parse(span.begin) - begin, Math.max(Date.parse(span.begin), span.end ? Date.parse(span.end) : now) - begin];

/**
 * The stretches in which nothing but waits and at most one other span goes on, where
 * drawing them in full would leave no room for the work.
 * @param {Span[]} spans @param {number} begin @param {number} now @param {number} total
 * @returns {Fold[]}
 */
function foldsOf(spans, begin, now, total) {
  const marks = [], leaves = spans.filter((one) => one.kind !== "step");
  for (const one of leaves) {
    const [from, to] = timesOf(one, begin, now), weight = one.kind === "wait" ? "wait" : "work";
    if (to > from) marks.push({ at: from, by: 1, weight }, { at: to, by: -1, weight });
  }
  marks.push({ at: total, by: 0, weight: "work" });
  marks.sort((a, b) => a.at - b.at);
  /** @type {Fold[]} */
  const dull = [];
  let at = 0, work = 0, wait = 0;
  for (const mark of marks) {
    if (mark.at > at && (work === 0 || (wait > 0 && work <= 1))) {
      const last = dull[dull.length - 1];
      if (last && last.to === at) last.to = mark.at;
      else dull.push({ from: at, to: mark.at, kept: 0 });
    }
    at = Math.max(at, mark.at);
    if (mark.weight === "wait") wait += mark.by;
    else work += mark.by;
  }
  const busy = total - dull.reduce((sum, one) => sum + one.to - one.from, 0);
  const keep = Math.max(busy * 0.35, 1);
  return dull.filter((one) => one.to - one.from > Math.max(2000, busy)).map((one) => ({ ...one, kept: keep }));
}

/**
 * @param {Span[]} spans @param {number} begin @param {number} now  both in ms of Date @param {boolean} fold
 * @returns {Scale}
 */
export function scaleOf(spans, begin, now, fold) {
  let total = 1;
  for (const one of spans) total = Math.max(total, timesOf(one, begin, now)[1]);
  const folds = fold ? foldsOf(spans, begin, now, total) : [];
  const shown = total - folds.reduce((sum, one) => sum + one.to - one.from - one.kept, 0);
  const x = (/** @type {number} */ ms) => {
    let cut = 0;
    for (const one of folds) { // the middle of a fold is left out: its beginning and its end are true
      const head = one.from + one.kept / 2, tail = one.to - one.kept / 2;
      if (ms > tail) cut += tail - head;
      else if (ms > head) cut += ms - head;
    }
    return Math.min(1, Math.max(0, (ms - cut) / shown));
  };
  return { total, shown, folds, x, ticks: ticksOf(total, shown, folds, x) };
}

/** @param {number} total @param {number} shown @param {Fold[]} folds @param {(ms: number) => number} x */
function ticksOf(total, shown, folds, x) {
  const size = niceStep(shown / 5);
  /** @type {{x: number, text: string}[]} */
  const ticks = [];
  const hidden = (/** @type {number} */ ms) => folds.some((one) => ms > one.from + one.kept / 2 && ms < one.to - one.kept / 2);
  for (let at = 0, n = 0; at < total && n < 400; n++) {
    if (!hidden(at) && x(at) < 0.86 && !ticks.some((one) => Math.abs(one.x - x(at)) < 0.09)) ticks.push({ x: x(at), text: at === 0 ? "0 s" : duration(at) });
    const fold = folds.find((one) => at + size > one.from + one.kept / 2 && at + size < one.to - one.kept / 2);
    at = fold ? Math.ceil((fold.to - fold.kept / 2) / size) * size : at + size;
  }
  return ticks;
}

/** 1, 2 or 5 times a power of ten; above a minute in steps that clocks have. @param {number} ms */
function niceStep(ms) {
  for (const one of [60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000]) {
    if (ms > 30_000 && ms <= one) return one;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ms)));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= ms) || ms;
}
