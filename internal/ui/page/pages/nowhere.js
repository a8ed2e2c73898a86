// An address that means nothing.
import { html } from "../lib/html.js";
import { href } from "../lib/root.js";
import { Empty } from "../lib/load.js";

export default function Nowhere() {
  return html`<h1>Nothing here</h1><${Empty} what="No page has this address." how="It may have been shortened on its way, or name something that was deleted."><a class="btn" href=${href("/")}>Home</a><//>`;
}
