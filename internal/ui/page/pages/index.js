// Search index.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Index(props) {
  return html`<h1>Search index</h1>`;
}
