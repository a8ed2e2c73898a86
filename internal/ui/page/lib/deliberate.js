// A key that decides has to be meant. What somebody writes while no field has the focus
// (it was lost, or never came) arrives here as keys, and a letter of a reason must not
// approve anything. So such a key counts only where it stands alone: nothing was being
// written shortly before it, and nothing follows it at once. It says what it does with
// each press, so that nothing happens, and nothing is left undone, in silence.
import { html, useLayoutEffect, useRef, useState } from "./html.js";
import { announce } from "./announce.js";

/** How long a press waits for another key, in ms: whoever writes is quicker. */
export const wait = 500;
/** How long after a letter that is no command somebody is taken to be writing, in ms. */
const writes = 2000;
/** How long after any other command, in ms. */
const follows = 300;

/**
 * @typedef {{held: boolean, why: string}} Press  held: it counts unless another key comes; why: it did not count
 * @typedef {{why?: () => string, tell: (press: Press) => void}} Guard  why: what speaks against it now, "" = nothing
 */

let wroteAt = -Infinity, pressedAt = -Infinity;

/** A letter was pressed that is no command, or belongs to a field. */
export function wrote() { wroteAt = performance.now(); }

/** What was being written is complete: Enter in a line, Tab, Esc. */
export function finished() { wroteAt = -Infinity; }

/** A key was pressed that is a command. */
export function pressed() { pressedAt = performance.now(); }

/** Whether somebody is writing. For buttons, which Space presses, too. @param {number} [within] ms */
export const writing = (within = writes) => performance.now() - wroteAt < within;

/** @type {{key: string, timer: number, guard: Guard}|null} */
let held = null;

/**
 * Weighs a press: does it if it is meant.
 * @param {KeyboardEvent} event @param {Guard} guard @param {() => void} act
 */
export function weigh(event, guard, act) {
  const key = event.key.toUpperCase();
  if (event.repeat || held) return; // a key that is held down, or pressed twice, is one press
  const why = event.shiftKey || writing() || performance.now() - pressedAt < follows
    ? `You were typing, so ${key} did nothing. Press it again, by itself.` : guard.why?.() || "";
  if (event.shiftKey) wrote();
  guard.tell({ held: !why, why });
  if (why) return;
  held = { key: event.key, guard, timer: setTimeout(() => {
    held = null;
    pressed();
    guard.tell({ held: false, why: "" });
    act();
  }, wait) };
}

/**
 * Another key has come, or a press of the pointer, or nobody looks any more: what is
 * held does not count. True if something was held.
 * @param {Event} event
 */
export function halt(event) {
  if (!held || (event instanceof KeyboardEvent && event.key === held.key)) return false;
  clearTimeout(held.timer);
  const { key, guard } = held;
  held = null;
  guard.tell({ held: false, why: event instanceof KeyboardEvent && event.key !== "Escape" ? `Another key came right after ${key.toUpperCase()}, so it did nothing. Press it again, by itself.` : "" });
  return true;
}

addEventListener("blur", halt);
addEventListener("pointerdown", halt, true);

/**
 * What a finger hits that was still on the one before does nothing: says why, in the
 * first 300 ms after what is shown has changed, and "" later.
 * @param {string} which
 * @returns {() => string}
 */
export function useEarly(which) {
  const shownAt = useRef(Infinity);
  useLayoutEffect(() => { shownAt.current = performance.now(); }, [which]);
  return () => (performance.now() - shownAt.current > 300 ? "" : "It had only just appeared, so nothing was done. Read it, then press again.");
}

/** @type {Press} */
const none = { held: false, why: "" };

/**
 * For a button that decides, and its key: how a press of either stands.
 * @param {string} which when it changes, what was said is of no interest any more
 * @param {() => string} why what speaks against deciding now, "" = nothing
 * @returns {{press: Press, guard: Guard, click: (act: () => void) => (event: MouseEvent) => void}} guard: for the key's binding
 */
export function useMeant(which, why) {
  const [press, set] = useState(none);
  useLayoutEffect(() => set(none), [which]);
  const tell = (/** @type {Press} */ said) => {
    set(said);
    if (said.why) announce(said.why);
  };
  return {
    press, guard: { why, tell },
    click: (act) => (event) => {
      // Without a pointer it was Space or Enter, which are in texts, too.
      const against = event.detail === 0 && writing() ? "You were typing, so the button did nothing. Press it again." : why();
      tell({ held: false, why: against });
      if (!against) act();
    },
  };
}

/** What became of a press, beside the button. @param {{press: Press}} props */
export function Pressed({ press }) {
  return html`<span class=${press.why ? "pressed small bad" : "pressed small dim"}>${press.why || "One moment: any other key stops it."}</span>`;
}
