// Rows of tools, and of MCP servers with how each is.
import { html } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad } from "../lib/load.js";
import { Status } from "../lib/glyph.js";
import { Seen } from "../lib/hidden.js";
import { plural } from "../lib/format.js";
import { Effect } from "./action.js";

/**
 * @typedef {{items: any[], current: number, item: (i: number) => any, onMove: (i: number) => void, onOpen: (i: number) => void, hrefOf: (one: any) => string}} Rows
 *   item: what a row's link gets so that keys move between them; hrefOf: where it leads
 */

/** A click anywhere in a row opens it, unless text is being selected. @param {() => void} open */
const press = (open) => (/** @type {any} */ event) => {
  if (!event.defaultPrevented && !event.target.closest("a,button") && !String(getSelection())) open();
};

/** "https://crm.example.com/notes" is "crm.example.com/notes". @param {string} url */
export const bare = (url) => url.replace(/^https?:\/\//, "");

/** @param {Rows & {address?: boolean}} props */
export function ToolTable({ items, item, current, onMove, onOpen, hrefOf, address }) {
  const scoped = items.some((one) => one.scope);
  return html`<table class="table list"><colgroup><col class="c-name" /><col class="desk" />${address && html`<col class="c-url desk" />`}${scoped && html`<col class="c-scope desk" />`}<col class="c-eff" /></colgroup>
    <thead><tr><th>Tool</th><th class="desk">What it does</th>${address && html`<th class="desk">Calls</th>`}${scoped && html`<th class="desk">Needs</th>`}<th>Effect</th></tr></thead>
    <tbody>${items.map((one, i) => html`<tr key=${one.name} data-current=${i === current ? "" : undefined} onClick=${press(() => onOpen(i))}>
      <td class="cut"><a class="name" href=${href(hrefOf(one))} onFocus=${() => onMove(i)} ...${item(i)}><${Seen} text=${one.name} /></a>${one.origin === "operator" && html` <span class="tag line">operator’s</span>`}<span class="sub phone cut">${one.description}</span></td>
      <td class="cut desk dim" title=${one.description}><${Seen} text=${one.description || ""} /></td>
      ${address && html`<td class="cut desk faint" title=${one.url}>${bare(one.url || "")}</td>`}
      ${scoped && html`<td class="desk cut">${one.scope && html`<code class="id" title=${one.scope}>${one.scope}</code>`}</td>`}
      <td><${Effect} effect=${one.effect} /></td></tr>`)}</tbody></table>`;
}

/** @param {Rows} props */
export function ServerTable({ items, item, current, onMove, onOpen, hrefOf }) {
  return html`<table class="table list"><colgroup><col class="c-name" /><col class="desk" /><col class="c-from desk" /><col class="c-tools" /><col class="c-state" /></colgroup>
    <thead><tr><th>Server</th><th class="desk">Address</th><th class="desk">Known from</th><th class="num">Tools</th><th>State</th></tr></thead>
    <tbody>${items.map((one, i) => html`<${ServerRow} key=${one.id} listed=${one} path=${hrefOf(one)} current=${i === current} item=${item(i)} onMove=${() => onMove(i)} onOpen=${() => onOpen(i)} />`)}</tbody></table>`;
}

/** What an address calls a server by: those of requests have no name of their own. @param {any} server */
export const handle = (server) => (server.origin === "request" ? server.id : server.name);

/** Where a server is known from. @type {Record<string, string>} */
export const origins = { operator: "the operator", registered: "this project", request: "a request" };

// The list shows servers as they were seen last; each row asks how its own is now.
/** @param {{listed: any, path: string, current: boolean, item: any, onMove: () => void, onOpen: () => void}} props */
function ServerRow({ listed, path, current, item, onMove, onOpen }) {
  const asked = useLoad((signal) => get("/v1/mcp/servers/" + encodeURIComponent(listed.id), { signal }), [listed.id, listed.version]), one = asked.data || listed;
  return html`<tr data-current=${current ? "" : undefined} onClick=${press(onOpen)}>
    <td class="cut"><a class="name" href=${href(path)} onFocus=${onMove} ...${item}><${Seen} text=${one.name} /></a></td>
    <td class="cut desk faint" title=${one.url}>${bare(one.url)}</td><td class="desk dim">${origins[one.origin] || one.origin}</td>
    <td class="num">${one.tools.filter((/** @type {any} */ tool) => tool.state !== "gone").length}</td>
    <td class="cut"><${ServerState} server=${one} asking=${!asked.data && !asked.error} /></td></tr>`;
}

/** @param {{server: any, asking?: boolean}} props */
export function ServerState({ server, asking }) {
  const changed = server.tools.filter((/** @type {any} */ tool) => tool.state === "changed").length;
  if (asking) return html`<${Status} s="queued" word="Being asked" />`;
  if (server.error) return html`<${Status} s="failed" word="Does not answer" />`;
  if (changed) return html`<${Status} s="paused" word=${plural(changed, "tool") + " changed"} />`;
  if (server.origin === "request") return html`<${Status} s="queued" word="As a request saw it" />`;
  return html`<${Status} s="completed" word="Answers" />`;
}
