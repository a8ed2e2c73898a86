// The arguments of a call, exactly as the tool gets them: each field on a line, what
// can't be seen named in its place, numbers as they were written.
import { html, useEffect, useState } from "../lib/html.js";
import { Exact, json } from "../lib/exact.js";
import { Seen, countHidden } from "../lib/hidden.js";
import { count, plural } from "../lib/format.js";
import { Icon } from "../lib/glyph.js";

/**
 * @typedef {{
 *   value: any, before?: any, fold?: boolean, compact?: boolean, raw?: boolean, onOpened?: (path: string) => void,
 * }} ArgumentsProps  value: read with {exact: true}; before: other arguments, what differs from them is marked;
 *   fold: long values are folded until they are opened; raw: as one JSON text; onOpened: told of each
 */

// From here on a value is folded: more than a screen of it would push the rest away.
const longText = 2000, longList = 20;

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Exact);

/**
 * The fields of arguments; a value that is no object is one field without a name.
 * @param {any} value
 * @returns {[string, any][]}
 */
export const fieldsOf = (value) => (isObject(value) ? Object.entries(value) : [["", value]]);

/** @param {any} value */
function sizeOf(value) {
  if (value instanceof Exact || value === null || typeof value !== "object") return 1;
  return Object.values(value).reduce((sum, one) => sum + sizeOf(one), 0);
}

/**
 * Whether a value is too long to stand open.
 * @param {any} value
 */
export const isLong = (value) => json(value).length > longText || sizeOf(value) > longList;

/**
 * The fields that are folded at first.
 * @param {any} value
 * @returns {string[]}
 */
export const longFields = (value) => fieldsOf(value).filter(([, one]) => isLong(one)).map(([name]) => name);

/** @param {any} value */
function typeOf(value) {
  if (value instanceof Exact) return "number";
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** @param {any} value */
function sum(value) {
  const size = count(json(value).length) + " characters";
  if (Array.isArray(value)) return plural(value.length, "item") + ", " + size;
  return isObject(value) ? plural(Object.keys(value).length, "field") + ", " + size : size;
}

/** @param {ArgumentsProps} props */
export function Arguments({ value, before, fold, compact, raw, onOpened }) {
  const [open, setOpen] = useState(/** @type {Set<string>} */ (new Set()));
  useEffect(() => setOpen(new Set()), [json(value)]); // each reading makes a new object of the same
  if (raw) return html`<pre class="args-raw"><${Json} value=${value} /></pre>`;
  const rows = fieldsOf(value), old = new Map(before === undefined ? [] : fieldsOf(before));
  if (!rows.length) return html`<p class="dim">None: the tool is called without arguments.</p>`;
  const show = (/** @type {string} */ name) => {
    setOpen(new Set([...open, name]));
    onOpened?.(name);
  };
  return html`<table class=${compact ? "args compact" : "args"}><tbody>
    ${rows.map(([name, one]) => html`<tr key=${name}>
      <th scope="row"><${Seen} text=${name || "value"} /></th>
      <td>${fold && !open.has(name) && isLong(one) ? html`<${Folded} value=${one} onOpen=${() => show(name)} />` : html`<${Value} value=${one} old=${before === undefined ? undefined : old.get(name)} changed=${before !== undefined} />`}</td>
      ${!compact && html`<td class="t">${typeOf(one)}</td>`}</tr>`)}
    ${[...old].filter(([name]) => !rows.some(([kept]) => kept === name)).map(([name, one]) => html`<tr key=${"-" + name}>
      <th scope="row"><s>${name}</s></th><td><del class="diff-del"><${Json} value=${one} /></del></td>${!compact && html`<td class="t">left out</td>`}</tr>`)}
  </tbody></table>`;
}

/** @param {{value: any, old: any, changed: boolean}} props */
function Value({ value, old, changed }) {
  if (!changed || (old !== undefined && json(old) === json(value))) return html`<${Json} value=${value} />`;
  return html`${old !== undefined && html`<del class="diff-del"><${Json} value=${old} /></del> `}<ins class="diff-add"><${Json} value=${value} /></ins>`;
}

// JSON over several lines. The ends of these lines are the page's own: those of the
// value stand in it as \n.
/** @param {{value: any}} props */
const Json = ({ value }) => json(value).split("\n").map((line, i) => html`${i > 0 && "\n"}<${Seen} text=${line} />`);

/** @param {{value: any, onOpen: () => void}} props */
function Folded({ value, onOpen }) {
  const hidden = countHidden(value);
  return html`<button class="fold" type="button" aria-expanded="false" onClick=${onOpen}><${Icon} name="chev" />${sum(value)}${hidden > 0 && html`, <b class="bad">${hidden} hidden</b>`}</button>`;
}
