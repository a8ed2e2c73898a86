// Workflows.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Workflows(props) {
  return html`<h1>Workflows</h1>`;
}
