// The bar that decides: approve, reject with a reason, edit the arguments. It works
// only where the exact arguments stand.
import { html, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { lacking } from "../lib/api.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check } from "../lib/field.js";
import { Key, shortcut, useKeys } from "../lib/keys.js";
import { Pressed, useMeant } from "../lib/deliberate.js";
import { plural } from "../lib/format.js";
import { confirm } from "../lib/dialog.js";
import { Editor } from "./editor.js";
import { useWord } from "./word.js";

/**
 * @typedef {import("./word.js").Approval} Approval
 * @typedef {{
 *   item: Approval, hidden: number, unopened?: number, compact?: boolean, next?: string, word?: import("./word.js").Word,
 *   onDecided?: (item: Approval, said: import("./word.js").Said) => void,
 * }} DecideProps  hidden: how many characters of what is shown could deceive; unopened: how many folded values were not opened;
 *   next: what follows; word: how it stands, if the page keeps that and shows the fields that are edited itself;
 *   onDecided: when the server has said so
 */

/** @param {DecideProps} props */
export function Decide(props) {
  return props.word ? html`<${Bar} ...${props} />` : html`<${Alone} ...${props} />`;
}

/** @param {DecideProps} props */
function Alone(props) {
  const word = useWord(props.item, props.onDecided);
  return html`${word.mode === "edit" && html`<div class="decide-edit"><${Editor} item=${props.item} word=${word} /></div>`}<${Bar} ...${props} word=${word} />`;
}

/** @param {DecideProps} props */
function Bar({ item, hidden, unopened = 0, compact, next, word: given }) {
  const word = /** @type {import("./word.js").Word} */ (given), unknown = item.reason === "outcome_unknown";
  const may = (/** @type {"approve"|"reject"|"edit"} */ what) => lacking("runs:approve") || (item.may && !item.may[what] ? item.may.why || "Your key may not." : "");
  const lacks = may("approve");
  const meant = useMeant([item.run, item.id, item.digest, word.mode, word.ready].join(), () => lacks || notYet(word) || word.early()), { press } = meant;
  const approve = () => { if (!lacks && word.ready) word.approve(); };
  const reject = () => { if (!may("reject") && !word.busy) word.setMode("reject"); };
  const edit = () => { if (!may("edit") && !word.busy && !unknown) word.setMode("edit"); };
  useKeys([
    { keys: "a", does: unknown ? "" : "Approve", where: "Approvals", run: approve, when: () => !unknown && word.mode !== "reject", decides: meant.guard },
    { keys: "r", does: unknown ? "" : "Reject…", where: "Approvals", run: reject, when: () => !unknown },
    { keys: "e", does: unknown ? "" : "Edit arguments", where: "Approvals", run: edit, when: () => !unknown },
    { keys: "Escape", does: "", run: () => word.setMode(""), when: () => word.mode !== "" },
  ], [unknown]);
  const trouble = word.error && html`<${Trouble} error=${word.error} what="Nothing was decided." />`;
  if (word.mode === "reject") return html`<div class=${"decide open" + (compact ? " compact" : "")}>${trouble}<${Rejecting} word=${word} /></div>`;
  if (unknown) return html`<div class=${"decide" + (compact ? " compact" : "")}>${trouble}<${Unknown} item=${item} word=${word} lacks=${lacks} click=${meant.click} />${press.why && html`<${Pressed} press=${press} />`}</div>`;
  return html`<div class=${"decide" + (compact ? " compact" : "")}>
    ${trouble}
    <${Button} kind="you" busy=${word.busy === "approve"} lacks=${lacks} disabled=${!word.ready} data-held=${press.held ? "" : undefined} onClick=${meant.click(approve)} aria-keyshortcuts=${shortcut("a")}>${approveText(word, hidden)} <${Key} k="a" /><//>
    ${word.mode === "edit"
      ? html`<button class="btn" type="button" onClick=${() => word.setMode("")}>Leave as it is</button>`
      : html`<${Button} lacks=${may("reject")} disabled=${!!word.busy} onClick=${reject} aria-keyshortcuts=${shortcut("r")}>Reject… <${Key} k="r" /><//>
        <${Button} lacks=${may("edit")} disabled=${!!word.busy} onClick=${edit} aria-keyshortcuts=${shortcut("e")}><span>Edit<span class="desk"> arguments</span></span> <${Key} k="e" /><//>`}
    ${!compact && word.mode !== "edit" && html`<${Reach} item=${item} word=${word} />`}
    ${unopened > 0 && html`<span class="small bad">${plural(unopened, "value")} not opened</span>`}
    ${press.held || press.why ? html`<${Pressed} press=${press} />` : !compact && html`<span class="what small faint push">${next ? html`Then the next one follows: <b>${next}</b>` : "The last one."}</span>`}
  </div>`;
}

/** Why approving does not work just now, "" = it does. @param {import("./word.js").Word} word */
function notYet(word) {
  if (word.ready) return "";
  if (word.busy) return "The answer of the server has not come yet.";
  return word.draft === null ? "One of the fields is no JSON yet." : "The server has not agreed to these arguments.";
}

/** @param {import("./word.js").Word} word @param {number} hidden */
function approveText(word, hidden) {
  if (word.changed) return "Approve with these arguments";
  return hidden ? `Approve with ${plural(hidden, "hidden character")}` : "Approve";
}

/** How far an approval reaches. @param {{item: Approval, word: import("./word.js").Word}} props */
function Reach({ item, word }) {
  return html`<label class="reach desk"><span class="sr">How far the approval reaches</span>
    <select class="in" value=${word.reach} onChange=${(/** @type {any} */ event) => word.setReach(event.target.value)}>
      <option value="once">this call only</option>
      <option value="arguments">each such call of this run</option>
      <option value="run">each ${item.tool} of this run</option>
    </select></label>`;
}

/** @param {{word: import("./word.js").Word}} props */
function Rejecting({ word }) {
  const [reason, setReason] = useState(""), [goOn, setGoOn] = useState(false), field = useRef(/** @type {any} */ (null));
  useLayoutEffect(() => field.current?.focus(), []); // what is typed next is the reason
  const act = () => { if (!word.busy) word.reject(reason.trim(), goOn); };
  useKeys([{ keys: "mod+Enter", does: "Reject, with the reason", where: "Approvals", run: act, within: () => field.current?.closest(".decide") }]);
  return html`
    <label class="why grow"><span class="label">Why not? <span class="faint">It stands in the log${goOn ? ", and the model is told" : ""}.</span></span>
      <input ref=${field} class="in" maxlength="2000" value=${reason} onInput=${(/** @type {any} */ event) => setReason(event.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") act(); }} /></label>
    <${Check} label="The run goes on" checked=${goOn} onChange=${setGoOn} title="The model is told of the rejection, and may ask for something else" />
    <${Button} kind="danger solid" busy=${word.busy === "reject"} onClick=${act}>${goOn ? "Reject" : "Reject and end the run"}<//>
    <button class="btn" type="button" onClick=${() => word.setMode("")}>Not yet</button>`;
}

/**
 * Nobody knows whether the call happened: another question, other buttons.
 * @param {{item: Approval, word: import("./word.js").Word, lacks: string, click: (act: () => void) => (event: MouseEvent) => void}} props
 */
function Unknown({ item, word, lacks, click }) {
  const stop = async () => {
    const sure = await confirm({ title: "Stop this run?", body: `${item.title || "The run"} ends as cancelled. Whether ${item.tool} happened stays unknown.`, act: "Stop the run", keep: "Keep it waiting" });
    if (sure) word.stop();
  };
  return html`
    <${Button} kind="you" busy=${word.busy === "reject"} lacks=${lacks} disabled=${!!word.busy} title="The model is told that it happened, and the run goes on" onClick=${click(() => word.reject("It happened.", true))}>It happened<//>
    <${Button} busy=${word.busy === "approve"} lacks=${lacks} disabled=${!!word.busy} title="The call is made again, with the same arguments" onClick=${click(word.approve)}>It did not: run again<//>
    <${Button} kind="danger" busy=${word.busy === "stop"} lacks=${lacks} disabled=${!!word.busy} onClick=${stop}>Stop the run<//>`;
}
