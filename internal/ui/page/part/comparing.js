// Two runs held against each other: figures, what they were made of, their steps side
// by side. Pure.
import { duration, money, tokens } from "../lib/format.js";
import { isOver, statusWord } from "../lib/glyph.js";

/**
 * @typedef {{run: any, trace: any, prompt: any, agent: any}} Side
 * @typedef {{name: string, a: string, b: string, by?: string, better?: boolean|null}} Figure  by: how b differs from a; better: less is better
 * @typedef {{name: string, a: string, b: string}} Trait
 */

/** @param {any} run */
const took = (run) => (isOver(run.status) && run.finished_at ? Date.parse(run.finished_at) - Date.parse(run.created_at) : null);

/** @param {Side} side */
const inModels = (side) => side.trace.spans.filter((/** @type {any} */ one) => one.kind === "model" && one.end).reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + Date.parse(one.end) - Date.parse(one.begin), 0);

/** @param {Side} side */
const calls = (side) => side.trace.spans.filter((/** @type {any} */ one) => one.kind === "tool" || one.kind === "child").length;

/**
 * Figures that tell two runs apart.
 * @param {Side} a @param {Side} b
 * @returns {Figure[]}
 */
export function figuresOf(a, b) {
  const one = (/** @type {string} */ name, /** @type {number|null} */ x, /** @type {number|null} */ y, /** @type {(n: any) => string} */ show) => ({
    name, a: x === null ? "–" : show(x), b: y === null ? "–" : show(y), ...change(x, y, show),
  });
  return [
    one("Took", took(a.run), took(b.run), duration), one("In models", inModels(a), inModels(b), duration),
    one("Cost", a.run.usage.cost_usd, b.run.usage.cost_usd, money), one("Tokens", a.run.usage.total_tokens, b.run.usage.total_tokens, (n) => tokens(n, true)),
    one("Input", a.run.usage.input_tokens, b.run.usage.input_tokens, (n) => tokens(n, true)), one("of it cached", a.run.usage.cached_tokens, b.run.usage.cached_tokens, (n) => tokens(n, true)),
    one("Output", a.run.usage.output_tokens, b.run.usage.output_tokens, (n) => tokens(n, true)), one("Steps", a.run.steps_used, b.run.steps_used, String), one("Calls of tools", calls(a), calls(b), String),
  ];
}

/** @param {number|null} x @param {number|null} y @param {(n: number) => string} show */
function change(x, y, show) {
  if (x === null || y === null || x === y) return { by: x === y && x !== null ? "the same" : "", better: null };
  const share = x ? Math.round((Math.abs(y - x) / x) * 100) : 0;
  return { by: `${show(Math.abs(y - x))} ${y > x ? "more" : "less"}${share ? `, ${y > x ? "+" : "−"}${share} %` : ""}`, better: y < x };
}

/** @param {any} value */
const text = (value) => (value === null || value === undefined || value === "" ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** What a run was made of, by name. @param {Side} side @returns {Map<string, string>} */
function traits({ run, prompt, agent }) {
  const made = new Map([
    ["Status", statusWord(run.status) + (run.stop_reason && run.stop_reason !== run.status ? ", " + run.stop_reason.replaceAll("_", " ") : "")],
    ["Agent", (run.agent_name || run.agent || "none") + (run.agent_version ? " v" + run.agent_version : "")],
    ["API", run.dialect], ["Model", run.model], ["Prompt", run.prompt],
    ["Instructions", prompt?.messages?.find((/** @type {any} */ one) => one.role === "system")?.text ?? agent?.instructions ?? ""],
    ["Steps at most", String(run.max_steps)],
    ["Tools", (prompt?.tools || []).map((/** @type {any} */ one) => one.name).join("\n")],
    ["Output schema", text(prompt?.output_schema)],
    ["Metadata", Object.keys(run.metadata || {}).length ? text(run.metadata) : ""],
  ]);
  for (const [name, value] of Object.entries(prompt?.params || {})) if (value !== null) made.set(name.replaceAll("_", " "), text(value));
  for (const one of prompt?.tools || []) made.set("Parameters of " + one.name, text(one.parameters));
  return made;
}

/**
 * What the two were made of: first what differs.
 * @param {Side} a @param {Side} b
 * @returns {{different: Trait[], same: Trait[]}}
 */
export function traitsOf(a, b) {
  const left = traits(a), right = traits(b), names = [...new Set([...left.keys(), ...right.keys()])];
  const all = names.map((name) => ({ name, a: left.get(name) || "", b: right.get(name) || "" })).filter((one) => one.a || one.b);
  return { different: all.filter((one) => one.a !== one.b), same: all.filter((one) => one.a === one.b && !one.name.startsWith("Parameters of")) };
}

/**
 * Steps by their numbers, the parts of each in pairs: model calls by their order, tool
 * calls by name, so that a call that only one has stands alone.
 * @param {any} a @param {any} b  traces
 * @returns {{step: number, a: any, b: any, parts: {a: any, b: any}[]}[]}
 */
export function stepsOf(a, b) {
  const numbers = [...new Set([...a.spans, ...b.spans].map((one) => one.step).filter(Boolean))].sort((x, y) => x - y);
  const of = (/** @type {any} */ trace, /** @type {number} */ n) => trace.spans.filter((/** @type {any} */ one) => one.step === n && one.kind !== "step");
  const head = (/** @type {any} */ trace, /** @type {number} */ n) => trace.spans.find((/** @type {any} */ one) => one.kind === "step" && one.step === n) || null;
  return numbers.map((step) => ({ step, a: head(a, step), b: head(b, step), parts: pair(of(a, step), of(b, step)) }));
}

/** @param {any[]} left @param {any[]} right */
function pair(left, right) {
  const rest = [...right], name = (/** @type {any} */ one) => one.kind + "/" + (one.kind === "model" ? "" : one.name || one.for);
  const pairs = left.map((a) => {
    const at = rest.findIndex((b) => name(b) === name(a));
    return { a, b: at < 0 ? null : rest.splice(at, 1)[0] };
  });
  return [...pairs, ...rest.map((b) => ({ a: null, b }))];
}
