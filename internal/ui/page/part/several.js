// Several actions at once: each with its exact arguments on the screen, one word for
// all, and an answer for each.
import { html, useLayoutEffect, useMemo, useRef, useState } from "../lib/html.js";
import { lacking } from "../lib/api.js";
import { Button, Check } from "../lib/field.js";
import { Key, useKeys } from "../lib/keys.js";
import { Pressed, useEarly, useMeant } from "../lib/deliberate.js";
import { Seen, countHidden } from "../lib/hidden.js";
import { plural, shortID } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";
import { Arguments, longFields } from "./arguments.js";
import { Effect } from "./action.js";
import { sendAll } from "./word.js";
import { nameOf } from "./gone.js";

/** @typedef {import("../lib/inbox.js").Approval} Approval */
/** @typedef {import("./word.js").Failed} Failed */

/** @param {{items: Approval[], onDone: (decided: Approval[], approve: boolean) => void, onLeave: () => void}} props */
export function Several({ items, onDone, onLeave }) {
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const hidden = useMemo(() => items.reduce((sum, item) => sum + countHidden(item.arguments), 0), [items]);
  const unopened = items.reduce((sum, item) => sum + longFields(item.arguments).filter((field) => !opened.has(nameOf(item) + field)).length, 0);
  return html`
    <section class="detail" aria-label="The actions that are selected" tabindex="0"><div class="in-w">
      <div class="verb"><h2 class="as-h1">${plural(items.length, "action")} selected</h2><span class="push" /><button class="btn small" type="button" onClick=${onLeave}>Clear selection</button></div>
      ${items.map((item) => html`<section class="one-of" key=${nameOf(item)} aria-label=${item.tool + " of " + item.run}>
        <div class="head"><h3><${Seen} text=${item.tool} /></h3><${Effect} effect=${item.effect} /><span class="note">${item.agent_name || "a run"} · <span class="mono">${shortID(item.run)}</span></span>
          ${item.reason === "outcome_unknown" && html`<span class="bad small push">outcome unknown: approving calls it again</span>`}</div>
        <${Arguments} value=${item.arguments} before=${item.original_arguments ?? undefined} fold onOpened=${(/** @type {string} */ field) => setOpened(new Set([...opened, nameOf(item) + field]))} />
      </section>`)}
    </div></section>
    <${SeveralBar} items=${items} hidden=${hidden} unopened=${unopened} onDone=${onDone} onLeave=${onLeave} />`;
}

/** @param {{items: Approval[], hidden: number, unopened: number, onDone: (decided: Approval[], approve: boolean) => void, onLeave: () => void}} props */
function SeveralBar({ items, hidden, unopened, onDone, onLeave }) {
  const [rejecting, setRejecting] = useState(false), [reason, setReason] = useState(""), [goOn, setGoOn] = useState(false);
  const [busy, setBusy] = useState(false), [failed, setFailed] = useState(/** @type {Failed[]} */ ([])), field = useRef(/** @type {any} */ (null));
  const lacks = lacking("runs:approve"), which = items.map((item) => nameOf(item) + item.digest).join(), early = useEarly(which);
  const meant = useMeant(which + rejecting, () => lacks || early()), { press } = meant;
  useLayoutEffect(() => { if (rejecting) field.current?.focus(); }, [rejecting]); // what is typed next is the reason
  const decide = async (/** @type {boolean} */ approve) => {
    if (busy || lacks) return;
    setBusy(true);
    const { decided, not } = await sendAll(items, { approve, reason: reason.trim(), goOn });
    setBusy(false);
    setFailed(not);
    setRejecting(false);
    onDone(decided, approve);
  };
  useKeys([
    { keys: "a", does: "Approve the selected", where: "Approvals", run: () => decide(true), when: () => !rejecting, decides: meant.guard },
    { keys: "r", does: "Reject the selected…", where: "Approvals", run: () => { if (!lacks) setRejecting(true); } },
    { keys: "Escape", does: "Clear the selection", where: "Approvals", run: () => (rejecting ? setRejecting(false) : onLeave()) },
  ]);
  const trouble = failed.map(({ item, error }) => html`<${Trouble} key=${nameOf(item)} error=${error} what=${`${item.tool} was not decided.`} />`);
  if (rejecting) return html`<div class="decide open">${trouble}
    <label class="why grow"><span class="label">Why not? <span class="faint">It stands in the log of each.</span></span><input class="in" maxlength="2000" value=${reason} ref=${field}
      onInput=${(/** @type {any} */ event) => setReason(event.target.value)} onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") decide(false); }} /></label>
    <${Check} label="The runs go on" checked=${goOn} onChange=${setGoOn} />
    <${Button} kind="danger solid" busy=${busy} onClick=${() => decide(false)}>Reject ${items.length}<//><button class="btn" type="button" onClick=${() => setRejecting(false)}>Not yet</button></div>`;
  return html`<div class="decide">${trouble}
    <${Button} kind="you" busy=${busy} lacks=${lacks} data-held=${press.held ? "" : undefined} onClick=${meant.click(() => decide(true))}>Approve ${items.length}${hidden ? " with " + plural(hidden, "hidden character") : ""} <${Key} k="a" /><//>
    <${Button} lacks=${lacks} disabled=${busy} onClick=${() => setRejecting(true)}>Reject ${items.length}… <${Key} k="r" /><//>
    ${unopened > 0 && html`<span class="small bad">${plural(unopened, "value")} not opened</span>`}
    ${(press.held || press.why) && html`<${Pressed} press=${press} />`}</div>`;
}
