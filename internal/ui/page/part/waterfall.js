// The waterfall: what a run's time was spent on, in true scale, with long waits folded.
import { html, useMemo } from "../lib/html.js";
import { useRoving, useWindow } from "../lib/list.js";
import { Icon, Status } from "../lib/glyph.js";
import { Seen } from "../lib/hidden.js";
import { duration, money, plural, tokens } from "../lib/format.js";
import { cx } from "../lib/html.js";
import { failed, forPerson, nameOf, noteOf, scaleOf, soFar, spoken, timesOf } from "./spans.js";

/** @typedef {import("./spans.js").Span} Span */
/** @typedef {import("./spans.js").Row} Row */
/** @typedef {import("./spans.js").Scale} Scale */

/**
 * @param {{rows: Row[], spans: Span[], begin: number, now: number, at: number, onMove: (i: number) => void, folded: Set<string>, onFold: (id: string, fold: boolean) => void,
 *   calls: Map<string, number>, cut: boolean, onCut: (cut: boolean) => void, scroller: () => (Element|null)}} props  cut: long waits are folded
 */
export function Waterfall({ rows, spans, begin, now, at, onMove, folded, onFold, calls, cut, onCut, scroller }) {
  const scale = useMemo(() => scaleOf(spans, begin, now, cut), [spans, begin, now, cut]);
  const phone = matchMedia("(max-width: 900px)").matches, many = rows.length > 200;
  const window = useWindow({ count: rows.length, row: phone ? 36 : 28, scroller: matchMedia("(max-width: 1100px)").matches ? undefined : scroller }); // one column: the page scrolls
  const roving = useRoving({ count: rows.length, at, onMove, noun: "step" });
  const from = many ? window.from : 0, to = many ? window.to : rows.length;
  const long = scale.folds.reduce((sum, one) => sum + one.to - one.from - one.kept, 0);
  return html`
    <section class="wf" aria-label="Waterfall">
      <div class="axis"><span>${plural(spans.length, "span")}</span><span class="ax" aria-hidden="true">${scale.ticks.map((one, i) => html`<span key=${i} class=${i % 2 ? "o" : ""} style=${{ left: one.x * 100 + "%" }}>${one.text}</span>`)}<span class="last">${duration(scale.total)}</span></span><span class="tk">Tokens</span><span>Cost</span></div>
      <div class="wf-rows"><div class="grid" aria-hidden="true">${scale.ticks.map((one, i) => html`<i key=${i} style=${{ left: one.x * 100 + "%" }} />`)}</div>
        <div ref=${window.ref} role="list">
          ${many && html`<div style=${{ height: window.before + "px" }} />`}
          ${rows.slice(from, to).map((row, i) => html`<${Line} key=${row.span.id} row=${row} n=${from + i} count=${rows.length} current=${from + i === at} scale=${scale} begin=${begin} now=${now}
            calls=${calls.get(row.span.id) || 0} folded=${folded.has(row.span.id)} onFold=${onFold} onMove=${onMove} given=${roving.item(from + i)} />`)}
          ${many && html`<div style=${{ height: window.after + "px" }} />`}
        </div>
        <div class="breaks" aria-hidden="true">${scale.folds.map((one) => html`<i key=${one.from} style=${{ left: scale.x(one.from + one.kept / 2) * 100 + "%" }} title=${duration(one.to - one.from - one.kept) + " are folded here"} />`)}</div>
      </div>
    </section>
    <div class="row wrap under"><span class="legend" aria-hidden="true"><span><i class="model" />model</span><span><i class="soft" />until the first token</span><span><i class="tool" />tool</span><span><i class="wait" />waits for a person</span></span>
      ${(long > 0 || !cut) && html`<span class="push small faint"><span class="desk">${cut ? `The dashed gap folds ${duration(long)} ` : "In full length "}</span><button class="btn small quiet" type="button" onClick=${() => onCut(!cut)}>${cut ? "Unfold" : "Fold waits"}</button></span>`}</div>`;
}

/**
 * @param {{row: Row, n: number, count: number, current: boolean, scale: Scale, begin: number, now: number, calls: number, folded: boolean,
 *   onFold: (id: string, fold: boolean) => void, onMove: (i: number) => void, given: any}} props
 */
function Line({ row, n, count, current, scale, begin, now, calls, folded, onFold, onMove, given }) {
  const { span, depth, parts } = row, [from, to] = timesOf(span, begin, now), usage = span.usage;
  const press = () => { if (current && parts) onFold(span.id, !folded); else onMove(n); };
  return html`<div role="listitem" aria-setsize=${count} aria-posinset=${n + 1}><button type="button" class=${cx("wr", "d" + depth, span.kind, forPerson(span) && !span.end && "you")} aria-current=${current ? "true" : undefined}
      aria-expanded=${parts ? String(!folded) : undefined} onClick=${press} ...${given}>
    <span class="n">${parts > 0 && html`<span class="twist" onClick=${(/** @type {Event} */ event) => { event.stopPropagation(); onFold(span.id, !folded); }}><${Icon} name=${folded ? "chev" : "down"} /></span>`}<${Mark} span=${span} /><b><${Seen} text=${nameOf(span)} /></b><small class=${failed(span) ? "bad" : ""}>${folded ? plural(parts, "part") : noteOf(span, calls)}</small></span>
    <span class="sr">${spoken(span, to - from)}</span><span class="track" aria-hidden="true"><${Bar} span=${span} from=${from} to=${to} scale=${scale} /></span>
    <span class="c tk" title=${usage ? `${tokens(usage.input_tokens, true)} in, ${usage.cached_tokens ? tokens(usage.cached_tokens, true) : "none"} cached; ${tokens(usage.output_tokens, true)} out` : undefined}>${usage && usage.total_tokens > 0 ? tokens(usage.total_tokens, true) : ""}</span>
    <span class="c">${usage && usage.total_tokens > 0 ? money(usage.cost_usd) : ""}</span></button></div>`;
}

/** @param {{span: Span}} props */
function Mark({ span }) {
  if (span.kind === "step") return null;
  if (failed(span)) return html`<${Status} s="failed" alone word=${span.outcome || "failed"} />`;
  if (span.outcome === "cancelled") return html`<${Status} s="cancelled" alone />`;
  if (span.kind === "wait" && !span.end) return html`<${Status} s=${span.for === "input" ? "awaiting_input" : forPerson(span) ? "awaiting_approval" : span.for === "resume" ? "paused" : "queued"} alone />`;
  if (span.kind !== "wait" && !span.end) return html`<${Status} s="running" alone />`;
  return html`<${Icon} name=${{ model: "bolt", tool: "tool", wait: forPerson(span) ? "user" : "clock", child: "agents" }[span.kind]} />`;
}

/** @param {{span: Span, from: number, to: number, scale: Scale}} props */
function Bar({ span, from, to, scale }) {
  const left = scale.x(from), right = scale.x(to), width = right - left, ms = to - from;
  const soft = span.kind === "model" && span.first_ms && ms ? Math.min(1, span.first_ms / ms) : 0;
  const kind = failed(span) ? "fail" : span.kind === "wait" ? (forPerson(span) ? "wait" : "idle") : span.kind === "child" ? "model" : span.kind;
  // Beside the bar where there is room and no folded gap, or before it.
  const cut = left > 0.14 && scale.folds.some((one) => { const x = scale.x(one.from + one.kept / 2); return x >= right && x < right + 0.1; });
  const label = span.kind === "step" ? "" : span.end ? duration(ms) : soFar(ms);
  return html`<span class=${cx("b", kind, !span.end && span.kind !== "wait" && span.kind !== "step" && "live-b")} style=${{ left: left * 100 + "%", width: width * 100 + "%" }}>${soft > 0 && html`<i style=${{ width: soft * 100 + "%" }} />`}</span>
    ${label && (right < 0.86 && !cut ? html`<span class="bl" style=${{ left: `calc(max(${right * 100}%, ${left * 100}% + 2px) + 6px)` }}>${label}</span>` : left > 0.14 ? html`<span class="bl" style=${{ right: `calc(${(1 - left) * 100}% + 6px)` }}>${label}</span>` : null)}`;
}
