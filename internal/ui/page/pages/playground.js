// Playground.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Playground(props) {
  return html`<h1>Playground</h1>`;
}
