// The trace in small: model, tool and wait, in true order and length, beside a run
// wherever it is named.
import { html } from "./html.js";
import { duration } from "./format.js";
import { isOver } from "./glyph.js";

/** @typedef {{kind: "queue"|"soft"|"model"|"tool"|"wait"|"fail", ms: number}} Span */

const said = { queue: "queued", soft: "until the first token", model: "model", tool: "tool", wait: "waits for a person", fail: "failed" };

/**
 * Draws spans one behind the other; rest is a line behind them, for what is not over.
 * @param {{spans: Span[], rest?: boolean, wide?: boolean, label?: string}} props
 */
export function Strip({ spans, rest, wide, label }) {
  const width = wide ? 480 : 112, total = spans.reduce((sum, one) => sum + one.ms, 0);
  const room = (rest ? 0.62 : 1) * width, least = wide ? 2 : 1.4, gap = wide ? 2 : 1;
  // Long waits must not make the work invisible: what is short gets its least width first.
  const extra = Math.max(0, room - spans.length * (least + gap));
  let x = 0;
  const bars = spans.map((one) => {
    const w = least + (total ? (one.ms / total) * extra : extra / Math.max(1, spans.length));
    const bar = html`<rect class=${"v-" + one.kind} x=${x.toFixed(1)} y=${one.kind === "queue" ? 4 : 0} width=${w.toFixed(1)} height=${one.kind === "queue" ? 2 : 10} />`;
    x += w + gap;
    return bar;
  });
  if (rest || !spans.length) bars.push(html`<rect class="v-base" x=${x.toFixed(1)} y="4" width=${Math.max(0, width - x).toFixed(1)} height="2" />`);
  const text = label || (spans.length ? "Trace: " + spans.map((one) => `${said[one.kind]} ${duration(one.ms)}`).slice(0, 12).join(", ") : "No trace yet");
  return html`<svg class=${wide ? "strip wide" : "strip"} viewBox=${`0 0 ${width} 10`} preserveAspectRatio="none" role="img" aria-label=${text}>${bars}</svg>`;
}

const waitsForPerson = ["approval", "outcome", "input"];

/**
 * The spans of a run's line that came with include=strip. What overlaps is cut, so
 * that the lengths stay true.
 * @param {any} run
 * @param {number} [now]
 * @returns {Span[]}
 */
export function spansOf(run, now = Date.now()) {
  /** @type {Span[]} */
  const spans = [];
  const age = (run.finished_at ? Date.parse(run.finished_at) : now) - Date.parse(run.created_at);
  let at = 0;
  for (const one of run.strip?.spans || []) {
    const end = one.at_ms + (one.ms ?? Math.max(0, age - one.at_ms)), start = Math.max(at, one.at_ms);
    if (end <= start && one.at_ms < at) continue; // beside another one all the time
    if (start - at > 20) spans.push({ kind: "queue", ms: start - at }); // shorter gaps are the server's own
    const bad = one.outcome === "error" || one.outcome === "unknown";
    spans.push({ kind: one.kind === "wait" ? (waitsForPerson.includes(one.for) ? "wait" : "queue") : bad ? "fail" : one.kind === "tool" ? "tool" : "model", ms: Math.max(1, end - start) });
    at = Math.max(at, end);
  }
  return spans;
}

/** The strip of a run's line. @param {{run: any, wide?: boolean}} props */
export function RunStrip({ run, wide }) {
  const spans = spansOf(run), last = spans[spans.length - 1];
  return html`<${Strip} spans=${spans} rest=${!isOver(run.status) && last?.kind !== "wait"} wide=${wide} />`;
}
