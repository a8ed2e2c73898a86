// How other programs reach a robot: its address with code to copy, the events that start
// it, its secret, and what the server says of chat platforms.
import { html, useState } from "../lib/html.js";
import { get, lacking, post } from "../lib/api.js";
import { server } from "../lib/root.js";
import { useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Choice, Select } from "../lib/field.js";
import { Modal, confirm } from "../lib/dialog.js";
import { Status } from "../lib/glyph.js";
import { Code, Snippets, snippets } from "../lib/snippet.js";
import { Copy } from "../lib/clip.js";
import { robotPath, robotsPath } from "./robotdata.js";
import { Items, Json, Line, Part, useForm } from "./robotform.js";

/** @param {{member: string}} props */
export function Integrations({ member }) {
  const form = useForm(), known = useLoad((signal) => get("/.well-known/yao", { signal }), []), base = (known.data?.server_url || server).replace(/\/$/, ""), address = base + robotPath(member);
  return html`<${Part} id="integrations" title="Integrations" note="Every client of OpenAI’s chat completions reaches the robot under its address, with a key of this server.">
    <div class="field"><span class="label">Base URL</span><div class="secret-line"><code class="grow">${address}</code><${Copy} text=${address} label="Copy the base URL" /></div></div>
    <${Verify} member=${member} />
    <${Requests} member=${member} address=${address} />
    <div class="field"><span class="label">Events that start it</span><p class="small dim">Each source has an address of its own. Who sends there signs as Standard Webhooks has it, with the robot’s secret.</p></div>
    <${Items} path="robot_config.events" noun="source" make=${() => ({ type: "webhook", source: "" })}>${(/** @type {string} */ path, /** @type {number} */ i) => html`
      <${Line} path=${path + ".source"} label="Source" code hint=${html`<span class="address">${address}/events/${form.draft.robot_config.events[i]?.source || "…"}</span>`} />
      <${Json} path=${path + ".filter"} label="Filter" hint=${'What the event’s data must say, with dots for fields inside of others: {"order.total": [100, 200]}'} />`}<//>
    <${Secret} member=${member} />
    <${Platforms} /><//>`;
}

/** @param {{member: string, address: string}} props */
function Requests({ member, address }) {
  const [kind, setKind] = useState("completions"), path = robotPath(member);
  const request = kind === "completions"
    ? { method: "POST", path: path + "/completions", body: { messages: [{ role: "user", content: "Analyze our top 5 competitors" }], chat_id: "session-001" } }
    : { method: "POST", path: path + "/execute", body: { goals: "Analyze our top 5 competitors and write a report" } };
  const all = snippets(request).map((one) => (kind === "completions" && one.name === "TypeScript" ? { ...one, text: typescript(address) } : kind === "completions" && one.name === "Python" ? { ...one, text: python(address) } : one));
  return html`<div class="stack"><${Choice} label="What the code does" value=${kind} onChange=${setKind} options=${[{ value: "completions", text: "Talk with its host" }, { value: "execute", text: "Start at once" }]} /><${Snippets} key=${kind} request=${request} all=${all} /></div>`;
}

/** @param {string} address */
const typescript = (address) => `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(address)}, apiKey: process.env.ERRAND_API_KEY });
const messages = [{ role: "user", content: "Analyze our top 5 competitors" }];
const first = await client.chat.completions.create({ model: "default", messages });
messages.push(first.choices[0].message, { role: "user", content: "Yes, go" });
const second = await client.chat.completions.create({ model: "default", messages });
console.log(second.execution_id);`;

/** @param {string} address */
const python = (address) => `import os
from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(address)}, api_key=os.environ["ERRAND_API_KEY"])
messages = [{"role": "user", "content": "Analyze our top 5 competitors"}]
for chunk in client.chat.completions.create(model="default", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="")`;

/** Asks the robot's address what it answers. @param {{member: string}} props */
function Verify({ member }) {
  const [busy, setBusy] = useState(false), [said, setSaid] = useState(/** @type {{ok: boolean, text: string}|null} */ (null));
  const act = async () => {
    setBusy(true);
    try {
      const [models, host] = await Promise.all([get(robotPath(member) + "/models"), get(robotPath(member) + "/host")]);
      setSaid({ ok: true, text: `It answers: ${host.assistant_id} leads the talk, with the model ${models.data?.[0]?.id || "default"}.` });
    } catch (fault) {
      setSaid({ ok: false, text: /** @type {Error} */ (fault).message });
    }
    setBusy(false);
  };
  return html`<div class="row wrap verify"><${Button} busy=${busy} onClick=${act}>Verify the address<//><span role="status">${said && html`<span class="row"><${Status} s=${said.ok ? "completed" : "failed"} word=${said.ok ? "Works" : "Does not work"} /><span class="small dim">${said.text}</span></span>`}</span></div>`;
}

/** @param {{member: string}} props */
function Secret({ member }) {
  const [made, setMade] = useState(""), [error, setError] = useState(/** @type {any} */ (null));
  const rotate = async () => {
    if (!(await confirm({ title: "Give it another secret?", body: "The one before opens and signs nothing from this moment on: whoever sends events, and whoever checks its webhooks, needs the new one.", act: "Rotate secret", keep: "Keep its secret" }))) return;
    setError(null);
    try {
      setMade((await post(robotPath(member) + "/events/rotate")).secret);
    } catch (fault) {
      setError(fault);
    }
  };
  return html`<div class="row wrap"><${Button} lacks=${lacking("agents:write")} onClick=${rotate}>Rotate secret…<//><span class="small dim">Shown once, when it is made. It signs events, and deliveries to webhooks that have no secret of their own.</span></div>
    ${error && html`<${Trouble} error=${error} what="The secret was not rotated." />`}
    ${made && html`<${Modal} class="secret" title="The robot’s secret" onClose=${() => setMade("")} footer=${html`<button class="btn primary" type="button" onClick=${() => setMade("")}>I have kept it</button>`}><div class="stack"><p><b>It is shown this once.</b></p><${Code} text=${made} plain /></div><//>`}`;
}

const platforms = [["telegram", "Telegram"], ["feishu", "Feishu"], ["dingtalk", "DingTalk"], ["discord", "Discord"], ["weixin", "WeChat"]];

/** The server says itself what it thinks of a chat platform. */
function Platforms() {
  const [provider, pick] = useState("telegram"), [busy, setBusy] = useState(false), [said, setSaid] = useState(/** @type {{ok: boolean, text: string}|null} */ (null));
  const act = async () => {
    setBusy(true);
    try {
      const answer = await post(robotsPath + "/integrations/verify", { provider });
      setSaid({ ok: answer.valid, text: answer.error || "It works." });
    } catch (fault) {
      setSaid({ ok: false, text: /** @type {Error} */ (fault).message });
    }
    setBusy(false);
  };
  return html`<div class="platforms"><${Select} label="Chat platform" value=${provider} onChange=${(/** @type {string} */ to) => { pick(to); setSaid(null); }} options=${platforms.map(([value, text]) => ({ value, text }))} />
    <${Button} busy=${busy} onClick=${act}>Verify<//><p class="small" role="status">${said && html`<${Status} s=${said.ok ? "completed" : "failed"} word=${said.ok ? "Works" : "Not offered"} /> <span class="dim">${said.text}</span>`}</p></div>`;
}
