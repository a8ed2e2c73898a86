// Figures as people read them: ages, money, tokens, times. Pure; the words of the
// guide: a space between number and unit, times in the reader's zone.

const minute = 60_000, hour = 60 * minute, day = 24 * hour;
const whole = new Intl.NumberFormat("en");

/** 1284 is "1,284". @param {number} n */
export const count = (n) => whole.format(n);

/** One thing, two things. @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

/**
 * An age: "18 s", "6 min", "3 h", "2 d".
 * @param {number} ms
 */
export function age(ms) {
  if (ms < minute) return Math.max(0, Math.floor(ms / 1000)) + " s";
  if (ms < hour) return Math.floor(ms / minute) + " min";
  if (ms < 2 * day) return Math.floor(ms / hour) + " h";
  return Math.floor(ms / day) + " d";
}

/**
 * How long something took: "0.4 s", "31 s", "4 min 29 s", "2 h 3 min".
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1) return "0 ms";
  if (ms < 100) return Math.round(ms) + " ms";
  if (ms < 9_950) return (ms / 1000).toFixed(1) + " s";
  if (ms < minute - 500) return Math.round(ms / 1000) + " s";
  if (ms < hour) return two(Math.floor(ms / minute), "min", Math.floor((ms % minute) / 1000), "s");
  if (ms < 2 * day) return two(Math.floor(ms / hour), "h", Math.floor((ms % hour) / minute), "min");
  return two(Math.floor(ms / day), "d", Math.floor((ms % day) / hour), "h");
}

/** @param {number} a @param {string} unit @param {number} b @param {string} smaller */
const two = (a, unit, b, smaller) => `${a} ${unit}` + (b ? ` ${b} ${smaller}` : "");

/**
 * Dollars: "$102.36", "$0.118", "$0.0042"; "–" where the price is not known.
 * @param {number|null|undefined} usd
 */
export function money(usd) {
  if (usd === null || usd === undefined) return "–";
  const size = Math.abs(usd);
  if (size === 0) return "$0.00";
  const digits = size < 0.01 ? 4 : size < 1 ? 3 : 2;
  if (size < 0.00005) return "< $0.0001";
  return (usd < 0 ? "−$" : "$") + size.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * Tokens: "812", "40 k", "1.2 M"; exactly: "40.2 k".
 * @param {number} n @param {boolean} [exactly]
 */
export function tokens(n, exactly = false) {
  if (n < 1000) return String(n);
  const [size, unit] = n < 999_500 ? [n / 1000, " k"] : [n / 1e6, " M"];
  return (size < 10 || exactly ? size.toFixed(1).replace(/\.0$/, "") : Math.round(size).toFixed(0)) + unit;
}

/** "812 B", "14 KB", "3.2 MB" @param {number} n */
export function bytes(n) {
  if (n < 1000) return n + " B";
  const unit = Math.min(3, Math.floor(Math.log10(n) / 3)), size = n / 1000 ** unit;
  return (size < 10 ? size.toFixed(1) : Math.round(size)) + " " + ["B", "KB", "MB", "GB"][unit];
}

const clockOf = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortOf = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayOf = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const dateOf = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const longDateOf = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const zoneOf = new Intl.DateTimeFormat("en-GB", { timeZoneName: "longOffset" });

/** @typedef {string|number|Date} Moment  RFC 3339, ms of Date.now(), or a Date */

/** "14:32:07" @param {Moment} at */
export const clock = (at) => clockOf.format(new Date(at));
/** "14:32" @param {Moment} at */
export const hhmm = (at) => shortOf.format(new Date(at));
/** "Saturday 21 November" @param {Moment} at */
export const dayName = (at) => dayOf.format(new Date(at)).replace(",", "");

/**
 * As short as it stays clear: "14:32" today, "20 Nov, 14:32", "3 Mar 2025".
 * @param {Moment} at @param {number} [now]
 */
export function moment(at, now = Date.now()) {
  const then = new Date(at), today = new Date(now);
  if (then.toDateString() === today.toDateString()) return hhmm(then);
  if (then.getFullYear() === today.getFullYear()) return dateOf.format(then) + ", " + hhmm(then);
  return longDateOf.format(then);
}

/**
 * The exact time with its zone, for people who hover: "2026-11-21 14:32:07.418 UTC+1".
 * @param {Moment} at
 */
export function exact(at) {
  const then = new Date(at), pad = (/** @type {number} */ n, size = 2) => String(n).padStart(size, "0");
  const zone = zoneOf.formatToParts(then).find((part) => part.type === "timeZoneName")?.value.replace("GMT", "UTC") || "";
  return `${then.getFullYear()}-${pad(then.getMonth() + 1)}-${pad(then.getDate())} ${clock(then)}.${pad(then.getMilliseconds(), 3)} ${zone}`;
}

/** run_019eb6ce41d200004f1c9a02e6b7d3a8 is "run_019eb6…b7d3a8", where there is no room. @param {string} id */
export function shortID(id) {
  const at = id.indexOf("_") + 1, rest = id.slice(at);
  return rest.length <= 14 ? id : id.slice(0, at) + rest.slice(0, 6) + "…" + rest.slice(-6);
}
