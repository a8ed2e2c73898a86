// A webhook, made or changed; and its secret, shown once.
import { html, useState } from "../lib/html.js";
import { patch, post } from "../lib/api.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check, TextField } from "../lib/field.js";
import { Drawer, Modal } from "../lib/dialog.js";
import { Copy } from "../lib/clip.js";
import { useAttempt } from "./attempt.js";
import { Verification } from "./verify.js";

/** What can be told. @type {[string, string][]} */
const events = [["run.completed", "it has an answer"], ["run.failed", "it has failed, or was cancelled"], ["run.cancelled", "it was cancelled, and nothing of failures"], ["run.awaiting_approval", "a person has to decide"]];

/** @param {{hook?: any, onClose: () => void, onMade: (made: any) => void}} props  hook: the one to be changed */
export function WebhookForm({ hook, onClose, onMade }) {
  const before = hook || { url: "", description: "", events: ["run.completed", "run.failed"] };
  const [url, setURL] = useState(before.url), [words, setWords] = useState(before.description), [every, setEvery] = useState(before.events.includes("*")), [chosen, setChosen] = useState(/** @type {string[]} */ (before.events.filter((/** @type {string} */ one) => one !== "*")));
  const { busy, error, wrong, stray, attempt } = useAttempt(), wanted = every ? ["*"] : chosen, moved = url.trim() !== before.url;
  /** @type {Record<string, any>} what is changed, and nothing else: somebody may have changed the rest meanwhile */
  const changes = { ...(moved && { url: url.trim() }), ...(words.trim() !== before.description && { description: words.trim() }), ...([...wanted].sort().join() !== [...before.events].sort().join() && { events: wanted }) };
  const [refused, setRefused] = useState(""); // the address that the server has last looked at
  const save = async () => {
    setRefused(url);
    const made = await attempt(() => (hook ? patch("/v1/webhooks/" + encodeURIComponent(hook.id), changes) : post("/v1/webhooks", { url: url.trim(), events: wanted, description: words.trim() || null })));
    if (made) onMade(made);
  };
  const off = !url.trim() || !wanted.length || (hook && !Object.keys(changes).length);
  return html`<${Drawer} class=${hook ? "wide" : ""} title=${hook ? "Change webhook" : "New webhook"} onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>${hook ? "Keep it as it is" : "Make none"}</button><${Button} kind="primary" busy=${!!busy} disabled=${off} onClick=${save}>${hook ? "Save webhook" : "Create webhook"}<//>`}>
    <div class="stack form">${stray(["url", "events", "description"]) && html`<${Trouble} error=${error} what=${hook ? "The webhook was not changed." : "The webhook was not made."} />`}
      <${TextField} label="Address" type="url" value=${url} onInput=${setURL} error=${url === refused ? wrong("url") : undefined} placeholder="https://example.com/hooks/errand" spellcheck="false" hint=${hook && moved ? "What waits is sent there, too, signed with the secret that it has." : "https, or what this server’s operator has allowed. A 2xx within ten seconds means that it has arrived."} />
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
