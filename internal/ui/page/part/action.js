// One action that waits, in full: warnings, exact arguments, what it would do, why it
// waits, until when, and what an approval is for.
import { html, useMemo, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad } from "../lib/load.js";
import { Choice } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { Copy } from "../lib/clip.js";
import { json } from "../lib/exact.js";
import { Seen, countHidden } from "../lib/hidden.js";
import { money, plural, shortID, tokens } from "../lib/format.js";
import { Ago, At, Until, now } from "../lib/time.js";
import { RunStrip } from "../lib/strip.js";
import { Arguments, fieldsOf } from "./arguments.js";
import { Editor } from "./editor.js";

/** @typedef {import("../lib/inbox.js").Approval} Approval */

/** @param {{item: Approval, word: import("./word.js").Word, onOpened: (field: string) => void}} props */
export function Action({ item, word, onOpened }) {
  const [view, setView] = useState("fields"), hidden = useMemo(() => countHidden(item.arguments), [item]);
  const about = useLoad((signal) => get(`/v1/runs/${item.run}`, { signal }), [item.run]);
  const strip = useLoad((signal) => get("/v1/runs", { query: { q: item.run, include: "strip", limit: 1 }, signal }).then((list) => list.data[0] || null), [item.run]);
  return html`
    <div class="verb"><h2 class="as-h1"><${Seen} text=${item.tool} /></h2><${Effect} effect=${item.effect} /><span class="push" />
      <a class="btn small" href=${href("/runs/" + item.run)}>Open run</a></div>
    <p class="dim">Asked by ${item.agent ? html`<a href=${href("/agents/" + item.agent)}>${item.agent_name || item.agent}</a>` : "a run without an agent"}
      ${item.agent_version ? html` <span class="tag line">v${String(item.agent_version)}</span>` : ""}${item.step ? " in step " + item.step : ""}${" of "}<a class="id" href=${href("/runs/" + item.run)} title=${item.run}>${shortID(item.run)}</a> · waits <${Ago} at=${item.since} /></p>
    <div class="cols">
      <div class="stack main-col">
        <${Warnings} item=${item} hidden=${hidden} />
        <section aria-label="Arguments"><div class="head"><h3>Arguments</h3><span class="note desk">exactly as the tool gets them</span><span class="push" />
          ${word.mode !== "edit" && html`<${Choice} label="How the arguments are shown" value=${view} onChange=${setView} options=${[{ value: "fields", text: "Fields" }, { value: "json", text: "JSON" }]} />`}
          <${Copy} text=${json(item.arguments)} label="Copy the arguments" /></div>
          ${word.mode === "edit" ? html`<${Editor} key=${item.run + item.id + item.digest} item=${item} word=${word} />`
            : html`<${Arguments} value=${item.arguments} before=${item.original_arguments ?? undefined} fold raw=${view === "json"} onOpened=${onOpened} />`}
        </section>
        <${Before} run=${strip.data} about=${about.data} />
      </div>
      <div class="side"><${Preview} text=${item.preview} /><${Why} item=${item} /><${Expiry} item=${item} /><${Digest} text=${item.digest} /></div>
    </div>`;
}

/** @param {{effect?: string}} props */
export function Effect({ effect }) {
  /** @type {Record<string, string>} */
  const means = {
    once: "Repeating this call would do it twice. It runs once, or it halts and asks.",
    keyed: "A repetition carries the same Idempotency-Key, and the tool’s owner does it once.", safe: "Repeating this call does no harm.",
  };
  return effect ? html`<span class=${effect === "once" ? "tag once" : "tag line"} title=${means[effect]}>${effect}</span>` : null;
}

/** @param {{item: Approval, hidden: number}} props */
function Warnings({ item, hidden }) {
  const where = fieldsOf(item.arguments).filter(([name, value]) => countHidden(value) + countHidden(name) > 0).map(([name]) => name || "the value");
  return html`
    ${item.reason === "outcome_unknown" && html`<div class="note-box" data-s="failed" role="note"><${Icon} name="warn" /><div><b>Nobody knows whether this call happened.</b>
      <span class="dim"> It was begun, and its answer was lost. Look at what it would have done, then say.</span></div></div>`}
    ${item.reason === "changed" && html`<div class="note-box" data-s="failed" role="note"><${Icon} name="warn" /><div><b>It is not what was approved.</b>
      <span class="dim"> The tool or the arguments were changed after the approval, so it asks again.</span></div></div>`}
    ${hidden > 0 && html`<div class="note-box" data-s="failed" role="note"><${Icon} name="warn" /><div><b>${plural(hidden, "character")} in ${where.map((name, i) => html`${i ? ", " : ""}<code><${Seen} text=${name} /></code>`)} can’t be seen or ${hidden === 1 ? "imitates" : "imitate"} others.</b>
      <span class="dim"> They are shown below in place.</span></div></div>`}
    ${item.original_arguments && html`<div class="note-box" role="note"><${Icon} name="edit" /><div><b>Somebody has changed the arguments.</b><span class="dim"> What the model asked for is struck out.</span></div></div>`}`;
}

/** @param {{text: string}} props */
function Preview({ text }) {
  return html`<section><h3>What it would do</h3><p class="preview"><${Seen} text=${text} /></p></section>`;
}

/** @param {{item: Approval}} props */
function Why({ item }) {
  const missing = Number(item.approvals.missing), given = item.approvals.given.length;
  return html`<section><h3>Why it waits</h3>
    ${(item.causes || [{ kind: item.reason }]).map((/** @type {any} */ cause) => html`<p><${Cause} cause=${cause} item=${item} /></p>`)}
    ${missing + given > 1 && html`<p class="small dim approvers">${given ? `${plural(given, "key has", "keys have")} approved, ` : ""}${plural(missing, "more key has", "more keys have")} to. One rejection rejects it.</p>`}
    ${item.may && !item.may.approve && item.may.why && html`<p class="small bad">${item.may.why}</p>`}</section>`;
}

/** @param {{cause: {kind: string, gate?: string|null, when?: string|null}, item: Approval}} props */
function Cause({ cause, item }) {
  const agent = item.agent_name || "The run", gate = html`<code>${cause.gate || item.tool}</code>`;
  switch (cause.kind) {
    case "gate": return html`<span class="tag">gate</span> <span class="dim">${agent} asks before every</span> ${gate}.`;
    case "rule": return html`<span class="tag">rule</span> <span class="dim">${agent} asks before</span> ${gate} <span class="dim">where</span> <code><${Seen} text=${cause.when || ""} /></code>.`;
    case "after_untrusted": return html`<span class="tag">untrusted</span> <span class="dim">The run has read what others wrote; after that, ${agent} asks before</span> ${gate}.`;
    case "outcome_unknown": return html`<span class="tag">outcome unknown</span> <span class="dim">The server repeats nothing that may have happened.</span>`;
    case "changed": return html`<span class="tag">changed</span> <span class="dim">What was approved is not what would run now.</span>`;
    default: return html`<span class="tag">${cause.kind}</span>`;
  }
}

/** @param {{item: Approval}} props */
function Expiry({ item }) {
  if (!item.expires_at) return html`<section><h3>Expires</h3><p class="dim">Never: it waits until somebody decides.</p></section>`;
  const begin = Date.parse(item.since), end = Date.parse(item.expires_at), left = Math.max(0, Math.min(100, ((end - now.value) / (end - begin)) * 100));
  /** @type {Record<string, string>} */
  const then = { reject: "Then it is rejected and the run ends without acting.", continue: "Then it is rejected, and the run goes on.", approve: "Then it counts as approved, and the call is made." };
  return html`<section><h3>Expires</h3><p><${At} at=${item.expires_at} /> <span class="dim">· <${Until} at=${item.expires_at} past="any moment" /></span></p>
    <div class="ttl" role="progressbar" aria-label="Time left" aria-valuenow=${Math.round(left)} aria-valuemin="0" aria-valuemax="100"><i style=${{ width: left + "%" }} /></div>
    <p class="small faint">${then[item.on_expiry || "reject"]}</p></section>`;
}

/** @param {{text: string}} props */
function Digest({ text }) {
  const hex = text.replace(/^\w+:/, "");
  return html`<section class="digest"><h3>Digest</h3><code title=${text}>${(hex.match(/.{4}/g) || [hex]).join(" ")}</code>
    <p class="small faint">Covers tool, arguments and agent version. An approval holds for this digest alone and is used once.</p></section>`;
}

/** @param {{run: any, about: any}} props */
function Before({ run, about }) {
  const said = about?.trace?.findLast((/** @type {any} */ entry) => entry.action === "model" && entry.text)?.text;
  return html`<section class="before" aria-label="Before this"><div class="head"><h3>Before this</h3>
      ${about && html`<span class="note">${tokens(about.usage.total_tokens)} tokens · ${money(about.usage.cost_usd)}</span>`}<a class="push small" href=${href("/runs/" + (about?.id || ""))}>Waterfall</a></div>
    <div class="before-strip">${run && html`<${RunStrip} run=${run} wide />`}</div>
    <p class="dim task"><b>${about?.prompt ? "Task" : ""}</b> <${Seen} text=${cut(about?.prompt || "")} /></p>
    ${said && html`<p class="dim">“<${Seen} text=${cut(said)} />”</p>`}</section>`;
}

/** @param {string} text */
const cut = (text) => (text.length > 600 ? text.slice(0, 600) + "…" : text);
