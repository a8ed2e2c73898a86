// One MCP server: whether it answers, its tools, and what it has changed of them since
// they were accepted.
import { html } from "../lib/html.js";
import { del, get, lacking, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Seen } from "../lib/hidden.js";
import { plural } from "../lib/format.js";
import { toast } from "../lib/announce.js";
import { Effect } from "./action.js";
import { does, useAttempt } from "./attempt.js";
import { diffLines, diffWords } from "./difftext.js";
import { Parameters } from "./tool.js";
import { ServerState, origins } from "./toollist.js";

/** @param {{id: any, onClose: () => void, onChanged: () => void, onGone: () => void}} props */
export function ServerDrawer({ id, onClose, onChanged, onGone }) {
  const path = "/v1/mcp/servers/" + encodeURIComponent(id), server = useLoad((signal) => get(path, { signal }), [id]), one = server.data, lacks = lacking("tools:write");
  const { busy, error, attempt } = useAttempt(), changed = (one?.tools || []).filter((/** @type {any} */ tool) => tool.state === "changed");
  const accept = async (/** @type {string[]} */ tools) => {
    const now = await attempt(() => post(path + "/accept", { tools, version: one.version }), tools.join());
    if (!now) return;
    server.set(() => now);
    toast("Accepted " + (tools.length === 1 ? tools[0] : plural(tools.length, "tool")), { s: "completed" });
    onChanged();
  };
  const remove = async () => {
    const sure = await confirm({ title: `Remove ${one.name}?`, body: "The server, its credentials and what was accepted of its tools are forgotten. Agents that name its tools can’t call them any more.", act: "Remove server", keep: "Keep server" });
    if (sure && await does(() => del(path), "Removed " + one.name, "Not removed")) onGone();
  };
  const footer = one?.origin === "registered" && html`<${Button} kind="danger" lacks=${lacks} onClick=${remove}>Remove…<//><span class="push" />`;
  return html`<${Drawer} class="wide" title=${one?.name || id} onClose=${onClose} footer=${footer}>
    ${server.error && html`<${Trouble} error=${server.error} what=${server.error.status === 404 ? "There is no such server any more." : "The server could not be read."} retry=${server.reload} />`}
    ${!one && !server.error && html`<${Skeleton} rows=${6} show=${server.slow} />`}
    ${one && html`<div class="stack server">
      <div class="row wrap"><${ServerState} server=${one} /><code class="id">${one.url}</code><span class="push" /><${Button} kind="small" busy=${server.loading} onClick=${server.reload}><${Icon} name="retry" />Ask again<//></div>
      ${one.error && html`<div class="note-box" data-s="failed"><${Icon} name="warn" /><p class="any"><b>It does not answer.</b> <${Seen} text=${one.error} /> Its tools are shown as they were seen last.</p></div>`}
      <p class="small faint">Known from ${origins[one.origin] || one.origin} · ${one.token ? "a token is stored" : "no token"}${one.headers.length ? ` · sends ${one.headers.join(", ")}` : ""}${one.timeout_s ? ` · waits ${one.timeout_s} s` : ""}</p>
      ${error && html`<${Trouble} error=${error} what="Nothing was accepted." retry=${server.reload} />`}
      <section aria-label="Its tools"><div class="head"><h3>${plural(one.tools.length, "tool")}</h3><span class="push" />
        ${changed.length > 1 && html`<${Button} kind="small" lacks=${lacks} busy=${!!busy} onClick=${() => accept(changed.map((/** @type {any} */ tool) => tool.name))}>Accept all ${changed.length} changes<//>`}</div>
        ${one.tools.map((/** @type {any} */ tool) => html`<${Tool} key=${tool.name} tool=${tool} busy=${busy} lacks=${lacks} onAccept=${() => accept([tool.name])} />`)}
        ${!one.tools.length && html`<p class="dim">${one.error ? "None is known yet." : "It offers none."}</p>`}</section>
      ${one.left_out.length > 0 && html`<section aria-label="Left out"><h3>Left out</h3><ul class="small dim">${one.left_out.map((/** @type {string} */ why) => html`<li class="any"><${Seen} text=${why} /></li>`)}</ul></section>`}</div>`}<//>`;
}

/** @param {{tool: any, busy: string, lacks: string, onAccept: () => void}} props */
function Tool({ tool, busy, lacks, onAccept }) {
  const { changed } = tool;
  return html`<article class="their-tool" aria-label=${tool.name}>
    <div class="row wrap"><b class="any"><${Seen} text=${tool.name} /></b><${Effect} effect=${tool.effect} />${tool.state === "changed" && html`<${Status} s="paused" word="Changed: can’t be used" />`}${tool.state === "gone" && html`<${Status} s="cancelled" word="Gone" />`}
      <span class="push" />${tool.state === "accepted" && html`<a class="btn small quiet" href=${href(`/tools/${encodeURIComponent(tool.name)}?tab=try`)}>Try it</a>`}</div>
    ${!changed && html`<p class="dim text any"><${Seen} text=${tool.description} /></p><details><summary class="small">What it takes</summary><${Parameters} schema=${tool.parameters} /></details>`}
    ${changed && html`<${Change} was=${tool} now=${changed} /><div><${Button} kind="small primary" lacks=${lacks} busy=${busy === tool.name} disabled=${!!busy} onClick=${onAccept} aria-label=${"Accept this change of " + tool.name}>Accept this change<//></div>`}</article>`;
}

/** @param {import("./difftext.js").Piece} piece */
function piece({ kind, text }) {
  if (kind === "same") return html`<${Seen} text=${text} />`;
  return kind === "del" ? html`<del class="diff-del"><${Seen} text=${text} /></del>` : html`<ins class="diff-add"><${Seen} text=${text} /></ins>`;
}

/** What is not as it was accepted. @param {{was: any, now: any}} props */
function Change({ was, now }) {
  const text = (/** @type {any} */ value) => JSON.stringify(value ?? {}, null, 2);
  const parts = [["Schema", text(was.parameters), text(now.parameters)], ["Annotations", text(was.annotations), text(now.annotations)]].filter(([, a, b]) => a !== b);
  return html`${was.description !== now.description ? html`<div class="change"><h4 class="label">Description</h4><p class="text any">${diffWords(was.description || "", now.description || "").map(piece)}</p></div>` : html`<p class="dim text any"><${Seen} text=${was.description} /></p>`}
    ${parts.map(([name, a, b]) => html`<div key=${name} class="change"><h4 class="label">${name}</h4><pre class="diff" tabindex="0">${diffLines(a, b).map(({ kind, text: line }) => html`<div class=${"d-" + kind}><span aria-hidden="true">${kind === "del" ? "−" : kind === "add" ? "+" : " "}</span><span><${Seen} text=${line} /></span></div>`)}</pre></div>`)}`;
}
