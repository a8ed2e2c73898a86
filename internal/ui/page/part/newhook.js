// A webhook, made; and its secret, shown once.
import { html, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check, TextField } from "../lib/field.js";
import { Drawer, Modal } from "../lib/dialog.js";
import { Copy } from "../lib/clip.js";
import { useAttempt } from "./attempt.js";
import { Verification } from "./verify.js";

/** What can be told. @type {[string, string][]} */
const events = [["run.completed", "it has an answer"], ["run.failed", "it has failed, or was cancelled"], ["run.cancelled", "it was cancelled"], ["run.awaiting_approval", "a person has to decide"]];

/** @param {{onClose: () => void, onMade: (made: any) => void}} props */
export function NewWebhook({ onClose, onMade }) {
  const [url, setURL] = useState(""), [words, setWords] = useState(""), [every, setEvery] = useState(false), [chosen, setChosen] = useState(/** @type {string[]} */ (["run.completed", "run.failed"]));
  const { busy, error, wrong, stray, attempt } = useAttempt();
  const save = async () => {
    const made = await attempt(() => post("/v1/webhooks", { url: url.trim(), events: every ? ["*"] : chosen, description: words.trim() || null }));
    if (made) onMade(made);
  };
  return html`<${Drawer} title="New webhook" onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Make none</button><${Button} kind="primary" busy=${!!busy} disabled=${!url.trim() || !(every || chosen.length)} onClick=${save}>Create webhook<//>`}>
    <div class="stack form">${stray(["url", "events", "description"]) && html`<${Trouble} error=${error} what="The webhook was not made." />`}
      <${TextField} label="Address" type="url" value=${url} onInput=${setURL} error=${wrong("url")} placeholder="https://example.com/hooks/errand" spellcheck="false" hint="https, or what this server’s operator has allowed. A 2xx within ten seconds means that it has arrived." />
      <${TextField} label="Description" value=${words} onInput=${setWords} error=${wrong("description")} maxlength="500" hint="For people." />
      <fieldset class="events"><legend class="label">Tell it when</legend>
        <${Check} label="anything becomes of a run, what is new in later versions included" checked=${every} onChange=${setEvery} />
        ${!every && events.map(([one, means]) => html`<${Check} key=${one} label=${html`<code>${one}</code> <span class="faint">${means}</span>`} checked=${chosen.includes(one)} onChange=${(/** @type {boolean} */ on) => setChosen(on ? [...chosen, one] : chosen.filter((other) => other !== one))} />`)}
        ${wrong("events") && html`<p class="small bad">${wrong("events")}</p>`}</fieldset></div><//>`;
}

/** @param {{made: any, onClose: () => void}} props */
export function Secret({ made, onClose }) {
  return html`<${Modal} class="secret" title="The webhook’s secret" onClose=${onClose} footer=${html`<button class="btn primary" type="button" onClick=${onClose}>I have kept it</button>`}>
    <div class="stack"><p><b>It is shown this once.</b> Whoever has it can check that a delivery comes from this server, and can imitate one.</p>
      <div class="secret-line"><code>${made.secret}</code><${Copy} text=${made.secret} label="Copy the secret" word="Copy" /></div>
      <${Verification} /></div><//>`;
}
