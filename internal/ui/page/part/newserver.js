// An MCP server, added to the project.
import { html, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { Trouble } from "../lib/fault.js";
import { Button, Select, TextField } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { toast } from "../lib/announce.js";
import { useAttempt } from "./attempt.js";
import { Headers } from "./headers.js";

const shown = ["name", "url", "transport", "token", "headers", "timeout_s"];

/** @param {{onClose: () => void, onSaved: (server: any) => void}} props */
export function NewServer({ onClose, onSaved }) {
  const [name, setName] = useState(""), [url, setURL] = useState(""), [transport, setTransport] = useState("auto"), [token, setToken] = useState("");
  const [headers, setHeaders] = useState(/** @type {Record<string, string>} */ ({})), [timeout, setTimeout] = useState("");
  const { busy, error, wrong, stray, attempt } = useAttempt();
  const save = async () => {
    const made = await attempt(() => post("/v1/mcp/servers", { name: name.trim(), url: url.trim(), transport, token: token || null, headers: Object.keys(headers).length ? headers : null, timeout_s: timeout.trim() ? Number(timeout) : null }));
    if (!made) return;
    toast("Added " + made.name);
    onSaved(made);
  };
  return html`<${Drawer} title="Add an MCP server" onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Add none</button><${Button} kind="primary" busy=${!!busy} disabled=${!name.trim() || !url.trim()} onClick=${save}>Add server<//>`}>
    <div class="stack form">${stray(shown) && html`<${Trouble} error=${error} what="The server was not added." />`}
      <p class="dim">What it says of its tools when it is asked first is accepted; what it changes later has to be. Its tools’ effect is <b>once</b>.</p>
      <${TextField} label="Name" value=${name} onInput=${setName} error=${wrong("name")} maxlength="24" spellcheck="false" hint=${html`Its tools are called <code>${name.trim() || "name"}__tool</code>.`} />
      <${TextField} label="Address" type="url" value=${url} onInput=${setURL} error=${wrong("url")} placeholder="https://crm.example.com/mcp" spellcheck="false" hint="Its path is shown; its query is stored encrypted." />
      <${Select} label="Transport" value=${transport} onChange=${setTransport} error=${wrong("transport")} options=${[{ value: "auto", text: "streamable HTTP, or SSE where it is older" }, { value: "streamable_http", text: "streamable HTTP" }, { value: "sse", text: "SSE" }]} />
      <${TextField} label="Token" type="password" autocomplete="new-password" value=${token} onInput=${setToken} error=${wrong("token")} hint=${html`Sent as <code>Authorization: Bearer</code> to that origin alone. Stored encrypted, never shown.`} />
      <${Headers} value=${headers} onChange=${(/** @type {any} */ value) => setHeaders(value || {})} error=${wrong("headers")} />
      <${TextField} label="Seconds to wait" value=${timeout} onInput=${setTimeout} error=${wrong("timeout_s")} inputmode="numeric" placeholder="30" hint="For a connection, and in a call’s silence." />
      <p class="small faint">A program on this machine can only be set up by the operator, in errand.yaml.</p></div><//>`;
}
