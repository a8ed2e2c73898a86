// An HTTP tool, registered or changed. Values of headers can be written, and never read.
import { html, useEffect, useState } from "../lib/html.js";
import { get, patch, post } from "../lib/api.js";
import { useKeys } from "../lib/keys.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Select, TextArea, TextField } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { toast } from "../lib/announce.js";
import { useAttempt } from "./attempt.js";
import { Headers } from "./headers.js";
import { effects } from "./tool.js";

/** @typedef {{name: string, description: string, url: string, method: string, effect: string, parameters: string, timeout: string, scope: string, preview: string, headers: Record<string, string>|null}} Draft */

const empty = '{\n  "type": "object",\n  "properties": {},\n  "required": []\n}';

/** @param {any} tool @returns {Draft} */
const draftOf = (tool) => ({
  name: tool?.name || "", description: tool?.description || "", url: tool?.url || "", method: tool?.method || "POST", effect: tool?.effect || "once",
  parameters: tool?.parameters ? JSON.stringify(tool.parameters, null, 2) : empty, timeout: String(tool?.timeout_s || ""), scope: tool?.scope || "", preview: tool?.preview || "", headers: tool ? null : {},
});

/** @param {string} text */
function schemaOf(text) {
  try {
    return text.trim() ? { value: JSON.parse(text) } : { value: null };
  } catch (error) {
    return { wrong: `This is no JSON yet: ${/** @type {Error} */ (error).message}` };
  }
}

/** What is sent. @param {Draft} d */
const body = (d) => ({
  name: d.name.trim(), description: d.description, url: d.url.trim(), method: d.method, effect: d.effect, parameters: schemaOf(d.parameters).value,
  timeout_s: d.timeout.trim() ? Number(d.timeout) : null, scope: d.scope.trim() || null, preview: d.preview || null, ...(d.headers ? { headers: d.headers } : {}),
});

const shown = ["name", "description", "url", "method", "effect", "parameters", "timeout_s", "scope", "preview", "headers"];

/** name: of the tool that is changed; without one a new one is made. @param {{name?: string, onClose: () => void, onSaved: (tool: any) => void}} props */
export function ToolForm({ name, onClose, onSaved }) {
  const before = useLoad((signal) => (name ? get("/v1/tools/" + encodeURIComponent(name), { signal }) : Promise.resolve(null)), [name]);
  const [draft, setDraft] = useState(/** @type {Draft|null} */ (name ? null : draftOf(null)));
  useEffect(() => { if (before.data && !draft) setDraft(draftOf(before.data)); }, [before.data]);
  const { busy, error, wrong, stray, attempt } = useAttempt(), schema = schemaOf(draft?.parameters || "");
  const off = !draft || !draft.name.trim() || !draft.url.trim() || !!schema.wrong;
  const save = async () => {
    if (off || busy || !draft) return;
    const saved = await attempt(() => (name ? patch("/v1/tools/" + encodeURIComponent(name), body(draft)) : post("/v1/tools", body(draft))));
    if (!saved) return;
    toast((name ? "Saved " : "Registered ") + saved.name);
    onSaved(saved);
  };
  useKeys([{ keys: "mod+s", does: "Save", where: "Editor", run: save, modal: true }]);
  const put = (/** @type {keyof Draft} */ field) => (/** @type {any} */ value) => setDraft({ .../** @type {Draft} */ (draft), [field]: value });
  const act = name ? "Save tool" : "Register tool";
  return html`<${Drawer} title=${name ? "Change " + name : "New HTTP tool"} onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>${name ? "Keep it as it is" : "Make none"}</button><${Button} kind="primary" busy=${!!busy} disabled=${off} onClick=${save}>${act}<//>`}>
    ${before.error && html`<${Trouble} error=${before.error} what="The tool could not be read." retry=${before.reload} />`}
    ${!draft && !before.error && html`<${Skeleton} rows=${6} show=${before.slow} />`}
    ${draft && html`<div class="stack form">${stray(shown) && html`<${Trouble} error=${error} what="The tool was not saved." />`}
      ${name && html`<p class="small dim">Calls that were approved and not made yet ask again: what was approved is what runs.</p>`}
      <${TextField} label="Name" value=${draft.name} onInput=${put("name")} error=${wrong("name")} hint="Letters, digits, dots, dashes: crm.note. Agents call it by this name." maxlength="64" spellcheck="false" />
      <${TextArea} label="Description" value=${draft.description} onInput=${put("description")} error=${wrong("description")} rows=${2} hint="The model reads it to know when to call." />
      <div class="pair"><${Select} label="Method" value=${draft.method} onChange=${put("method")} options=${["POST", "PUT", "PATCH", "DELETE"]} error=${wrong("method")} />
        <${TextField} label="Address" type="url" value=${draft.url} onInput=${put("url")} error=${wrong("url")} placeholder="https://crm.example.com/notes" spellcheck="false" /></div>
      <fieldset class="effects"><legend class="label">Effect</legend>${["safe", "keyed", "once"].map((one) => html`<label key=${one} class="check"><input type="radio" name="effect" value=${one} checked=${draft.effect === one} onChange=${() => put("effect")(one)} /><span><b>${one}</b> <span class="faint">${effects[one]}</span></span></label>`)}</fieldset>
      <${TextArea} label="Arguments, as a JSON schema" code rows=${8} spellcheck="false" value=${draft.parameters} onInput=${put("parameters")} error=${schema.wrong || wrong("parameters")} hint="Calls that do not satisfy it never leave this server." />
      <${Headers} stored=${before.data ? Object.keys(before.data.headers || {}) : []} value=${draft.headers} onChange=${put("headers")} error=${wrong("headers")} moved=${!!before.data && draft.url.trim() !== before.data.url} />
      <${TextField} label="Seconds to wait for an answer" value=${draft.timeout} onInput=${put("timeout")} error=${wrong("timeout_s")} inputmode="numeric" placeholder="30" hint="1 to 600." />
      <${TextField} label="Scope that it needs" value=${draft.scope} onInput=${put("scope")} error=${wrong("scope")} placeholder="none" hint="Such as context:crm: a run whose key lacks it is refused the call." spellcheck="false" />
      <${TextField} label="Preview" value=${draft.preview} onInput=${put("preview")} error=${wrong("preview")} placeholder="Note on {{customer}}: {{text}}" hint="What a person reads above the arguments who is to approve a call." /></div>`}<//>`;
}
