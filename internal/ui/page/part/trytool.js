// A real call of a tool, outside of any run: a form by its schema, and exactly what
// came back.
import { html, useMemo, useState } from "../lib/html.js";
import { lacking, post } from "../lib/api.js";
import { json, parseExact } from "../lib/exact.js";
import { useKeys, Key } from "../lib/keys.js";
import { Trouble } from "../lib/fault.js";
import { Button, Choice, Select, TextArea, TextField } from "../lib/field.js";
import { confirm } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Code } from "../lib/snippet.js";
import { Seen } from "../lib/hidden.js";
import { duration, plural } from "../lib/format.js";
import { useAttempt } from "./attempt.js";
import { fieldsOf } from "./tool.js";

/** @typedef {ReturnType<typeof fieldsOf>[number]} FieldOf */

/** @param {any} type */
const isText = (type) => type === "string";

/** @param {string} text */
function parse(text) {
  try {
    return { value: parseExact(text) };
  } catch {
    return null;
  }
}

/**
 * The arguments that the fields say, and what can't be read of them. An empty field is left out.
 * @param {FieldOf[]} fields @param {Record<string, string>} texts
 */
export function read(fields, texts) {
  /** @type {Record<string, any>} */
  const args = {};
  /** @type {Record<string, string>} */
  const wrong = {};
  for (const { name, type, of } of fields) {
    const text = texts[name] ?? "";
    if (text === "") continue;
    if (type === "one of" && of.enum) args[name] = of.enum[Number(text)];
    else if (isText(type)) args[name] = text;
    else {
      const found = parse(text);
      if (found) args[name] = found.value;
      else if (type === "any" || type.includes("string")) args[name] = text;
      else wrong[name] = `Write ${type === "integer" || type === "number" ? "a number" : "JSON: " + type} here.`;
    }
  }
  return { args, wrong };
}

/** @param {{tool: any}} props */
export function TryTool({ tool }) {
  const fields = useMemo(() => fieldsOf(tool.parameters), [tool]), [view, setView] = useState(fields.length ? "fields" : "json");
  const [texts, setTexts] = useState(/** @type {Record<string, string>} */ ({})), [whole, setWhole] = useState("{}"), [result, setResult] = useState(/** @type {any} */ (null));
  const { busy, error, attempt } = useAttempt(), form = read(fields, texts), raw = parse(whole);
  const args = view === "json" ? raw?.value : form.args, broken = view === "json" ? !raw : Object.keys(form.wrong).length > 0;
  const missing = view === "json" ? [] : fields.filter((one) => one.required && form.args[one.name] === undefined);
  const turn = (/** @type {string} */ to) => {
    if (to === "json") setWhole(json(form.args)); // what was written is kept
    setView(to);
  };
  const lacks = lacking("tools:write") || lacking("agents:execute") || (tool.scope ? lacking(tool.scope) : "");
  const off = broken || missing.length > 0 || !!lacks;
  const call = async () => {
    if (off || busy) return;
    if (tool.effect === "once" && !(await confirm({ title: `Call ${tool.name} now?`, body: "It is a real call, and can’t be taken back. No gate of an agent holds it.", act: "Call it", keep: "Do not call" }))) return;
    setResult(null);
    setResult((await attempt(() => post(`/v1/tools/${encodeURIComponent(tool.name)}/try`, { arguments: args }))) || null);
  };
  useKeys([{ keys: "mod+Enter", does: "Call the tool", where: "Tools", run: call, modal: true, when: () => !off }], [off]);
  return html`<div class="note-box"><${Icon} name="warn" /><p><b>This is a real call, with everything that it does.</b> No gate of an agent holds it, and no run has it. The audit log gets a line <code>tool.tried</code>.</p></div>
    <div class="head"><h3>Arguments</h3><span class="push" />${fields.length > 0 && html`<${Choice} label="How the arguments are written" value=${view} onChange=${turn} options=${[{ value: "fields", text: "Fields" }, { value: "json", text: "JSON" }]} />`}</div>
    ${view === "json" ? html`<${TextArea} label="The whole arguments as JSON" code rows=${6} spellcheck="false" value=${whole} onInput=${setWhole} error=${raw ? undefined : "This is no JSON yet."} />`
      : fields.map((one) => html`<${Argument} key=${one.name} field=${one} text=${texts[one.name] ?? ""} wrong=${form.wrong[one.name]} onInput=${(/** @type {string} */ text) => setTexts({ ...texts, [one.name]: text })} />`)}
    <div class="row wrap"><${Button} kind="primary" busy=${!!busy} disabled=${off} lacks=${lacks} onClick=${call}>Call ${tool.name}${tool.effect === "once" ? "…" : ""}<${Key} k="mod+Enter" /><//>
      ${missing.length > 0 && html`<span class="small faint">${missing.map((one) => one.name).join(", ")} ${missing.length === 1 ? "is" : "are"} required</span>`}</div>
    ${error && html`<${Trouble} error=${error} what="The call was not made." />`}
    <div role="status">${result && html`<${Result} of=${result} />`}</div>`;
}

/** @param {{field: FieldOf, text: string, wrong?: string, onInput: (text: string) => void}} props */
function Argument({ field: { name, type, required, of }, text, wrong, onInput }) {
  const label = html`<code><${Seen} text=${name} /></code> <span class="faint">${type}${required ? ", required" : ""}</span>`, more = { label, value: text, hint: of.description, error: wrong };
  const none = { value: "", text: required ? "choose one" : "left out" };
  if (of.enum) return html`<${Select} ...${more} onChange=${onInput} options=${[none, ...of.enum.map((/** @type {any} */ one, /** @type {number} */ i) => ({ value: String(i), text: typeof one === "string" ? one : JSON.stringify(one) }))]} />`;
  if (type === "boolean") return html`<${Select} ...${more} onChange=${onInput} options=${[none, "true", "false"]} />`;
  if (type === "integer" || type === "number") return html`<${TextField} ...${more} onInput=${onInput} code inputmode="decimal" autocomplete="off" />`;
  return html`<${TextArea} ...${more} onInput=${onInput} code=${!isText(type)} rows=${Math.min(10, Math.max(isText(type) ? 1 : 3, text.split("\n").length))} spellcheck="false" />`;
}

/** @param {{of: any}} props */
function Result({ of }) {
  const text = of.outcome === "ok" ? of.output ?? "" : of.error ?? of.output ?? "";
  const status = of.outcome === "ok" ? html`<${Status} s="completed" word="Answered" />` : of.outcome === "unknown" ? html`<${Status} s="awaiting_input" word="Nobody knows whether it happened" />` : html`<${Status} s="failed" word="The tool says that it failed" />`;
  return html`<div class="head"><h3>What came back</h3>${status}<span class="note">after ${duration(of.ms)}</span></div>
    ${text ? html`<${Code} text=${text} caption=${`Exactly as it came, ${plural(text.length, "character")}`}><${Seen} text=${text} /><//>` : html`<p class="dim">Nothing: the answer was empty.</p>`}`;
}
