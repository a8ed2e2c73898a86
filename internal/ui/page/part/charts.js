// Runs and cost over time. Between two changes the charts move on by themselves, with
// empty buckets: nothing has happened in them, or the server would have said so.
import { html, useComputed, useMemo, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { Chart } from "../lib/chart.js";
import { now } from "../lib/time.js";
import { count, hhmm, moment, money, plural } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";

const minute = 60_000, hour = 60 * minute;

/** @typedef {{value: string, text: string, bucket: "minute"|"hour", step: number, n: number, per: string, span: string}} Range */

/** @type {Range[]} */
export const ranges = [
  { value: "1h", text: "1 h", bucket: "minute", step: minute, n: 60, per: "minute", span: "this hour" },
  { value: "24h", text: "24 h", bucket: "hour", step: hour, n: 24, per: "hour", span: "24 hours" },
  { value: "7d", text: "7 d", bucket: "hour", step: 6 * hour, n: 28, per: "6 hours", span: "7 days" },
];

/** @typedef {{at: number[], fine: number[], failed: number[], cost: number[]}} Rows  at: seconds */

/**
 * The last n steps up to now, summed up from what the server has told.
 * @param {any} stats @param {Range} range @param {number} last ms: the beginning of the newest step
 * @returns {Rows}
 */
function rowsOf(stats, range, last) {
  const rows = { at: [], fine: [], failed: [], cost: [] }, first = last - (range.n - 1) * range.step;
  const out = /** @type {Rows} */ (rows);
  for (let i = 0; i < range.n; i++) {
    out.at.push((first + i * range.step) / 1000);
    out.fine.push(0), out.failed.push(0), out.cost.push(0);
  }
  for (const row of stats?.data || []) {
    const i = Math.floor((Date.parse(row.at) - first) / range.step);
    if (i < 0 || i >= range.n) continue;
    const failed = row.by_status.failed || 0;
    out.failed[i] += failed;
    out.fine[i] += row.runs - failed;
    out.cost[i] += row.usage.cost_usd;
  }
  return out;
}

/** @param {{range: Range, daily: any}} props */
export function Charts({ range, daily }) {
  const last = useComputed(() => Math.floor(now.value / range.step) * range.step).value;
  const stats = useLoad((signal) => {
    const from = new Date(Math.floor(Date.now() / range.step) * range.step - (range.n - 1) * range.step);
    return get("/v1/stats", { query: { bucket: range.bucket, from: from.toISOString() }, signal }).then((data) => ({ range, data }));
  }, [range.value], { on: ["run.changed", "run.deleted", "resync"], every: 2000 });
  const told = stats.data?.range === range ? stats.data.data : null;
  const rows = useMemo(() => rowsOf(told, range, last), [told, range.value, last]);
  const runs = useMemo(() => [{ name: "failed", colour: "--st-failed-solid", values: rows.failed }, { name: "begun", colour: "--viz-rate", values: rows.fine }], [rows]);
  const cost = useMemo(() => [{ name: "cost", colour: "--viz-cost", values: rows.cost }], [rows]);
  const pace = daily ? (daily.max_cost_usd * range.step) / (24 * hour) : null, highest = Math.max(...rows.cost);
  if (stats.error && !stats.data) return html`<${Trouble} error=${stats.error} what="What happened over time could not be read." retry=${stats.reload} />`;
  const when = (/** @type {number} */ at) => (range.value === "7d" ? moment(at * 1000).split(",")[0] : hhmm(at * 1000));
  return html`<div class="charts">
    <${Plot} key=${"r" + range.value} title=${"Runs per " + range.per} kind="bars" rows=${rows} series=${runs} when=${when} whole show=${count}
      value=${(/** @type {number} */ i) => count(rows.fine[i] + rows.failed[i])} note=${html`<i class="sw rate" />begun <i class="sw fail" />failed`}
      label=${facts("Runs", rows.fine.map((one, i) => one + rows.failed[i]), range, count) + `; ${plural(sum(rows.failed), "run")} failed`} />
    <${Plot} key=${"c" + range.value} title=${"Cost per " + range.per} kind="area" rows=${rows} series=${cost} when=${when} show=${short}
      value=${(/** @type {number} */ i) => money(rows.cost[i])} note=${`${money(sum(rows.cost))} in ${range.span}`} alert=${pace && pace < highest * 3 ? pace : null}
      label=${facts("Cost", rows.cost, range, money) + (pace ? `; the daily budget lasts at ${money(pace)} per ${range.per}` : "")} />
  </div>`;
}

/** @param {number[]} values */
const sum = (values) => values.reduce((a, b) => a + b, 0);
/** For an axis: no more digits than it needs. @param {number} usd */
const short = (usd) => (usd === 0 ? "$0" : usd >= 100 ? "$" + Math.round(usd) : usd < 0.01 ? "$" + usd.toFixed(4).replace(/0+$/, "") : "$" + usd.toFixed(2));

/** The chart in words. @param {string} what @param {number[]} values @param {Range} range @param {(value: number) => string} show */
const facts = (what, values, range, show) => `${what} per ${range.per} in ${range.span}: at most ${show(Math.max(...values))}, now ${show(values[values.length - 1])}`;

/** A chart under its name and its value: the latest, or the one that is pointed at. @param {any} props */
function Plot({ title, note, value, rows, series, ...more }) {
  const [at, point] = useState(/** @type {number|null} */ (null));
  const i = at ?? rows.at.length - 1;
  return html`<section><div class="chart-title"><h2>${title}</h2><span class="small dim cut">${note}</span>
      <span class="v num">${at !== null && html`<span class="faint small">${more.when(rows.at[i])} </span>`}${value(i)}</span></div>
    <${Chart} at=${rows.at} series=${series} height=${150} onPoint=${point} ...${more} /></section>`;
}
