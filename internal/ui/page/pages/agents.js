// Agents.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Agents(props) {
  return html`<h1>Agents</h1>`;
}
