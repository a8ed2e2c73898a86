// The keyboard. Single keys do nothing while a field has focus or somebody writes, and
// can be switched off; while a dialog is open, only what belongs to it works.
import { html, signal, useLayoutEffect, useRef } from "./html.js";
import { finished, halt, pressed, weigh, writing, wrote } from "./deliberate.js";

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
 * @typedef {{keys: string, does: string, run: (event: KeyboardEvent) => void, where?: string, when?: () => boolean, within?: () => Element|null|undefined, modal?: boolean,
 *   typing?: boolean, decides?: import("./deliberate.js").Guard, meant?: () => (event: KeyboardEvent) => void}} Binding
 *   keys: "j", "g h", "mod+k", "ArrowLeft", alternatives by a comma: "j,ArrowDown"; does: for the list of keys, "" = not listed;
 *   within: works while the focus is in there, and goes before all that work everywhere: of two forms, the one that is written in is sent;
 *   modal: works in a dialog; typing: works while a field has focus (those with mod always do); decides: it
 *   does what can't be undone, and has to be pressed by itself; meant: for this module, what it would do with what is shown now
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

/** Whether one writes in it. @param {EventTarget|null} target */
export function isField(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button", "submit", "reset", "file"].includes(target.type);
}

// What speaks for a binding at this moment.
/** @param {string} name @param {boolean} field */
function holds(name, field) {
  const modal = !!document.querySelector("dialog:modal"), withMod = name.startsWith("mod+");
  return (/** @type {Binding} */ b) => (!modal || b.modal) && (!field || withMod || b.typing || name === "Escape") &&
    (withMod || singles.peek() || name.length > 1) && (!b.within || !!b.within()?.contains(document.activeElement)) && (!b.when || b.when());
}

/** @param {Binding} found @param {KeyboardEvent} event */
function does(found, event) {
  event.preventDefault();
  if (event.repeat && nameOf(event).startsWith("mod+")) return; // held down it is one press: nothing is sent or saved twice
  const { decides, meant } = found;
  if (!decides || !meant) {
    found.run(event);
    pressed();
    return;
  }
  const act = meant(); // what is on the screen at the press, whatever comes in between
  weigh(event, decides, () => { if (bindings.peek().includes(found) && holds(nameOf(event), false)(found)) act(event); });
}

// A capital, and what comes in one go with other text, is no command: a sentence that
// was meant for a field would walk through the program otherwise.
/** @param {KeyboardEvent} event @param {string} name */
const isText = (event, name) => name.length === 1 && ((event.shiftKey && name !== event.key) || writing(600));

let opened = ""; // the key that led into a field: held down, it is no text

addEventListener("keydown", (event) => {
  if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
  const halted = halt(event), name = nameOf(event), typed = first ? first + " " + name : name;
  if (halted && name === "Escape") return;
  const field = isField(event.target), withMod = name.startsWith("mod+");
  if (field && event.repeat && event.code === opened) return event.preventDefault();
  if (["Tab", "Escape"].includes(name) || (name === "Enter" && !(event.target instanceof HTMLTextAreaElement))) finished();
  else if (name.length === 1 && field || event.isComposing) wrote();
  if (event.defaultPrevented || event.isComposing) return;
  // Enter and Space press what has focus.
  const presses = (name === "Enter" || name === " ") && event.target instanceof Element && event.target.closest("button, a, summary, [role=tab], [role=option]");
  const all = bindings.peek().filter(holds(name, field)).sort((a, b) => Number(!!a.within) - Number(!!b.within));
  clearTimeout(forget);
  const found = all.findLast((b) => b.keys.split(",").includes(typed)) || all.findLast((b) => b.keys.split(",").includes(name));
  if (found && !found.decides && !field && isText(event, name)) {
    first = "";
    return wrote();
  }
  if (found && !(presses && !withMod)) {
    first = "";
    opened = event.code;
    does(found, event);
    return;
  }
  first = all.some((b) => b.keys.startsWith(name + " ")) ? name : "";
  if (first) forget = setTimeout(() => { first = ""; }, 1200);
  else if (name.length === 1 && !presses) wrote();
});

/**
 * Binds keys for as long as the component is there.
 * @param {Binding[]} list
 * @param {readonly unknown[]} [inputs] when one changes, the texts are read anew; run and when are always the latest
 */
export function useKeys(list, inputs = []) {
  const latest = useRef(list);
  latest.current = list;
  // Before anything is painted: a key works from the moment at which one sees what it is for.
  useLayoutEffect(() => {
    const mine = list.map((one, i) => ({
      ...one,
      run: (/** @type {KeyboardEvent} */ event) => latest.current[i]?.run(event),
      meant: () => latest.current[i].run,
      decides: one.decides && {
        why: () => latest.current[i]?.decides?.why?.() || "",
        tell: (/** @type {import("./deliberate.js").Press} */ press) => latest.current[i]?.decides?.tell(press),
      },
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
