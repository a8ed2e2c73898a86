// Icons and status glyphs, from the one sprite in index.html.
import { html } from "./html.js";

/**
 * An icon of 16 px; it means nothing to a screen reader, so what it stands on needs a name.
 * @param {{name: string, class?: string}} props
 */
export const Icon = ({ name, class: kind }) => html`<svg class=${"i " + (kind || "")} aria-hidden="true"><use href=${"#i-" + name} /></svg>`;

/** The status's glyph alone, in the colour of the data-s that it stands in. @param {{s: string}} props */
export const Glyph = ({ s }) => html`<svg class="g" viewBox="0 0 12 12" aria-hidden="true"><use href=${"#s-" + s} /></svg>`;

/** @type {Record<string, string>} */
const words = {
  queued: "Queued", running: "Running", awaiting_approval: "Awaiting approval", awaiting_input: "Awaiting input",
  paused: "Paused", completed: "Completed", failed: "Failed", cancelled: "Cancelled",
};

/** The word for a status. @param {string} s */
export const statusWord = (s) => words[s] || s;

/** All statuses, in the order of a filter. */
export const statuses = Object.keys(words);

/** Whether a run with this status has ended. @param {string} s */
export const isOver = (s) => s === "completed" || s === "failed" || s === "cancelled";

/** Why a run ended, in words. @type {Record<string, string>} */
const reasons = {
  answered: "answered", rejected: "rejected", step_limit: "step limit", budget_exhausted: "budget exhausted", timeout: "timed out",
  cancelled: "cancelled", model_error: "model error", tool_error: "tool error", schema_unsatisfied: "answer does not fit the schema", scope_denied: "scope missing",
};

/** @param {string|null} reason */
export const reasonWord = (reason) => (reason ? reasons[reason] || reason : "");

/**
 * Glyph and word together. alone: the glyph only, with the word for a screen reader;
 * slim: alone on a phone.
 * @param {{s: string, word?: string, tag?: boolean, alone?: boolean, slim?: boolean}} props
 */
export function Status({ s, word, tag, alone, slim }) {
  const text = word || statusWord(s);
  if (slim) return html`<span class="desk"><${Status} s=${s} word=${word} tag=${tag} /></span><span class="phone"><${Status} s=${s} word=${word} alone /></span>`;
  if (alone) return html`<span class="st" data-s=${s} role="img" aria-label=${text} title=${text}><${Glyph} s=${s} /></span>`;
  return html`<span class=${tag ? "st tag" : "st"} data-s=${s}><${Glyph} s=${s} />${text}</span>`;
}

/** A robot's state as the status that it looks like. @type {Record<string, string>} */
export const robotStatus = { working: "running", idle: "queued", waiting: "awaiting_approval", paused: "paused", error: "failed", maintenance: "paused" };
