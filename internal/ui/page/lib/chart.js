// Charts over time, drawn by uPlot, which is loaded with the first of them. The place
// is kept from the start; name and value stand above, so there is no legend.
import { html, signal, useEffect, useRef, useState } from "./html.js";
import { style } from "./route.js";

/** Counts up when the theme changes: canvases have to be painted anew. */
export const painted = signal(0);

/**
 * A colour of the tokens as it is now: tint("--viz-rate").
 * @param {string} name
 */
export function tint(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** @type {Promise<any>|null} */
let library = null;
const load = () => (library ||= Promise.all([import("../vendor/uplot.js"), style("vendor/uplot.css")]).then(([module]) => module.default));

/**
 * @typedef {{name: string, colour: string, values: (number|null)[]}} Series  colour: a token's name; the first stands at the bottom
 * @typedef {{
 *   kind: "bars"|"area", at: number[], series: Series[], label: string, height?: number, alert?: number|null,
 *   show?: (value: number) => string, whole?: boolean, when?: (seconds: number) => string, onPoint?: (index: number|null) => void,
 * }} ChartProps  at: seconds since 1970; label: the same facts in words; alert: a dashed line; bars are stacked; whole: the axis has no fractions
 */

/** @param {ChartProps} props */
export function Chart(props) {
  const box = useRef(/** @type {HTMLDivElement|null} */ (null)), plot = useRef(/** @type {any} */ (null));
  const latest = useRef(props);
  latest.current = props;
  const [failed, fail] = useState(false), theme = painted.value, height = props.height || 120;

  useEffect(() => {
    let gone = false;
    /** @type {ResizeObserver|null} */
    let eye = null;
    load().then((uPlot) => {
      const place = box.current;
      if (gone || !place) return;
      const width = place.clientWidth;
      plot.current = new uPlot(optionsOf(uPlot, latest, width, height), dataOf(latest.current), place);
      eye = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height }));
      eye.observe(place);
    }).catch(() => { if (!gone) fail(true); });
    return () => {
      gone = true;
      eye?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, props.kind, props.series.length, height]);

  useEffect(() => { plot.current?.setData(dataOf(props)); }, [props.at, props.series, props.alert]);

  return html`<div class="chart" role="img" aria-label=${props.label} style=${{ height: height + "px" }} ref=${box}>
    ${failed && html`<p class="small dim">The chart could not be loaded.</p>`}</div>`;
}

/** Stacked: each line of bars is drawn over the ones below it. @param {ChartProps} props */
function dataOf({ at, series, kind }) {
  if (kind === "area") return [at, ...series.map((one) => one.values)];
  const sums = at.map(() => 0);
  const stacked = series.map((one) => one.values.map((value, i) => (sums[i] += value || 0)));
  return [at, ...stacked.reverse()]; // the highest first, so that the lower ones are painted over it
}

/** @param {any} uPlot @param {{current: ChartProps}} latest @param {number} width @param {number} height */
function optionsOf(uPlot, latest, width, height) {
  const { kind, series, show = String, when } = latest.current;
  const font = "500 11px " + getComputedStyle(document.body).fontFamily;
  const grid = tint("--viz-grid"), axis = tint("--viz-axis"), base = tint("--line-strong"), danger = tint("--danger");
  const lines = (kind === "bars" ? [...series].reverse() : series).map((one) => {
    const colour = tint(one.colour);
    if (kind === "bars") return { fill: colour, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.74, 18], gap: 0 }) };
    return { stroke: colour, fill: colour.replace(/rgb\((.*)\)/, "rgba($1, 0.12)"), width: 1.5, points: { show: false }, spanGaps: true };
  });
  return {
    width, height, padding: [6, 0, 0, 0], legend: { show: false }, pxAlign: 1,
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false }, lock: false },
    scales: { x: { time: true, range: (/** @type {any} */ _, /** @type {number} */ min, /** @type {number} */ max) => edges(latest.current, min, max) }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ max) => [0, top(Math.max(max || 0, latest.current.alert || 0), latest.current.whole)] } },
    axes: [
      { font, stroke: axis, size: 26, gap: 8, grid: { show: false }, ticks: { show: false }, space: 70, values: (/** @type {any} */ u, /** @type {number[]} */ at) => at.map((one) => (when && one < u.scales.x.max - (u.scales.x.max - u.scales.x.min) * 0.05 ? when(one) : "")) },
      { font, stroke: axis, size: 44, gap: 8, grid: { stroke: grid, width: 1 }, ticks: { show: false }, space: 34, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((one) => (latest.current.whole && one % 1 ? "" : show(one))) },
    ],
    series: [{}, ...lines],
    hooks: {
      draw: [(/** @type {any} */ u) => rule(u, 0, base, []), (/** @type {any} */ u) => { if (latest.current.alert) rule(u, latest.current.alert, danger, [4, 4]); }],
      setCursor: [(/** @type {any} */ u) => latest.current.onPoint?.(u.cursor.idx ?? null)],
    },
  };
}

/** The first and the last bar stand whole. @param {ChartProps} props @param {number} min @param {number} max */
function edges({ kind, at }, min, max) {
  const half = kind === "bars" && at.length > 1 ? (at[1] - at[0]) / 2 : 0;
  return [min - half, max + half];
}

/** The y axis ends at a round figure above the highest value. @param {number} max @param {boolean} [whole] */
function top(max, whole) {
  if (!(max > 0)) return whole ? 4 : 1;
  const step = 10 ** Math.floor(Math.log10(max * 1.05));
  const end = [1, 1.5, 2, 3, 4, 6, 8, 10].map((one) => one * step).find((one) => one >= max * 1.05) || max;
  return whole ? Math.max(4, Math.ceil(end)) : end;
}

/** A level line. @param {any} u @param {number} value @param {string} colour @param {number[]} dash */
function rule(u, value, colour, dash) {
  const y = Math.round(u.valToPos(value, "y", true));
  u.ctx.save();
  u.ctx.strokeStyle = colour;
  u.ctx.lineWidth = devicePixelRatio;
  u.ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
  u.ctx.beginPath();
  u.ctx.moveTo(u.bbox.left, y);
  u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
  u.ctx.stroke();
  u.ctx.restore();
}
