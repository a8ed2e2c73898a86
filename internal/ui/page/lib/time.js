// Times on the page: each is a <time> with the exact one in datetime, and on hover.
import { html, signal, useComputed } from "./html.js";
import { age, clock, exact, moment } from "./format.js";

/** The time, each second, while anybody can see it. */
export const now = signal(Date.now());

let timer = 0;
function tick() {
  now.value = Date.now();
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(tick, 1000 - (Date.now() % 1000));
}
document.addEventListener("visibilitychange", tick);
tick();

/** @typedef {import("./format.js").Moment} Moment */

/** @param {Moment} at @param {any} text @param {string} [prefix] @param {string} [kind] */
const timeTag = (at, text, prefix = "", kind) =>
  html`<time class=${kind} datetime=${new Date(at).toISOString()} title=${prefix + exact(at)}>${text}</time>`;

/**
 * How long ago: "6 min", and " ago" where there is room for it.
 * @param {{at: Moment, ago?: boolean, class?: string}} props
 */
export function Ago({ at, ago, class: kind }) {
  const text = useComputed(() => age(now.value - new Date(at).getTime()));
  return timeTag(at, ago ? html`${text} <span class="desk">ago</span>` : text, "", kind);
}

/**
 * How long until then: "in 19 min", or "over" when it is past.
 * @param {{at: Moment, word?: string, past?: string}} props
 */
export function Until({ at, word = "in ", past = "now" }) {
  const text = useComputed(() => {
    const left = new Date(at).getTime() - now.value;
    return left <= 0 ? past : word + age(left);
  });
  return timeTag(at, text);
}

/** The time itself, as short as it stays clear. @param {{at: Moment}} props */
export const At = ({ at }) => timeTag(at, moment(at, now.value));

/** With seconds: "14:32:07". @param {{at: Moment}} props */
export const Clock = ({ at }) => timeTag(at, clock(at));
