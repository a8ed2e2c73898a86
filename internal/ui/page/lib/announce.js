// What is said: toasts for the eye, one live region for the ear. Streamed text is
// never spoken.
import { html, signal } from "./html.js";
import { Glyph, Icon } from "./glyph.js";

/** @typedef {{id: number, text: string, detail?: string, s?: string, path?: string, link?: string}} Toast  s: a status, for its glyph; path, link: where to, and its word */

const toasts = signal(/** @type {Toast[]} */ ([]));
const spoken = signal("");
let last = 0;

/** Says something to a screen reader. @param {string} text */
export function announce(text) {
  spoken.value = "";
  setTimeout(() => { spoken.value = text; }, 50); // a change that is none is not read
}

/**
 * Shows what the server has done, for six seconds, and says it.
 * @param {string} text @param {Omit<Toast, "id"|"text">} [more]
 */
export function toast(text, more = {}) {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-2), { id, text, s: "completed", ...more }];
  announce(text + (more.detail ? ". " + more.detail : ""));
  setTimeout(() => drop(id), 6000);
}

/** @param {number} id */
function drop(id) {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** Stands once, in the shell. @param {{href: (path: string) => string}} props */
export function Announcer({ href }) {
  return html`
    <div class="sr" role="status" aria-live="polite">${spoken}</div>
    <section class="toasts" aria-label="Messages">${toasts.value.map((one) => html`
      <div class="toast" key=${one.id} data-s=${one.s}>
        <${Glyph} s=${one.s || "completed"} />
        <div class="grow"><b>${one.text}</b>${one.detail && html`<div class="dim small">${one.detail}</div>`}</div>
        ${one.path && html`<a class="small" href=${href(one.path)}>${one.link || "Open"}</a>`}
        <button class="btn icon quiet small" type="button" aria-label="Close this message" onClick=${() => drop(one.id)}><${Icon} name="x" /></button>
      </div>`)}
    </section>`;
}
