// What can't be seen, made visible: characters that hide, turn or imitate text are
// named in their place, so that nobody approves what they have not seen.
import { html } from "./html.js";
import { Exact } from "./exact.js";

const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const soft = /[\p{Zs}\t\n]/u;
const foreign = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\uff01-\uff5e\u{1d400}-\u{1d7ff}]/u;
const anything = /[^\x21-\x7e ]/; // most text is plain, and needs no look at each character

/** @typedef {{text: string, kind: "plain"|"soft"|"hidden"|"alike"}} Part */

/** "U+200B" @param {string} c */
const code = (c) => "U+" + /** @type {number} */ (c.codePointAt(0)).toString(16).toUpperCase().padStart(4, "0");

/** @type {Record<string, string>} */
const harmless = { "\t": "tab", "\u00a0": "nbsp", "\u202f": "nnbsp", "\u2009": "thin space" };

/**
 * Cuts a text into what is plain and what is not.
 * @param {string} text
 * @returns {{parts: Part[], count: number}} count: of what could deceive
 */
export function look(text) {
  if (!anything.test(text)) return { parts: [{ text, kind: "plain" }], count: 0 };
  /** @type {Part[]} */
  const parts = [];
  let plain = "", count = 0;
  const put = (/** @type {Part} */ part) => {
    if (plain) parts.push({ text: plain, kind: "plain" });
    plain = "";
    parts.push(part);
    if (part.kind !== "soft") count++;
  };
  const alikes = imitations(text);
  let at = 0;
  for (const c of text) {
    if (c === " ") plain += c;
    else if (c === "\n") put({ text: "↵", kind: "soft" }), plain = "\n";
    else if (soft.test(c)) put({ text: harmless[c] || code(c), kind: "soft" });
    else if (hidden.test(c)) put({ text: code(c), kind: "hidden" });
    else if (alikes.has(at)) put({ text: c + " " + code(c), kind: "alike" });
    else plain += c;
    at += c.length;
  }
  if (plain) parts.push({ text: plain, kind: "plain" });
  return { parts, count };
}

// imitations finds the places of letters of other alphabets inside words that are
// otherwise Latin: "pаypal" with a Cyrillic а. Text in another alphabet is none.
/** @param {string} text */
function imitations(text) {
  /** @type {Set<number>} */
  const places = new Set();
  if (!foreign.test(text)) return places;
  for (const word of text.matchAll(/[\p{L}\p{N}]+/gu)) {
    if (!/[A-Za-z]/.test(word[0])) continue;
    let at = word.index;
    for (const c of word[0]) {
      if (foreign.test(c)) places.add(at);
      at += c.length;
    }
  }
  return places;
}

/**
 * How many characters of a value could deceive, in all its texts and names.
 * @param {any} value
 * @returns {number}
 */
export function countHidden(value) {
  if (typeof value === "string") return look(value).count;
  if (value === null || typeof value !== "object" || value instanceof Exact) return 0;
  let sum = 0;
  for (const [name, one] of Object.entries(value)) sum += (Array.isArray(value) ? 0 : look(name).count) + countHidden(one);
  return sum;
}

/**
 * A text with what can't be seen named in its place.
 * @param {{text: string}} props
 */
export function Seen({ text }) {
  return look(text).parts.map((part) => {
    if (part.kind === "plain") return part.text;
    if (part.kind === "soft") return html`<span class="hid soft" title=${part.text === "↵" ? "new line" : "a kind of space"}>${part.text}</span>`;
    return html`<span class="hid" title=${part.kind === "hidden" ? "a character that can’t be seen" : "a letter of another alphabet that looks like this one"}>${part.text}</span>`;
  });
}
