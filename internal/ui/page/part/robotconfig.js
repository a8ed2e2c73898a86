// The configuration of a robot: every field that it has here, checked by the server when
// it is saved, and nothing saved over what somebody else has changed meanwhile.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { del, get, lacking, put as putJSON } from "../lib/api.js";
import { go } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { confirm } from "../lib/dialog.js";
import { Icon } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { Copy } from "../lib/clip.js";
import { toast } from "../lib/announce.js";
import { typedSince } from "../lib/draft.js";
import { Ago } from "../lib/time.js";
import { plural } from "../lib/format.js";
import { changesOf, draftOf, faultsOf, put, wrongIn } from "./robotdraft.js";
import { FormOf, Json, Part } from "./robotform.js";
import { Bounds, Deliveries, Identity, Learning, Powers, Triggers } from "./robotparts.js";
import { Schedule } from "./robotclock.js";
import { Integrations } from "./robotlinks.js";
import { readChoices, robotPath } from "./robotdata.js";

/** @type {[string, string][]} */
const parts = [["identity", "Identity"], ["powers", "Model and tools"], ["schedule", "Schedule"], ["triggers", "Triggers"], ["bounds", "Approval and limits"], ["learning", "Learning"], ["delivery", "Delivery"], ["integrations", "Integrations"], ["json", "As JSON"], ["delete", "Delete"]];

/** @param {{robot: any, onSaved: (robot: any) => void}} props */
export function RobotConfig({ robot, onSaved }) {
  const [base, setBase] = useState(robot), [draft, setDraft] = useState(() => draftOf(robot)), [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {any} */ (null)), [theirs, setTheirs] = useState(/** @type {any} */ (null));
  const choices = useLoad(readChoices, []), before = useMemo(() => draftOf(base), [base]), changes = useMemo(() => changesOf(before, draft), [before, draft]);
  const count = Object.keys(changes).length, faults = useMemo(() => faultsOf(error), [error]), off = !!lacking("agents:write"), broken = useMemo(() => hasBroken(draft), [draft]);
  const form = { draft, off, set: (/** @type {string} */ path, /** @type {any} */ value) => setDraft((now) => (typeof now.robot_config === "string" && path.startsWith("robot_config.") ? now : put(now, path, value))), wrong: (/** @type {string} */ path) => wrongIn(faults, path) };
  const take = (/** @type {any} */ other) => { setBase(other); setDraft((now) => typedSince(draft, now, draftOf(other))); setError(null); setTheirs(null); onSaved(other); };
  const save = async (/** @type {boolean} */ over = false) => {
    if (busy || !count || off || broken) return;
    setBusy(true);
    setError(null);
    try {
      const now = await get(robotPath(robot.member_id));
      // One saves over what one was shown, and over nothing else.
      if (now.updated_at !== (over ? theirs : base).updated_at) {
        setTheirs(now);
        if (over) toast("Not saved", { s: "awaiting_input", detail: "Somebody else has saved it once more." });
      } else {
        const saved = await putJSON(robotPath(robot.member_id), changes);
        take(saved);
        toast("Saved " + saved.display_name, { detail: plural(count, "field") + " changed" });
      }
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  };
  useKeys([{ keys: "mod+s", does: "Save", where: "Robots", run: () => save() }]);
  useLeaving(count > 0);
  useFirstFault(error);
  return html`<div class="config"><nav class="toc" aria-label="Parts of the configuration">${parts.map(([id, text]) => html`<a key=${id} href=${"#" + id} onClick=${(/** @type {Event} */ event) => { event.preventDefault(); document.getElementById(id)?.scrollIntoView({ block: "start" }); }}>${text}</a>`)}</nav>
    <div class="config-body"><${FormOf} value=${form}>
      ${off && html`<p class="note-box"><${Icon} name="shield" /><span>${lacking("agents:write")}</span></p>`}
      <div class="robot-id"><span class="label">Robot ID</span><div class="secret-line"><code class="grow">${robot.member_id}</code><${Copy} text=${robot.member_id} label="Copy the robot’s id" word="Copy" /></div><p class="small faint">Programs name the robot by it. It stays for good. Changed last <${Ago} at=${base.updated_at} ago />${base.updated_by ? html` by key <code>${base.updated_by}</code>` : ""}.</p></div>
      <${Identity} />
      <${Powers} choices=${choices.data} />
      <${Schedule} />
      <${Triggers} />
      <${Bounds} choices=${choices.data} />
      <${Learning} />
      <${Deliveries} />
      <${Integrations} member=${robot.member_id} />
      <${Part} id="json" title="As JSON" note="The same robot_config, whole: for pasting, and for what one would rather write."><${Json} path="robot_config" label="robot_config" rows=${12} /><//>
      <${Delete} robot=${robot} /><//>
    </div>
    <div class=${count || error || theirs ? "save on" : "save"} role="region" aria-label="Changes that are not saved">
      ${theirs && html`<div class="note-box grow" data-s="awaiting_input" role="alert"><${Icon} name="warn" /><div class="grow"><b>Somebody else has saved this robot</b> <${Ago} at=${theirs.updated_at} ago />${theirs.updated_by ? html`, with key <code>${theirs.updated_by}</code>` : ""}. Yours would take the place of: ${sharedFields(base, theirs, changes)}.</div>
        <button class="btn small" type="button" onClick=${() => take(theirs)}>Take theirs</button><${Button} kind="small danger" busy=${busy} onClick=${() => save(true)}>Save mine over it<//></div>`}
      ${error && html`<${Trouble} error=${error} what="Not saved." />`}
      ${!theirs && html`<div class="row"><span class="dim">${broken ? "A field is no JSON yet" : count ? plural(count, "change") + " not saved" : "Everything is saved"}</span><span class="push" />
        <button class="btn" type="button" disabled=${!count || busy} onClick=${() => { setDraft(draftOf(base)); setError(null); }}>Discard</button>
        <${Button} kind="primary" busy=${busy} lacks=${lacking("agents:write")} disabled=${!count || broken} onClick=${() => save()}>Save <${Key} k="mod+s" /><//></div>`}</div></div>`;
}

/** What both have changed, or all of one's own. @param {any} base @param {any} theirs @param {any} mine */
function sharedFields(base, theirs, mine) {
  const other = changesOf(draftOf(base), draftOf(theirs)), both = Object.keys(mine).filter((one) => one in other);
  return (both.length ? both : Object.keys(mine)).join(", ");
}

/** Whether a field that takes JSON holds half a text. @param {any} draft */
function hasBroken(draft) {
  const config = draft.robot_config, half = (/** @type {any} */ one) => typeof one === "string" && one.trim() !== "";
  return typeof config === "string" || (config.events || []).some((/** @type {any} */ one) => half(one.filter)) || (config.delivery?.webhook?.targets || []).some((/** @type {any} */ one) => half(one.headers));
}

/** The browser asks before what is not saved is lost. @param {boolean} unsaved */
function useLeaving(unsaved) {
  useEffect(() => {
    if (!unsaved) return;
    const ask = (/** @type {Event} */ event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [unsaved]);
}

/** The first field that is wrong is brought into view. @param {any} error */
function useFirstFault(error) {
  const told = useRef(/** @type {any} */ (null));
  useEffect(() => {
    if (!error || told.current === error) return;
    told.current = error;
    const field = document.querySelector(".config [aria-invalid='true'], .config-body .bad");
    field?.scrollIntoView({ block: "center" });
    if (field instanceof HTMLElement) field.focus({ preventScroll: true });
  });
}

/** @param {{robot: any}} props */
function Delete({ robot }) {
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null));
  const act = async () => {
    if (!(await confirm({ title: `Delete ${robot.display_name}?`, body: "Its clock, its address and its secret end. What it has done can still be read under Runs.", act: "Delete robot", keep: "Keep robot" }))) return;
    setBusy(true);
    setError(null);
    try {
      await del(robotPath(robot.member_id));
      toast("Deleted " + robot.display_name, { s: "cancelled" });
      go("/robots");
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<${Part} id="delete" title="Delete" note="A robot whose executions have not ended cannot be deleted."><div><${Button} kind="danger" busy=${busy} lacks=${lacking("agents:write")} onClick=${act}>Delete robot…<//></div>${error && html`<${Trouble} error=${error} what="It was not deleted." />`}<//>`;
}
