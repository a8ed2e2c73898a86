// The fields of a robot's configuration. Each knows its place in the draft by a path, and
// shows what the server says is wrong there.
import { html, createContext, useContext, useEffect, useRef, useState } from "../lib/html.js";
import { Check, Select, TextArea, TextField, Field } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { at } from "./robotdraft.js";

/** @typedef {{draft: any, set: (path: string, value: any) => void, wrong: (path: string) => string, off: boolean}} Form  off: nothing can be changed by this key */

/** @type {any} */
const context = createContext(null);
export const FormOf = context.Provider;
/** @returns {Form} */
export const useForm = () => useContext(context);

/** @typedef {{path: string, label: any, hint?: any, [more: string]: any}} Given */

/** A line of text. @param {Given} props */
export function Line({ path, label, hint, ...more }) {
  const form = useForm();
  return html`<${TextField} label=${label} hint=${hint} value=${at(form.draft, path) ?? ""} error=${form.wrong(path)} disabled=${form.off} onInput=${(/** @type {string} */ text) => form.set(path, text)} ...${more} />`;
}

/** Several lines of text. @param {Given} props */
export function Area({ path, label, hint, ...more }) {
  const form = useForm();
  return html`<${TextArea} label=${label} hint=${hint} value=${at(form.draft, path) ?? ""} error=${form.wrong(path)} disabled=${form.off} onInput=${(/** @type {string} */ text) => form.set(path, text)} ...${more} />`;
}

/** A list of texts, one a line. @param {Given} props */
export function Lines({ path, label, hint, ...more }) {
  const form = useForm(), list = at(form.draft, path) || [];
  return html`<${TextArea} label=${label} hint=${hint} value=${list.join("\n")} error=${form.wrong(path)} disabled=${form.off} rows=${Math.min(8, Math.max(2, list.length + 1))}
    onInput=${(/** @type {string} */ text) => form.set(path, text ? text.split("\n") : [])} ...${more} />`;
}

/** A number; empty = what holds without it. @param {Given} props */
export function Amount({ path, label, hint, ...more }) {
  const form = useForm(), value = at(form.draft, path);
  return html`<${TextField} label=${label} hint=${hint} type="number" value=${value || ""} error=${form.wrong(path)} disabled=${form.off} onInput=${(/** @type {string} */ text) => form.set(path, text === "" ? 0 : Number(text))} ...${more} />`;
}

/** One of several. @param {Given & {options: any[]}} props */
export function Pick({ path, label, hint, options, ...more }) {
  const form = useForm();
  return html`<${Select} label=${label} hint=${hint} value=${at(form.draft, path) ?? ""} error=${form.wrong(path)} disabled=${form.off} options=${options} onChange=${(/** @type {string} */ value) => form.set(path, value)} ...${more} />`;
}

/** Yes or no. @param {Given & {usual?: boolean}} props  usual: what holds while nothing is said */
export function Yes({ path, label, usual = false }) {
  const form = useForm(), wrong = form.wrong(path);
  return html`<div><${Check} label=${label} checked=${at(form.draft, path) ?? usual} disabled=${form.off} onChange=${(/** @type {boolean} */ on) => form.set(path, on)} />${wrong && html`<p class="small bad">${wrong}</p>`}</div>`;
}

/** Some of several, in the order of the options. @param {Given & {options: {value: string, text: any}[], none?: string}} props  none: said where there is nothing to choose from */
export function Some({ path, label, hint, options, none }) {
  const form = useForm(), list = /** @type {string[]} */ (at(form.draft, path) || []), wrong = form.wrong(path);
  const known = [...options, ...list.filter((one) => !options.some((other) => other.value === one)).map((value) => ({ value, text: html`<code>${value}</code>` }))];
  return html`<fieldset class="some"><legend class="label">${label}</legend>${hint && html`<p class="small faint">${hint}</p>`}
    ${known.length ? html`<div class="checks">${known.map((one) => html`<${Check} key=${one.value} label=${one.text} checked=${list.includes(one.value)} disabled=${form.off}
      onChange=${(/** @type {boolean} */ on) => form.set(path, on ? [...list, one.value] : list.filter((other) => other !== one.value))} />`)}</div>` : none && html`<p class="small dim">${none}</p>`}
    ${wrong && html`<p class="small bad">${wrong}</p>`}</fieldset>`;
}

/**
 * Things of a kind, each with fields of its own.
 * @param {{path: string, noun: string, make: () => any, children: (path: string, i: number) => any}} props
 */
export function Items({ path, noun, make, children }) {
  const form = useForm(), list = at(form.draft, path) || [];
  return html`<div class="items">${list.map((/** @type {any} */ _, /** @type {number} */ i) => html`<div class="item" key=${i}><div class="item-fields">${children(path + "." + i, i)}</div>
      <button class="btn icon quiet" type="button" disabled=${form.off} aria-label=${`Remove ${noun} ${i + 1}`} onClick=${() => form.set(path, list.filter((/** @type {any} */ _one, /** @type {number} */ other) => other !== i))}><${Icon} name="trash" /></button></div>`)}
    <button class="btn small" type="button" disabled=${form.off} onClick=${() => form.set(path, [...list, make()])}><${Icon} name="plus" />${list.length ? "Another " + noun : "Add " + noun}</button></div>`;
}

/** A value as JSON: for what has no shape of its own. @param {Given & {rows?: number}} props */
export function Json({ path, label, hint, rows = 3 }) {
  const form = useForm(), value = at(form.draft, path), broken = typeof value === "string" && value.trim() !== "", pretty = (/** @type {any} */ one) => (one === undefined || one === "" ? "" : JSON.stringify(one, null, 2));
  const [text, setText] = useState(() => pretty(value)), told = useRef(JSON.stringify(value));
  useEffect(() => { // somebody else has changed it: another field, or Discard
    if (JSON.stringify(value) === told.current) return;
    told.current = JSON.stringify(value);
    setText(pretty(value));
  }, [value]);
  const put = (/** @type {string} */ said) => {
    /** @type {any} half a text is kept as it is, and cannot be saved */
    let next = said;
    try {
      const read = said.trim() ? JSON.parse(said) : {};
      if (read && typeof read === "object" && !Array.isArray(read)) next = read;
    } catch { /* not yet */ }
    setText(said);
    told.current = JSON.stringify(next);
    form.set(path, next);
  };
  return html`<${Field} label=${label} hint=${hint} error=${broken ? "Write a JSON object here." : path === "robot_config" ? "" : form.wrong(path)}>${(/** @type {any} */ given) => html`
    <textarea class="in code" rows=${rows} spellcheck="false" disabled=${form.off} value=${text} onInput=${(/** @type {any} */ event) => put(event.target.value)} ...${given} />`}<//>`;
}

/**
 * A part of the page with its fields; a part in which something is wrong says so in its head.
 * @param {{id: string, title: string, note?: any, children?: any}} props
 */
export const Part = ({ id, title, note, children }) => html`<section class="part" id=${id} aria-labelledby=${id + "-h"}><div class="part-head"><h2 id=${id + "-h"}>${title}</h2>${note && html`<p class="small dim">${note}</p>`}</div><div class="part-fields">${children}</div></section>`;
