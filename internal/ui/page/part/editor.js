// Other arguments in place of those that the model asked for: the same fields, with
// what is changed marked, and the server's word on them before anything is approved.
import { html, useId, useState } from "../lib/html.js";
import { Exact, json, parseExact } from "../lib/exact.js";
import { Seen, look } from "../lib/hidden.js";
import { plural } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";
import { fieldsOf } from "./arguments.js";

/**
 * @param {{item: import("./word.js").Approval, word: import("./word.js").Word}} props
 */
export function Editor({ item, word }) {
  const fields = fieldsOf(item.arguments);
  const [texts, setTexts] = useState(() => new Map(fields.map(([name, value]) => [name, textOf(value)])));
  const put = (/** @type {string} */ name, /** @type {string} */ text) => {
    const all = new Map(texts).set(name, text);
    setTexts(all);
    word.setDraft(read(fields, all));
  };
  const { check } = word;
  return html`<div class="editor">
    ${fields.map(([name, value]) => html`<${Line} key=${name} name=${name} value=${value} text=${/** @type {string} */ (texts.get(name))} onInput=${(/** @type {string} */ text) => put(name, text)} />`)}
    <p class="small editor-said" aria-live="polite">${said(word, check)}</p>
    ${check.error && html`<${Trouble} error=${check.error} what="The tool would not take these." />`}
  </div>`;
}

/** @param {import("./word.js").Word} word @param {import("./word.js").Word["check"]} check */
function said(word, check) {
  if (word.draft === null) return html`<span class="bad">One of the fields is no JSON yet.</span>`;
  if (!word.changed) return html`<span class="faint">Nothing is changed.</span>`;
  if (check.asking) return html`<span class="faint">Asking the server…</span>`;
  return check.digest && html`<span class="dim">Digest of these arguments: <code>${check.digest.replace(/^\w+:/, "").slice(0, 16)}…</code></span>`;
}

/** @param {{name: string, value: any, text: string, onInput: (text: string) => void}} props */
function Line({ name, value, text, onInput }) {
  const id = useId(), changed = text !== textOf(value), broken = typeof value !== "string" && parse(text) === undefined;
  const seen = look(text), rows = Math.min(8, Math.max(1, text.split("\n").length));
  return html`<div class=${changed ? "editor-line changed" : "editor-line"}>
    <label for=${id}><${Seen} text=${name || "value"} /></label>
    <div>
      <textarea id=${id} class="in code" rows=${rows} spellcheck="false" value=${text} aria-invalid=${broken ? "true" : undefined}
        onInput=${(/** @type {any} */ event) => onInput(event.target.value)} />
      ${broken && html`<span class="small bad">Write JSON here: ${kindOf(value)}.</span>`}
      ${seen.count > 0 && html`<p class="small bad">${plural(seen.count, "hidden character")}: <${Seen} text=${text} /></p>`}
      ${changed && html`<p class="small faint was">was <del><${Seen} text=${textOf(value)} /></del> <button class="plain in-text" type="button" onClick=${() => onInput(textOf(value))}>Take back</button></p>`}
    </div>
  </div>`;
}

/** Texts are edited as they are, everything else as JSON. @param {any} value */
const textOf = (value) => (typeof value === "string" ? value : json(value));

/** @param {any} value */
const kindOf = (value) => (value instanceof Exact ? "a number" : typeof value === "boolean" ? "true or false" : Array.isArray(value) ? "a list" : value === null ? "null" : "an object");

/** @param {string} text */
function parse(text) {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

/**
 * The arguments that the fields say, or null while one of them is no JSON.
 * @param {[string, any][]} fields @param {Map<string, string>} texts
 */
function read(fields, texts) {
  /** @type {Record<string, any>} */
  const args = {};
  for (const [name, value] of fields) {
    const text = /** @type {string} */ (texts.get(name)), one = typeof value === "string" ? text : parse(text);
    if (one === undefined) return null;
    args[name] = one;
  }
  return args;
}
