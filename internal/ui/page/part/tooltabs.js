// What stands above the pages about tools: the head, and a line that leads from one to
// the next.
import { html, useEffect } from "../lib/html.js";
import { href } from "../lib/root.js";
import { crumbs, go } from "../lib/route.js";
import { useKeys } from "../lib/keys.js";

const tabs = [
  { path: "/tools", text: "Tools" }, { path: "/webhooks", text: "Webhooks" },
  { path: "/schedules", text: "Schedules" }, { path: "/index", text: "Search index" },
];

/** @param {{at: string, name?: string}} props  at: the path of the current one; name: what of it is open */
export function ToolTabs({ at, name }) {
  const n = tabs.findIndex((one) => one.path === at), turn = (/** @type {number} */ by) => go(tabs[(n + by + tabs.length) % tabs.length].path);
  useEffect(() => {
    crumbs.value = [{ text: "Tools", path: "/tools" }, ...(n ? [{ text: tabs[n].text, path: at }] : []), ...(name ? [{ text: name }] : [])];
  }, [n, name]);
  useKeys([
    { keys: "]", does: "Next tab", where: "Tools", run: () => turn(1) },
    { keys: "[", does: "Previous tab", where: "Tools", run: () => turn(-1) },
  ]);
  return html`<h1>Tools</h1>
    <nav class="tabs" aria-label="Tools and what works with them">${tabs.map((one, i) => html`<a key=${one.path} href=${href(one.path)} aria-current=${i === n ? "page" : undefined}>${one.text}</a>`)}</nav>`;
}
