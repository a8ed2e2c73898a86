// A text of several lines with what can't be seen named in its place, as Seen does;
// its lines stay lines.
import { html } from "../lib/html.js";
import { Seen } from "../lib/hidden.js";

/** @param {{text: string}} props */
export function Prose({ text }) {
  return text.split("\n").map((line, i) => html`${i ? "\n" : ""}<${Seen} text=${line} />`);
}
