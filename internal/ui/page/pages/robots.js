// Robots.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Robots(props) {
  return html`<h1>Robots</h1>`;
}
