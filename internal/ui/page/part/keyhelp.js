// What the keys do, here and now.
import { html, signal } from "../lib/html.js";
import { bindings, Key, setSingles, singles } from "../lib/keys.js";
import { Modal } from "../lib/dialog.js";
import { Check } from "../lib/field.js";

/** Whether it is open. */
export const helping = signal(false);

export function KeysHelp() {
  if (!helping.value) return null;
  /** @type {Map<string, import("../lib/keys.js").Binding[]>} */
  const groups = new Map();
  for (const one of bindings.value) {
    if (!one.does) continue;
    const where = one.where || "This page", list = groups.get(where) || [];
    if (!list.some((other) => other.keys === one.keys && other.does === one.does)) groups.set(where, [...list, one]);
  }
  return html`<${Modal} title="Keys" class="keyhelp" onClose=${() => { helping.value = false; }} footer=${html`<button class="btn" type="button" onClick=${() => { helping.value = false; }}>Close</button>`}>
    <div class="keyhelp-groups">${[...groups].map(([where, list]) => html`<section key=${where}><h3>${where}</h3>
      <dl>${list.map((one) => html`<div key=${one.keys + one.does}><dt>${one.does}</dt><dd><${Key} k=${one.keys} /></dd></div>`)}</dl></section>`)}</div>
    <${Check} look="switch" label="Single keys work" checked=${singles.value} onChange=${setSingles} />
  <//>`;
}
