// Tools.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Tools(props) {
  return html`<h1>Tools</h1>`;
}
