// Headers that a server sends along: names can be seen, values only written.
import { html, useId, useState } from "../lib/html.js";
import { Icon } from "../lib/glyph.js";

/**
 * @param {{stored?: string[], value: Record<string, string>|null, onChange: (value: Record<string, string>|null) => void, error?: string, moved?: boolean}} props
 *   stored: names of those that the server has; value: null = they stay; moved: the address is another one
 */
export function Headers({ stored = [], value, onChange, error, moved }) {
  const [rows, setRows] = useState(/** @type {[string, string][]} */ ([])), id = useId();
  const put = (/** @type {[string, string][]} */ next) => {
    setRows(next);
    onChange(Object.fromEntries(next.filter(([name]) => name.trim()).map(([name, text]) => [name.trim(), text])));
  };
  const change = (/** @type {number} */ i, /** @type {number} */ at, /** @type {string} */ text) => put(rows.map((row, n) => (n === i ? /** @type {[string, string]} */ (at ? [row[0], text] : [text, row[1]]) : row)));
  return html`<fieldset class="headers"><legend class="label">Headers</legend>
    ${value === null && stored.length > 0 ? html`<p class="small">${stored.map((name) => html`<code>${name}</code> `)}<span class="faint">${moved ? "Stored values are not sent to another address: write them anew." : "Values are stored encrypted. They can be replaced, and not read."}</span></p>
      <button class="btn small" type="button" onClick=${() => put(stored.map((name) => [name, ""]))}>Replace headers</button>`
    : html`${rows.map(([name, text], i) => html`<div key=${i} class="pair head-line">
        <label class="sr" for=${id + i}>Header ${i + 1}: name</label><input id=${id + i} class="in" placeholder="Authorization" value=${name} spellcheck="false" autocomplete="off" onInput=${(/** @type {any} */ event) => change(i, 0, event.target.value)} />
        <label class="sr" for=${id + i + "v"}>Header ${i + 1}: value</label><input id=${id + i + "v"} class="in" type="password" placeholder="value" value=${text} autocomplete="new-password" onInput=${(/** @type {any} */ event) => change(i, 1, event.target.value)} />
        <button class="btn icon quiet" type="button" aria-label=${"Leave out header " + (i + 1)} onClick=${() => put(rows.filter((_, n) => n !== i))}><${Icon} name="x" /></button></div>`)}
      <div class="row"><button class="btn small" type="button" onClick=${() => put([...rows, ["", ""]])}><${Icon} name="plus" />Add header</button>
        ${stored.length > 0 && html`<button class="btn small quiet" type="button" onClick=${() => { setRows([]); onChange(null); }}>Keep the stored ones</button>`}</div>
      <p class="small faint">Sent with every request. Values are stored encrypted, and never shown again.</p>`}
    ${error && html`<p class="small bad">${error}</p>`}</fieldset>`;
}
