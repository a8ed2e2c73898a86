// Robot.
import { html } from "../lib/html.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Robot(props) {
  return html`<h1>Robot</h1>`;
}
