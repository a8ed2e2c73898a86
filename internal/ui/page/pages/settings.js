// Settings: who may come in, what models cost, what may be spent, who did what, and how
// the server is.
import { html, useEffect, useRef } from "../lib/html.js";
import { href } from "../lib/root.js";
import { crumbs, go } from "../lib/route.js";
import { useKeys } from "../lib/keys.js";
import { Keys } from "../part/keys.js";
import { Models } from "../part/models.js";
import { Budgets } from "../part/budgets.js";
import { Audit } from "../part/audit.js";
import { System } from "../part/system.js";

/** @type {{name: string, text: string, part: (props: {query: URLSearchParams}) => any}[]} */
const sections = [
  { name: "keys", text: "API keys", part: Keys },
  { name: "models", text: "Models", part: Models },
  { name: "budgets", text: "Budgets and usage", part: Budgets },
  { name: "audit", text: "Audit log", part: Audit },
  { name: "system", text: "System", part: System },
];

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Settings({ params, query }) {
  const at = Math.max(0, sections.findIndex((one) => one.name === params.section)), { text, part: Part } = sections[at];
  useEffect(() => { crumbs.value = [{ text: "Settings", path: "/settings" }, { text }]; }, [text]);
  const tabs = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => { tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }); }, [at]); // a phone shows four of them
  useKeys([
    { keys: "]", does: "Next section", where: "Settings", run: () => go("/settings/" + sections[(at + 1) % sections.length].name) },
    { keys: "[", does: "Previous section", where: "Settings", run: () => go("/settings/" + sections[(at + sections.length - 1) % sections.length].name) },
  ]);
  return html`<h1>Settings</h1>
    <nav class="tabs" ref=${tabs} aria-label="Sections of the settings">${sections.map((one, i) => html`<a key=${one.name} href=${href("/settings/" + one.name)} aria-current=${i === at ? "page" : undefined}>${one.text}</a>`)}</nav>
    <${Part} key=${text} query=${query} />`;
}
