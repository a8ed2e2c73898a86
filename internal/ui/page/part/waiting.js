// The list of what waits, and of what has just been decided.
import { html } from "../lib/html.js";
import { href } from "../lib/root.js";
import { Status } from "../lib/glyph.js";
import { Seen } from "../lib/hidden.js";
import { Ago, Until } from "../lib/time.js";

/**
 * @typedef {{kind: "action", name: string, item: import("../lib/inbox.js").Approval} | {kind: "question", name: string, item: any}} Row
 *   name: "<run>/<action>", or the run's id for a question
 */

/** Where a row is shown. @param {Row} row */
export const pathOf = (row) => "/approvals/" + (row.kind === "action" ? row.name : row.name + "/question");

/**
 * @param {{row: Row, current: boolean, chosen: boolean, onChoose: (on: boolean) => void, given: any}} props  given: from useRoving
 */
export function WaitingRow({ row, current, chosen, onChoose, given }) {
  return html`<li class=${chosen ? "chosen" : ""}>
    ${row.kind === "action" ? html`<input type="checkbox" class="pick" checked=${chosen} aria-label=${"Select " + row.item.tool} tabindex="-1" onChange=${(/** @type {any} */ event) => onChoose(event.target.checked)} />` : html`<span />`}
    <a href=${href(pathOf(row))} aria-current=${current ? "true" : undefined} ...${given}>
      ${row.kind === "action" ? html`<${ActionLines} item=${row.item} />` : html`<${QuestionLines} run=${row.item} />`}
    </a></li>`;
}

/** @param {{item: import("../lib/inbox.js").Approval}} props */
function ActionLines({ item }) {
  return html`<${Status} s="awaiting_approval" alone /><b class="cut"><${Seen} text=${item.tool} /></b>
    <span class="left">${item.expires_at ? html`<${Until} at=${item.expires_at} word="" past="over" /> left` : "no expiry"}</span>
    <span class="l2 cut dim"><${Seen} text=${item.preview} /></span>
    <span class="l3 cut">${item.agent_name || "a run"} · waits <${Ago} at=${item.since} />${item.reason === "outcome_unknown" ? html` · <span class="bad">outcome unknown</span>` : item.reason === "changed" ? html` · <span class="bad">changed</span>` : ""}</span>`;
}

/** @param {{run: any}} props */
function QuestionLines({ run }) {
  return html`<${Status} s="awaiting_input" alone /><b class="cut">Question</b><span class="left">no expiry</span>
    <span class="l2 cut dim"><${Seen} text=${run.title} /></span><span class="l3 cut">${run.agent_name || "a run"} · waits <${Ago} at=${run.updated_at || run.created_at} /></span>`;
}

/** @param {{one: import("./gone.js").Gone}} props */
export function GoneRow({ one }) {
  return html`<li class="gone"><span /><a href=${href("/runs/" + one.item.run)}><${Status} s=${one.s} alone word=${one.text} /><span class="cut"><${Seen} text=${one.item.tool} /></span>
    <span class="left"><${Ago} at=${one.at} ago /></span><span class="l2 cut"><${Seen} text=${one.item.preview} /></span><span class="l3 cut">${one.text} ${one.who && html`<span class="mono">${one.who}</span>`}</span></a></li>`;
}
