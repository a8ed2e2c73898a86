// Tools: what agents can call. The project's own by HTTP, those of MCP servers, and
// those of this server.
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { all, lacking } from "../lib/api.js";
import { go, setQuery } from "../lib/route.js";
import { useKeys, Key } from "../lib/keys.js";
import { useCommands } from "../lib/commands.js";
import { useRoving } from "../lib/list.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { ToolTabs } from "../part/tooltabs.js";
import { ServerTable, ToolTable, handle } from "../part/toollist.js";
import { ToolDrawer } from "../part/tool.js";
import { ToolForm } from "../part/toolform.js";
import { NewServer } from "../part/newserver.js";
import { ServerDrawer } from "../part/server.js";

const kinds = /** @type {const} */ (["registered", "server", "mcp", "builtin"]);

/**
 * What is shown, in the order of the page; tools of MCP servers only when they are looked for.
 * @param {any[]} tools @param {any[]} servers @param {string} words
 */
function sorted(tools, servers, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean), fits = (/** @type {any} */ one) => wanted.every((word) => `${one.name} ${one.description || ""} ${one.url || ""}`.toLowerCase().includes(word));
  const of = (/** @type {string} */ kind) => tools.filter((one) => (one.origin === "operator" ? "builtin" : one.origin) === kind && fits(one));
  return { registered: of("registered"), server: servers.filter(fits), mcp: wanted.length ? of("mcp") : [], builtin: of("builtin") };
}

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Tools({ params, query }) {
  const tools = useLoad((signal) => all("/v1/tools", {}, { signal }), []), servers = useLoad((signal) => all("/v1/mcp/servers", {}, { signal }), []);
  const words = query.get("q") || "", field = useRef(/** @type {HTMLInputElement|null} */ (null)), lacks = lacking("tools:write");
  const shown = useMemo(() => sorted(tools.data || [], servers.data || [], words), [tools.data, servers.data, words]);
  const [at, setAt] = useState(-1), rows = kinds.flatMap((kind) => shown[kind].map((one) => ({ kind, one })));
  const kept = words ? "q=" + encodeURIComponent(words) : ""; // the filter stays while one looks at what it found
  const pathOf = (/** @type {string} */ kind, /** @type {any} */ one) => (kind === "server" ? `/tools?server=${encodeURIComponent(handle(one))}${kept && "&" + kept}` : `/tools/${encodeURIComponent(one.name)}${kept && "?" + kept}`);
  const open = (/** @type {any} */ row) => go(pathOf(row.kind, row.one));
  const roving = useRoving({ count: rows.length, at: Math.min(at, rows.length - 1), onMove: setAt, onOpen: (i) => open(rows[i]), noun: "tool" });
  const back = () => (params.name ? go("/tools" + (kept && "?" + kept)) : setQuery({ server: null, new: null, edit: null, tab: null }));
  const changed = () => { tools.reload(); servers.reload(); };
  useKeys([{ keys: "/", does: "Filter", where: "Lists", run: () => field.current?.focus() }]);
  useCommands([
    { text: "New tool", note: "Action", icon: "plus", run: () => setQuery({ new: "tool" }, { push: true }) },
    { text: "Add MCP server", note: "Action", icon: "plus", run: () => setQuery({ new: "server" }, { push: true }) },
  ], []);
  /** @param {(typeof kinds)[number]} kind */
  const given = (kind) => {
    const from = rows.findIndex((row) => row.kind === kind);
    return { items: shown[kind], item: (/** @type {number} */ i) => roving.item(from + i), current: at - from, hrefOf: (/** @type {any} */ one) => pathOf(kind, one), onMove: (/** @type {number} */ i) => setAt(from + i), onOpen: (/** @type {number} */ i) => open(rows[from + i]) };
  };
  // What stands below waits until it is known how much stands above: nothing jumps.
  const ready = (tools.data || tools.error) && (servers.data || servers.error);
  const none = !!words && !rows.length && !!tools.data && !!servers.data;
  return html`<${ToolTabs} at="/tools" name=${params.name || query.get("server") || ""} />
    <div class="find"><label class="with"><span class="sr">Filter by name, words or address</span><${Icon} name="search" /><input ref=${field} class="in" placeholder="Filter tools" value=${words} onInput=${(/** @type {any} */ event) => { setAt(-1); setQuery({ q: event.target.value }); }}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") { setQuery({ q: null }); field.current?.blur(); } }} /><span class="hint-key"><${Key} k="/" /></span></label></div>
    ${tools.error && html`<${Trouble} error=${tools.error} what="The tools could not be read." retry=${tools.reload} />`}
    ${none && html`<${Empty} what=${`Nothing has “${words}” in its name, description or address.`} how="The filter looks at every tool that agents of this project can call."><button class="btn" type="button" onClick=${() => setQuery({ q: null })}>Show all tools</button><//>`}
    ${!none && html`
      <section aria-labelledby="own" hidden=${!!words && !shown.registered.length}><div class="head"><h2 id="own">HTTP tools</h2><span class="note">each call is a request to an address of yours</span><span class="push" />
        <${Button} kind="primary" lacks=${lacks} onClick=${() => setQuery({ new: "tool" }, { push: true })}><${Icon} name="plus" />New tool<//></div>
        ${shown.registered.length > 0 && html`<${ToolTable} ...${given("registered")} address />`}
        ${tools.data && !words && !shown.registered.length && html`<${Empty} what="No tools of your own yet." how="Register an HTTP endpoint with a name, a schema and an effect, and every agent of this project can call it." />`}
        ${!tools.data && !tools.error && html`<${Skeleton} rows=${8} show=${tools.slow} />`}</section>
      ${ready && html`<section aria-labelledby="mcp" hidden=${!!words && !shown.server.length}><div class="head"><h2 id="mcp">MCP servers</h2><span class="note">what a server changes of its tools has to be accepted</span><span class="push" />
        <${Button} lacks=${lacks} onClick=${() => setQuery({ new: "server" }, { push: true })}><${Icon} name="plus" />Add server<//></div>
        ${servers.error && html`<${Trouble} error=${servers.error} what="The servers could not be read." retry=${servers.reload} />`}
        ${shown.server.length > 0 && html`<${ServerTable} ...${given("server")} />`}
        ${servers.data && !words && !shown.server.length && html`<p class="none dim">None. A server’s tools join the project as <code>server__tool</code>.</p>`}</section>
      ${shown.mcp.length > 0 && html`<section aria-labelledby="theirs"><div class="head"><h2 id="theirs">Tools of MCP servers</h2></div><${ToolTable} ...${given("mcp")} /></section>`}
      <section aria-labelledby="built" hidden=${!!words && !shown.builtin.length}><div class="head"><h2 id="built">Built in</h2><span class="note">this server’s own, and those that its operator has set up</span></div>
        ${shown.builtin.length > 0 && html`<${ToolTable} ...${given("builtin")} />`}</section>`}`}
    ${params.name && (query.has("edit") ? html`<${ToolForm} key=${"edit" + params.name} name=${params.name} onClose=${() => setQuery({ edit: null })} onSaved=${(/** @type {any} */ tool) => { changed(); go("/tools/" + encodeURIComponent(tool.name)); }} />`
      : html`<${ToolDrawer} key=${params.name} name=${params.name} tab=${query.get("tab") || ""} onClose=${back} onGone=${() => { changed(); back(); }} />`)}
    ${!params.name && query.get("server") && html`<${ServerDrawer} key=${query.get("server")} id=${query.get("server")} onClose=${back} onChanged=${changed} onGone=${() => { changed(); back(); }} />`}
    ${query.get("new") === "tool" && html`<${ToolForm} onClose=${back} onSaved=${(/** @type {any} */ tool) => { changed(); go("/tools/" + encodeURIComponent(tool.name)); }} />`}
    ${query.get("new") === "server" && html`<${NewServer} onClose=${back} onSaved=${(/** @type {any} */ server) => { changed(); setQuery({ new: null, server: server.name }); }} />`}`;
}
