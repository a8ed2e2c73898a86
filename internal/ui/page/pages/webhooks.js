// Webhooks.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Webhooks(props) {
  return html`<h1>Webhooks</h1>`;
}
