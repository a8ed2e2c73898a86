// Schedules.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Schedules(props) {
  return html`<h1>Schedules</h1>`;
}
