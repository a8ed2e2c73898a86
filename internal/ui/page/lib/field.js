// Fields: the label above, the hint or the error below, tied together for everybody.
import { html, useId } from "./html.js";
import { Icon } from "./glyph.js";

/**
 * A label, what it labels, and what is wrong. children is a function of what the
 * control needs: html`<${Field} label="Name">${(given) => html`<input class="in" ...${given} />`}<//>`.
 * @param {{label: any, hint?: any, error?: string, children: (given: {id: string, "aria-describedby"?: string, "aria-invalid"?: "true"}) => any, class?: string}} props
 */
export function Field({ label, hint, error, children, class: kind }) {
  const id = useId(), more = id + "-m";
  const given = { id, "aria-describedby": hint || error ? more : undefined, "aria-invalid": error ? /** @type {const} */ ("true") : undefined };
  return html`<div class=${"field " + (kind || "")}>
    <label for=${id}>${label}</label>
    ${children(given)}
    ${error ? html`<span id=${more} class="err"><${Icon} name="warn" /><span>${error}</span></span>` : hint && html`<span id=${more} class="hint">${hint}</span>`}
  </div>`;
}

/**
 * A field of one line.
 * @param {{label: any, value: string, onInput: (value: string) => void, hint?: any, error?: string, type?: string, code?: boolean, [more: string]: any}} props
 */
export function TextField({ label, value, onInput, hint, error, type = "text", code, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(/** @type {any} */ given) => html`
    <input class=${code ? "in code" : "in"} type=${type} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} ...${more} ...${given} />`}<//>`;
}

/**
 * A field of several lines.
 * @param {{label: any, value: string, onInput: (value: string) => void, hint?: any, error?: string, rows?: number, code?: boolean, [more: string]: any}} props
 */
export function TextArea({ label, value, onInput, hint, error, rows = 4, code, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(/** @type {any} */ given) => html`
    <textarea class=${code ? "in code" : "in"} rows=${rows} value=${value} onInput=${(/** @type {any} */ event) => onInput(event.target.value)} ...${more} ...${given} />`}<//>`;
}

/**
 * One of several.
 * @param {{label: any, value: string, onChange: (value: string) => void, options: (string|{value: string, text: string})[], hint?: any, error?: string, [more: string]: any}} props
 */
export function Select({ label, value, onChange, options, hint, error, ...more }) {
  return html`<${Field} label=${label} hint=${hint} error=${error}>${(/** @type {any} */ given) => html`
    <select class="in" value=${value} onChange=${(/** @type {any} */ event) => onChange(event.target.value)} ...${more} ...${given}>
      ${options.map((one) => (typeof one === "string" ? { value: one, text: one } : one)).map((one) => html`<option value=${one.value} selected=${one.value === value}>${one.text}</option>`)}
    </select>`}<//>`;
}

/**
 * Yes or no; look: as a switch for what holds at once, as a box for what is saved.
 * @param {{label: any, checked: boolean, onChange: (on: boolean) => void, look?: "switch"|"box", disabled?: boolean, title?: string}} props
 */
export function Check({ label, checked, onChange, look = "box", ...more }) {
  return html`<label class="check"><input type="checkbox" role=${look === "switch" ? "switch" : undefined} class=${look === "switch" ? "switch" : undefined}
    checked=${checked} onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} ...${more} /><span>${label}</span></label>`;
}

/**
 * Buttons of which one holds: ranges, views.
 * @param {{label: string, value: string, options: {value: string, text: string}[], onChange: (value: string) => void, small?: boolean}} props
 */
export function Choice({ label, value, options, onChange, small = true }) {
  return html`<span class="btns" role="group" aria-label=${label}>${options.map((one) => html`
    <button class=${small ? "btn small" : "btn"} type="button" aria-pressed=${String(one.value === value)} onClick=${() => onChange(one.value)}>${one.text}</button>`)}</span>`;
}

/**
 * A button that works while what it does is under way, and says so.
 * @param {{busy?: boolean, kind?: string, children?: any, lacks?: string, disabled?: boolean, [more: string]: any}} props  lacks: why it can't be pressed, from lacking(scope)
 */
export function Button({ busy, kind = "", children, lacks = "", disabled, ...more }) {
  return html`<button type="button" class=${"btn " + kind} aria-busy=${busy ? "true" : undefined} disabled=${disabled || busy || !!lacks} title=${lacks || undefined} ...${more}>${children}</button>`;
}
