// What needs a person, the most urgent first. It leads to the whole of it: nobody
// decides here, where the arguments do not stand.
import { html } from "../lib/html.js";
import { href } from "../lib/root.js";
import { approvals, inboxError, questions, readInbox } from "../lib/inbox.js";
import { Glyph } from "../lib/glyph.js";
import { Key } from "../lib/keys.js";
import { Ago, Until } from "../lib/time.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { whose } from "../lib/names.js";

const room = 5;

export function NeedsYou() {
  const actions = approvals.value, asking = questions.value;
  const total = (actions?.length || 0) + asking.length;
  const shown = (actions || []).slice(0, Math.max(1, room - Math.min(asking.length, 2)));
  const rest = asking.slice(0, room - shown.length);
  return html`<section aria-labelledby="needs">
    <div class="head"><h2 id="needs">Needs you</h2><a class="push small" href=${href("/approvals")}>Open inbox <span class="desk keys-in"><${Key} k="g a" /></span></a></div>
    ${inboxError.value && html`<${Trouble} error=${inboxError.value} what="What waits for you could not be read." retry=${readInbox} />`}
    ${!actions ? html`<${Skeleton} rows=${3} height=${79} show=${false} />` : total === 0
      ? html`<${Empty} what="Nothing waits for you" how="When an agent wants to do something that you gated, it waits here."><a class="btn" href=${href("/agents")}>Add a gate to an agent</a><//>`
      : html`<ul class="need">${shown.map((one) => html`<${Action} key=${one.run + one.id} one=${one} />`)}${rest.map((one) => html`<${Question} key=${one.id} run=${one} />`)}</ul>
        ${total > room && html`<p class="small dim more-wait"><a href=${href("/approvals")}>${total - shown.length - rest.length} more</a></p>`}`}
  </section>`;
}

/** @param {{one: import("../lib/inbox.js").Approval}} props */
function Action({ one }) {
  const unknown = one.reason === "outcome_unknown", who = one.agent_name || "a run without an agent", word = unknown ? "Resolve" : "Review";
  return html`<li><span class="st" data-s="awaiting_approval"><${Glyph} s="awaiting_approval" /></span>
    <span class="what cut">${one.tool}</span><span class="cut dim said">${one.preview.split("\n")[0]}</span>
    <span class="meta">${who} · waits <${Ago} at=${one.since} />${unknown ? html` · <span class="bad">outcome unknown</span>` : one.expires_at ? html` · expires <${Until} at=${one.expires_at} />` : " · no expiry"}</span>
    <span class="act"><a class="btn small" href=${href(`/approvals/${one.run}/${encodeURIComponent(one.id)}`)} aria-label=${`${word} ${one.tool} of ${who}`}>${word}</a></span></li>`;
}

/** @param {{run: any}} props */
function Question({ run }) {
  return html`<li><span class="st" data-s="awaiting_input"><${Glyph} s="awaiting_input" /></span>
    <span class="what cut">Question</span><span class="cut dim said">${run.title}</span>
    <span class="meta">${whose(run.agent) || "a run without an agent"} · began <${Ago} at=${run.created_at} ago /></span>
    <span class="act"><a class="btn small" href=${href("/runs/" + run.id)} aria-label=${"Answer " + run.title}>Answer</a></span></li>`;
}
