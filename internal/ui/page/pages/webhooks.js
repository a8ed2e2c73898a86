// Webhooks: who is told what becomes of runs, and whether it has arrived.
import { html, useState } from "../lib/html.js";
import { all, lacking } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { useCommands } from "../lib/commands.js";
import { useAt, useRoving } from "../lib/list.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { Seen } from "../lib/hidden.js";
import { ToolTabs } from "../part/tooltabs.js";
import { WebhookForm, Secret } from "../part/newhook.js";
import { WebhookDrawer, stateOf } from "../part/webhook.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Webhooks({ query }) {
  const lacks = lacking("webhooks:manage"), hooks = useLoad((signal) => all("/v1/webhooks", {}, { signal }), [], { on: ["run.changed", "resync"], every: 5000 });
  const [secret, setSecret] = useState(/** @type {any} */ (null)), rows = hooks.data || [], [at, setAt] = useAt(rows), open = query.get("hook") || "";
  const show = (/** @type {string} */ id) => setQuery({ hook: id, status: null, show: null }, { push: true }), close = () => setQuery({ hook: null, status: null, show: null, new: null, edit: null });
  const roving = useRoving({ count: rows.length, at, onMove: setAt, onOpen: (i) => show(rows[i].id), noun: "webhook" });
  useCommands([{ text: "New webhook", note: "Action", icon: "plus", run: () => setQuery({ new: "1" }, { push: true }) }], []);
  return html`<${ToolTabs} at="/webhooks" />
    <section aria-label="Webhooks"><div class="head"><h2>Webhooks</h2><span class="note">a signed request to an address of yours when something becomes of a run</span><span class="push" />
      <${Button} kind="primary" lacks=${lacks} onClick=${() => setQuery({ new: "1" }, { push: true })}><${Icon} name="plus" />New webhook<//></div>
      ${hooks.error && html`<${Trouble} error=${hooks.error} what="The webhooks could not be read." retry=${hooks.reload} />`}
      ${rows.length > 0 && html`<table class="table list"><colgroup><col /><col class="c-events desk" /><col class="c-state" /><col class="c-made desk" /></colgroup>
        <thead><tr><th>Tells</th><th class="desk">When a run</th><th>State</th><th class="num desk">Made</th></tr></thead>
        <tbody>${rows.map((one, i) => html`<tr key=${one.id} data-current=${i === at ? "" : undefined} onClick=${(/** @type {any} */ event) => { if (!event.defaultPrevented && !event.target.closest("a") && !String(getSelection())) show(one.id); }}>
          <td class="cut"><a class="name" href=${href("/webhooks?hook=" + one.id)} onFocus=${() => setAt(i)} ...${roving.item(i)}><${Seen} text=${one.description || one.url} /></a>${one.description && html`<span class="sub cut">${one.url}</span>`}</td>
          <td class="desk dim cut">${events(one.events)}</td><td class="cut"><${Status} ...${stateOf(one)} /></td>
          <td class="num desk dim"><${At} at=${one.created_at} /></td></tr>`)}</tbody></table>`}
      ${hooks.data?.length === 0 && html`<${Empty} what="Nobody is told yet." how="A webhook is an address of yours that hears when runs end, fail or wait for an approval, signed so that you can check who speaks."><${Button} lacks=${lacks} onClick=${() => setQuery({ new: "1" }, { push: true })}>New webhook<//><//>`}
      ${!hooks.data && !hooks.error && html`<${Skeleton} rows=${3} show=${hooks.slow} />`}</section>
    <section aria-label="Addresses of single runs" class="single"><div><h3>Addresses of single runs</h3><p class="dim">A run can name its own <code>webhook_url</code>. What is sent there is signed with a secret of the project.</p></div>
      <a class="btn" href=${href("/webhooks?hook=default")}>Secret and deliveries</a></section>
    ${open && html`<${WebhookDrawer} key=${open} id=${open} query=${query} onClose=${close} onChanged=${hooks.reload} onGone=${() => { close(); hooks.reload(); }} onSecret=${setSecret} />`}
    ${query.get("new") && html`<${WebhookForm} onClose=${close} onMade=${(/** @type {any} */ made) => { setSecret(made); setQuery({ new: null }); hooks.reload(); }} />`}
    ${secret && html`<${Secret} made=${secret} onClose=${() => setSecret(null)} />`}`;
}

/** @type {Record<string, string>} */
const verbs = { "*": "ends, or awaits approval", "run.completed": "completes", "run.failed": "fails", "run.cancelled": "is cancelled", "run.awaiting_approval": "awaits approval" };

/** @param {string[]} list */
const events = (list) => (list.includes("*") ? ["*"] : list).map((one) => verbs[one] || one).join(", ");
