// The keyboard. Single keys do nothing while a field has focus, and can be switched
// off; while a dialog is open, only what belongs to it works.
import { html, signal, useEffect, useRef } from "./html.js";

const apple = /Mac|iP(hone|ad|od)/.test(navigator.platform);
const kept = "errand.single-keys";

/** Whether keys without ⌘ or Ctrl do anything. */
export const singles = signal(localStorage.getItem(kept) !== "off");

/** @param {boolean} on */
export function setSingles(on) {
  singles.value = on;
  if (on) localStorage.removeItem(kept);
  else localStorage.setItem(kept, "off");
}

/**
 * @typedef {{keys: string, does: string, run: (event: KeyboardEvent) => void, where?: string, when?: () => boolean, modal?: boolean, typing?: boolean}} Binding
 *   keys: "j", "g h", "mod+k", "ArrowLeft", alternatives by a comma: "j,ArrowDown"; does: for the list of keys, "" = not listed;
 *   modal: works in a dialog; typing: works while a field has focus (those with mod always do)
 */

/** All that hold now, the latest last: it wins. */
export const bindings = signal(/** @type {Binding[]} */ ([]));

let first = ""; // of a sequence: "g"
let forget = 0;

/** @param {KeyboardEvent} event */
function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const mod = apple ? event.metaKey : event.ctrlKey;
  return (mod ? "mod+" : "") + (event.altKey ? "alt+" : "") + (event.shiftKey && event.key.length > 1 ? "shift+" : "") + key;
}

/** @param {EventTarget|null} target */
function isField(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "reset", "file"].includes(target.type);
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  const name = nameOf(event), typed = first ? first + " " + name : name;
  const withMod = name.startsWith("mod+"), field = isField(event.target), modal = !!document.querySelector("dialog:modal");
  // Enter and Space press what has focus.
  const pressed = (name === "Enter" || name === " ") && event.target instanceof Element && event.target.closest("button, a, summary, [role=tab], [role=option]");
  const works = (/** @type {Binding} */ b) => (!modal || b.modal) && (!field || withMod || b.typing || name === "Escape") &&
    (withMod || singles.peek() || name.length > 1) && (!b.when || b.when());
  const all = bindings.peek().filter(works);
  clearTimeout(forget);
  const found = all.findLast((b) => b.keys.split(",").includes(typed)) || all.findLast((b) => b.keys.split(",").includes(name));
  if (found && !(pressed && !withMod)) {
    first = "";
    event.preventDefault();
    found.run(event);
    return;
  }
  first = all.some((b) => b.keys.startsWith(name + " ")) ? name : "";
  if (first) forget = setTimeout(() => { first = ""; }, 1200);
});

/**
 * Binds keys for as long as the component is there.
 * @param {Binding[]} list
 * @param {readonly unknown[]} [inputs] when one changes, the texts are read anew; run and when are always the latest
 */
export function useKeys(list, inputs = []) {
  const latest = useRef(list);
  latest.current = list;
  useEffect(() => {
    const mine = list.map((one, i) => ({
      ...one,
      run: (/** @type {KeyboardEvent} */ event) => latest.current[i]?.run(event),
      when: () => !!latest.current[i] && (!latest.current[i].when || latest.current[i].when()),
    }));
    bindings.value = [...bindings.peek(), ...mine];
    return () => { bindings.value = bindings.peek().filter((one) => !mine.includes(/** @type {any} */ (one))); };
  }, [list.length, ...inputs]);
}

/** @param {string} key */
function spoken(key) {
  const names = { mod: apple ? "⌘" : "Ctrl", shift: "⇧", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Enter: "↵" };
  return key.split("+").map((part) => /** @type {any} */ (names)[part] || (part.length === 1 ? part.toUpperCase() : part)).join(apple ? "" : " ");
}

/**
 * A key as it stands on a button; nothing where single keys are off.
 * @param {{k: string}} props
 */
export function Key({ k }) {
  if (!singles.value && !k.startsWith("mod+")) return null;
  return k.split(",")[0].split(" ").map((one) => html`<kbd aria-hidden="true">${spoken(one)}</kbd>`);
}

/** For aria-keyshortcuts. @param {string} k */
export function shortcut(k) {
  return k.split(",")[0].replace("mod", apple ? "Meta" : "Control");
}
