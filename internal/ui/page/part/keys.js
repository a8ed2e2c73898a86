// API keys: made, rotated, revoked. A secret is shown once, with a request that tests it.
import { html, useState } from "../lib/html.js";
import { all, del, get, lacking, may, post } from "../lib/api.js";
import { server } from "../lib/root.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check, Select, TextField } from "../lib/field.js";
import { Drawer, Modal, confirm } from "../lib/dialog.js";
import { Icon, Status } from "../lib/glyph.js";
import { Ago, At } from "../lib/time.js";
import { toast } from "../lib/announce.js";
import { Code } from "../lib/snippet.js";
import { Copy } from "../lib/clip.js";
import { session } from "../lib/api.js";
import { plural } from "../lib/format.js";

/** What each scope lets one do. @type {[string, string][]} */
export const scopes = [
  ["runs:read", "see runs, approvals and streams"], ["runs:write", "start, steer and end runs"], ["runs:approve", "decide on what waits"],
  ["agents:read", "see agents"], ["agents:write", "change agents and robots"], ["agents:execute", "run saved agents"],
  ["tools:read", "see tools"], ["tools:write", "register and change tools"], ["index:read", "search the index"], ["index:write", "add to the index"],
  ["webhooks:manage", "webhooks"], ["files:read", "read files"], ["files:write", "store files"], ["context:*", "everything that tools ask scopes for"],
  ["keys:write", "make and revoke keys"], ["audit:read", "read the audit log"], ["metrics:read", "read the figures of all projects"], ["admin", "everything, in every project"],
];

const usual = scopes.map(([name]) => name).filter((name) => !["keys:write", "audit:read", "metrics:read", "admin"].includes(name));

export function Keys() {
  const keys = useLoad((signal) => all("/v1/keys", {}, { signal }), []);
  const [making, setMaking] = useState(false), [secret, setSecret] = useState(/** @type {any} */ (null)), [gone, setGone] = useState(false);
  const shown = (keys.data || []).filter((one) => gone || !isOver(one)), over = (keys.data || []).length - (keys.data || []).filter((one) => !isOver(one)).length;
  const made = (/** @type {any} */ key) => { setMaking(false); setSecret(key); keys.reload(); };
  return html`<section aria-label="API keys">
    <div class="head"><h2>API keys</h2><span class="note">a key is for one project, and opens what its scopes say</span><span class="push" />
      ${over > 0 && html`<${Check} look="switch" label=${"Show " + plural(over, "ended key")} checked=${gone} onChange=${setGone} />`}
      <${Button} kind="primary" lacks=${lacking("admin")} onClick=${() => setMaking(true)}><${Icon} name="plus" />New key<//></div>
    ${keys.error && html`<${Trouble} error=${keys.error} what="The keys could not be read." retry=${keys.reload} />`}
    ${keys.data && html`<${KeyTable} keys=${shown} onChanged=${keys.reload} onSecret=${setSecret} />`}
    ${!keys.data && !keys.error && html`<${Skeleton} rows=${4} show=${keys.slow} />`}
    ${keys.data && !shown.length && html`<${Empty} what="No keys yet." how="A program signs in with a key; give each its own, with the least that it needs." />`}
    ${making && html`<${NewKey} onClose=${() => setMaking(false)} onMade=${made} />`}
    ${secret && html`<${Secret} made=${secret} onClose=${() => setSecret(null)} />`}</section>`;
}

/** @param {any} key */
const isOver = (key) => !!key.revoked_at || (key.expires_at && Date.parse(key.expires_at) <= Date.now());

/** @param {{keys: any[], onChanged: () => void, onSecret: (made: any) => void}} props */
function KeyTable({ keys, onChanged, onSecret }) {
  const own = session.value ? session.value.key.id : "";
  return html`<div class="scroll" tabindex="0"><table class="table"><thead><tr><th>Name</th><th class="desk">Prefix</th><th class="desk">Scopes</th><th class="desk">For</th><th class="num desk">Last used</th><th class="num">Expires</th><th><span class="sr">What one can do</span></th></tr></thead>
    <tbody>${keys.map((one) => html`<tr key=${one.id}>
      <td><b class="name">${one.name}</b>${one.id === own && html` <span class="tag">yours</span>`}${one.project !== "default" && html` <span class="tag line">${one.project}</span>`}</td>
      <td class="desk"><code class="id">${one.prefix ? one.prefix + "…" : "by ERRAND_ADMIN_KEY"}</code></td>
      <td class="desk">${one.scopes.length > 3 ? html`<span title=${one.scopes.join(", ")}>${one.scopes.slice(0, 2).join(", ")} and ${one.scopes.length - 2} more</span>` : one.scopes.join(", ")}</td>
      <td class="desk">${one.agents ? [...(one.agents.length ? [plural(one.agents.length, "agent")] : []), ...(one.robots.length ? [plural(one.robots.length, "robot")] : [])].join(", ") : html`<span class="faint">all</span>`}</td>
      <td class="num desk">${one.last_used_at ? html`<${Ago} at=${one.last_used_at} ago />` : html`<span class="faint">never</span>`}</td>
      <td class="num">${one.revoked_at ? html`<${Status} s="cancelled" word="Revoked" />` : isOver(one) ? html`<${Status} s="cancelled" word="Expired" />` : one.expires_at ? html`<${At} at=${one.expires_at} />` : html`<span class="faint">never</span>`}</td>
      <td class="num">${!isOver(one) && html`<${KeyActs} one=${one} onChanged=${onChanged} onSecret=${onSecret} />`}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{one: any, onChanged: () => void, onSecret: (made: any) => void}} props */
function KeyActs({ one, onChanged, onSecret }) {
  const [rotating, setRotating] = useState(false), lacks = lacking("keys:write") || (one.prefix ? "" : "This key is the server’s setting ERRAND_ADMIN_KEY: change it there.");
  const revoke = async () => {
    const sure = await confirm({ title: "Revoke " + one.name + "?", body: "It opens nothing from this moment on; streams that it has opened end. Runs that it has started go on.", act: "Revoke key", keep: "Keep key" });
    if (!sure) return;
    try {
      await del("/v1/keys/" + one.id);
      toast("Revoked " + one.name, { s: "cancelled" });
    } catch (error) {
      toast("Not revoked", { s: "failed", detail: /** @type {Error} */ (error).message });
    }
    onChanged();
  };
  return html`<span class="acts"><${Button} kind="small quiet" lacks=${lacks} onClick=${() => setRotating(true)} aria-label=${"Rotate " + one.name + "…"}>Rotate…<//>
    <${Button} kind="small quiet danger" lacks=${lacks} onClick=${revoke} aria-label=${"Revoke " + one.name + "…"}>Revoke…<//></span>
    ${rotating && html`<${Rotate} one=${one} onClose=${() => setRotating(false)} onMade=${(/** @type {any} */ made) => { setRotating(false); onSecret(made); onChanged(); }} />`}`;
}

/** @param {{one: any, onClose: () => void, onMade: (made: any) => void}} props */
function Rotate({ one, onClose, onMade }) {
  const [overlap, setOverlap] = useState("86400"), [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null));
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      onMade(await post(`/v1/keys/${one.id}/rotate`, { overlap_s: Number(overlap) }));
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<${Modal} title=${"Rotate " + one.name} onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Keep its secret</button><${Button} kind="primary" busy=${busy} onClick=${act}>Rotate key<//>`}>
    <div class="stack"><p>The key gets another secret; its id, scopes and budgets stay.</p>
      <${Select} label="The secret that it has now works on for" value=${overlap} onChange=${setOverlap} options=${[{ value: "0", text: "no time: it ends at once" }, { value: "3600", text: "1 hour" }, { value: "86400", text: "1 day" }, { value: "604800", text: "7 days" }]} />
      ${error && html`<${Trouble} error=${error} what="The key was not rotated." />`}</div><//>`;
}

/** @param {{made: any, onClose: () => void}} props */
function Secret({ made, onClose }) {
  const test = `curl '${server}/v1/runs?limit=1' \\\n  -H "Authorization: Bearer ${made.secret}"`;
  return html`<${Modal} class="secret" title=${"The secret of " + made.name} onClose=${onClose} footer=${html`<button class="btn primary" type="button" onClick=${onClose}>I have kept it</button>`}>
    <div class="stack"><p><b>It is shown this once.</b> The server keeps its hash alone.</p>
      <div class="secret-line"><code>${made.secret}</code><${Copy} text=${made.secret} label="Copy the secret" word /></div>
      <${Code} text=${test} caption="A request that tests it" /></div><//>`;
}

const alone = "With nothing chosen here, the key is for all agents and robots. Otherwise it is for those that are chosen, and starts and sees their runs alone.";

/** @param {{onClose: () => void, onMade: (made: any) => void}} props */
function NewKey({ onClose, onMade }) {
  const [name, setName] = useState(""), [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set(usual))), [days, setDays] = useState("90");
  const [agents, setAgents] = useState(/** @type {Set<string>} */ (new Set())), [robots, setRobots] = useState(/** @type {Set<string>} */ (new Set())), [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null));
  const known = useLoad((signal) => all("/v1/agents", {}, { signal }), []), wrong = error?.fields || {};
  const staff = useLoad((signal) => (may("agents:read") ? get("/v1/agent/robots", { query: { pagesize: 100 }, signal }).then((page) => page.data || []) : Promise.resolve([])), []);
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      onMade(await post("/v1/keys", {
        name, scopes: scopes.map(([one]) => one).filter((one) => chosen.has(one)),
        ...(days ? { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() } : {}), ...(agents.size ? { agents: [...agents] } : {}), ...(robots.size ? { robots: [...robots] } : {}),
      }));
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  const toggle = (/** @type {Set<string>} */ all, /** @type {string} */ one, /** @type {boolean} */ on) => new Set(on ? [...all, one] : [...all].filter((other) => other !== one));
  return html`<${Drawer} title="New key" onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Make none</button><${Button} kind="primary" busy=${busy} disabled=${!name.trim()} onClick=${act}>Create key<//>`}>
    <div class="stack">${error && !Object.keys(wrong).length && html`<${Trouble} error=${error} what="The key was not made." />`}
      <${TextField} label="Name" value=${name} onInput=${setName} error=${wrong.name} hint="Who or what signs in with it." maxlength="100" />
      <${Select} label="Expires" value=${days} onChange=${setDays} error=${wrong.expires_at} options=${[{ value: "7", text: "in 7 days" }, { value: "30", text: "in 30 days" }, { value: "90", text: "in 90 days" }, { value: "365", text: "in a year" }, { value: "", text: "never" }]} />
      <fieldset class="scopes"><legend class="label">Scopes</legend>${scopes.map(([one, means]) => html`<${Check} key=${one} label=${html`<code>${one}</code> <span class="faint">${means}</span>`} checked=${chosen.has(one)} onChange=${(/** @type {boolean} */ on) => setChosen(toggle(chosen, one, on))} />`)}</fieldset>
      ${(known.data || []).length > 0 && html`<fieldset class="scopes"><legend class="label">Agents</legend><p class="hint faint small">${alone}</p>
        ${known.data?.map((one) => html`<${Check} key=${one.id} label=${one.name} checked=${agents.has(one.id)} onChange=${(/** @type {boolean} */ on) => setAgents(toggle(agents, one.id, on))} />`)}</fieldset>`}
      ${(staff.data || []).length > 0 && html`<fieldset class="scopes"><legend class="label">Robots</legend><p class="hint faint small">${(known.data || []).length ? "With a robot chosen, it talks to that robot, and sees and steers what it does." : alone}</p>
        ${staff.data?.map((/** @type {any} */ one) => html`<${Check} key=${one.member_id} label=${one.display_name} checked=${robots.has(one.member_id)} onChange=${(/** @type {boolean} */ on) => setRobots(toggle(robots, one.member_id, on))} />`)}</fieldset>`}
    </div><//>`;
}
