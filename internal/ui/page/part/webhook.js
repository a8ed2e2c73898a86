// One webhook: how it stands, what was sent to it, and how a receiver checks that.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { del, get, lacking, patch, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { usePages } from "../lib/list.js";
import { useLive } from "../lib/live.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Choice } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { At, Until } from "../lib/time.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { duration, plural, shortID } from "../lib/format.js";
import { toast } from "../lib/announce.js";
import { does, useAttempt } from "./attempt.js";
import { WebhookForm } from "./newhook.js";
import { Verification } from "./verify.js";

/** How a webhook is, as the status that it looks like. @param {any} hook */
export function stateOf(hook) {
  if (hook.status === "disabled") return { s: "paused", word: "Disabled" };
  if (hook.status === "paused") return { s: "failed", word: "Does not answer" };
  return hook.failures > 0 ? { s: "failed", word: plural(hook.failures, "failed attempt") } : { s: "completed", word: "Enabled" };
}

/** @param {{id: string, query: URLSearchParams, onClose: () => void, onChanged: () => void, onGone: () => void, onSecret: (made: any) => void}} props */
export function WebhookDrawer({ id, query, onClose, onChanged, onGone, onSecret }) {
  const path = "/v1/webhooks/" + encodeURIComponent(id), hook = useLoad((signal) => get(path, { signal }), [id], { on: ["run.changed", "resync"], every: 5000 });
  const one = hook.data, own = id === "default", lacks = lacking("webhooks:manage"), { busy, error, attempt } = useAttempt();
  const change = async (/** @type {"enabled"|"disabled"} */ status) => {
    if (status === "disabled" && !(await confirm({ title: "Disable this webhook?", body: "What happens until it is enabled again is not told to it, and what waits for it is given up.", act: "Disable webhook", keep: "Keep it on" }))) return;
    const now = await attempt(() => patch(path, { status }), status);
    if (now) { hook.set(() => now); onChanged(); }
  };
  const rotate = async () => {
    if (!(await confirm({ title: "Replace its secret?", body: "For 24 hours deliveries are signed with both, the new one first. The new one is shown once.", act: "Replace secret", keep: "Keep the secret", danger: false }))) return;
    const made = await attempt(() => post(path + "/rotate"), "rotate");
    if (made) { if (own) hook.reload(); onSecret(made); }
  };
  const remove = async () => {
    if (await confirm({ title: "Delete this webhook?", body: "What waits for it is not sent, and what was sent can’t be looked up any more.", act: "Delete webhook", keep: "Keep webhook" }) && await does(() => del(path), "Deleted the webhook", "Not deleted")) onGone();
  };
  const edit = (/** @type {boolean} */ on) => setQuery({ edit: on ? 1 : null }, { push: on });
  if (one && !own && query.get("edit")) {
    return html`<${WebhookForm} hook=${one} onClose=${() => edit(false)} onMade=${(/** @type {any} */ now) => { hook.set(() => now); onChanged(); edit(false); toast("Saved the webhook"); }} />`;
  }
  const footer = one && html`${!own && html`<${Button} kind="danger" lacks=${lacks} onClick=${remove}>Delete…<//>`}<span class="push" />${!own && html`<${Button} lacks=${lacks} onClick=${() => edit(true)}>Change…<//>`}<${Button} lacks=${lacks} busy=${busy === "rotate"} onClick=${rotate}>Replace secret…<//>
    ${!own && (one.status === "enabled" ? html`<${Button} lacks=${lacks} busy=${busy === "disabled"} onClick=${() => change("disabled")}><${Icon} name="pause" />Disable…<//>` : html`<${Button} kind="primary" lacks=${lacks} busy=${busy === "enabled"} onClick=${() => change("enabled")}><${Icon} name="go" />Enable<//>`)}`;
  return html`<${Drawer} class="wide" title=${own ? "Addresses of single runs" : one?.description || one?.url || "Webhook"} onClose=${onClose} footer=${footer}>
    ${hook.error && html`<${Trouble} error=${hook.error} what=${hook.error.status === 404 ? "There is no such webhook any more." : "The webhook could not be read."} retry=${hook.reload} />`}
    ${error && html`<${Trouble} error=${error} what="It was not changed." />`}
    ${!one && !hook.error && html`<${Skeleton} rows=${6} show=${hook.slow} />`}
    ${one && html`<div class="stack">${own ? html`<${OwnSecret} secret=${one.secret} />` : html`<${Facts} hook=${one} />`}
      <${Choice} label="What is shown of the webhook" small=${false} value=${query.get("show") || ""} onChange=${(/** @type {string} */ show) => setQuery({ show }, { push: true })} options=${[{ value: "", text: "Deliveries" }, { value: "verify", text: "Check the signature" }]} />
      ${query.get("show") === "verify" ? html`<p class="dim text">Whoever knows the address can send to it. Check each delivery before you believe it; one may come more than once, always under the same <code>webhook-id</code>.</p><${Verification} />` : html`<${Deliveries} path=${path} status=${query.get("status") || ""} lacks=${lacks} />`}</div>`}<//>`;
}

/** @param {{hook: any}} props */
function Facts({ hook }) {
  const { s, word } = stateOf(hook), why = hook.status_reason || "";
  return html`<dl class="kv"><dt>State</dt><dd><${Status} s=${s} word=${word} />${why && html` <span class="dim">${why[0].toUpperCase() + why.slice(1)}</span>`}</dd>
      <dt>Address</dt><dd class="any"><code>${hook.url}</code></dd>
      <dt>Is told of</dt><dd>${hook.events.map((/** @type {string} */ one) => html`<code>${one === "*" ? "everything" : one}</code> `)}</dd>
      <dt>Made</dt><dd><${At} at=${hook.created_at} /></dd><dt>Id</dt><dd class="row"><code class="id cut">${hook.id}</code><${Copy} text=${hook.id} label="Copy the webhook’s id" /></dd></dl>
    ${hook.status === "paused" && html`<div class="note-box" data-s="failed"><${Icon} name="warn" /><p>It is asked with one delivery at a time until it answers; then it gets all that waits. Enable it to have that happen at once.</p></div>`}`;
}

/** @param {{secret: string}} props */
function OwnSecret({ secret }) {
  const [shown, show] = useState(false);
  return html`<p class="dim text">What is sent to the <code>webhook_url</code> of single runs is signed with this secret.</p>
    <div class="secret-line"><code>${shown ? secret : "whsec_" + "•".repeat(20)}</code><button class="btn small quiet" type="button" onClick=${() => show(!shown)}><${Icon} name="eye" />${shown ? "Hide" : "Show"}</button><${Copy} text=${secret} label="Copy the secret" /></div>`;
}

/** How a delivery is, as the status that it looks like. @type {Record<string, {s: string, word: string}>} */
const came = { pending: { s: "queued", word: "Waits" }, succeeded: { s: "completed", word: "Arrived" }, failed: { s: "failed", word: "Given up" } };

/** @param {{path: string, status: string, lacks: string}} props */
function Deliveries({ path, status, lacks }) {
  const list = usePages(path + "/deliveries", { status }, { limit: 25 }), { busy, error, attempt } = useAttempt();
  // Nothing tells of deliveries: they are read again soon after what may have made one.
  const timers = useRef(/** @type {number[]} */ ([])), soon = () => {
    timers.current.forEach(clearTimeout);
    timers.current = [300, 1500, 6500].map((ms) => setTimeout(() => { if (now.current.length <= 25) list.reload(); }, ms));
  };
  const now = useRef(list.items);
  now.current = list.items;
  useEffect(() => () => timers.current.forEach(clearTimeout), []);
  useLive(["run.changed", "resync"], soon);
  const again = async (/** @type {any} */ one) => {
    const sent = await attempt(() => post(`${path}/deliveries/${encodeURIComponent(one.id)}/redeliver`), one.id);
    if (!sent) return;
    list.change((items) => items.map((each) => (each.id === sent.id ? sent : each)));
    soon();
  };
  return html`<section aria-label="Deliveries"><div class="head"><h3>Deliveries</h3><span class="note">kept for seven days</span><span class="push" />
      <${Choice} label="Which deliveries" value=${status} onChange=${(/** @type {string} */ to) => setQuery({ status: to })} options=${[{ value: "", text: "All" }, { value: "pending", text: "Waiting" }, { value: "succeeded", text: "Arrived" }, { value: "failed", text: "Given up" }]} />
      <button class="btn small icon" type="button" aria-label="Read the deliveries again" title="Read again" onClick=${list.reload}><${Icon} name="retry" /></button></div>
    ${list.error && html`<${Trouble} error=${list.error} what="The deliveries could not be read." retry=${list.reload} />`}
    ${error && html`<${Trouble} error=${error} what="It was not sent again." />`}
    ${list.items.map((one) => html`<${Sent} key=${one.id} one=${one} busy=${busy === one.id} lacks=${lacks} onAgain=${() => again(one)} />`)}
    ${list.slow && html`<${Skeleton} rows=${4} height=${52} />`}
    ${!list.loading && !list.error && !list.items.length && html`<${Empty} what=${status ? "None of these." : "Nothing was sent yet."} how="A delivery stands here from the moment at which its event happens." />`}
    ${list.more && html`<p><${Button} busy=${list.loading} onClick=${list.next}>Earlier deliveries<//></p>`}</section>`;
}

/** @param {{one: any, busy: boolean, lacks: string, onAgain: () => void}} props */
function Sent({ one, busy, lacks, onAgain }) {
  const is = came[one.status] || { s: "queued", word: one.status };
  return html`<div class="sent"><${Status} s=${is.s} word=${is.word} />
    <div class="what"><code>${one.event}</code> of <a class="id" href=${href("/runs/" + one.run)} title=${one.run}>${shortID(one.run)}</a>
      <div class="small faint any">${one.attempted_at ? html`<${At} at=${one.attempted_at} /> · ${one.response_status ? `answered ${one.response_status}` : "no answer"} after ${duration(one.ms)}` : html`<${At} at=${one.created_at} /> · not sent yet`}${one.attempts > 1 ? ` · ${plural(one.attempts, "attempt")}` : ""}${one.next_retry_at && html` · next <${Until} at=${one.next_retry_at} />`}${one.error && html`<div class="bad"><${Seen} text=${one.error} /></div>`}</div></div>
    <${Button} kind="small" busy=${busy} lacks=${lacks} onClick=${onAgain} aria-label=${`Send again: ${one.event} of ${shortID(one.run)}`}>Send again<//></div>`;
}
