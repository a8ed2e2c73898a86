// Somebody else has saved the agent while one was writing: who, what, and what to do. What
// was typed stays in the form until one has decided.
import { html } from "../lib/html.js";
import { href } from "../lib/root.js";
import { lacking } from "../lib/api.js";
import { Button } from "../lib/field.js";
import { confirm } from "../lib/dialog.js";
import { Icon } from "../lib/glyph.js";
import { Seen } from "../lib/hidden.js";
import { keyName } from "../lib/names.js";
import { Ago } from "../lib/time.js";
import { fieldWords, rebased } from "./agentdraft.js";

/** @param {string[]} fields */
const words = (fields) => fields.map((one) => fieldWords[one] || one).join(", ");

/** @param {{edit: import("./agentedit.js").Edit}} props */
export function Meanwhile({ edit }) {
  const { theirs, base, changed } = edit, v = "v" + theirs.version, { both, other } = rebased(base, theirs, /** @type {any} */ (edit.draft));
  const take = async () => {
    if (await confirm({ title: `Take ${v}?`, body: `What you have changed goes: ${words(changed)}.`, act: "Take " + v, keep: "Keep my changes" })) edit.discard();
  };
  return html`<div class="note-box meanwhile" data-s="awaiting_input" role="alert"><${Icon} name="user" />
    <div class="grow"><b>${v} was saved while you were writing</b>, <${Ago} at=${theirs.updated_at} /> ago by <${Seen} text=${keyName(theirs.updated_by)} />. It changes ${words(other) || "nothing that stands here"}.
      ${both.length > 0 && html` <b>You have changed ${words(both)}, too.</b>`} <a class="in-text" href=${href(`/agents/${base.id}?tab=versions&v=${theirs.version}&against=${base.version}`)}>See what changed</a>
      <div class="row acts"><button class="btn small" type="button" onClick=${edit.join} title=${`The form shows ${v} with your changes in it. Nothing is saved yet.`}>Put mine on ${v}</button>
        <${Button} kind="small" busy=${edit.busy} lacks=${lacking("agents:write")} onClick=${edit.over} title=${both.length ? `Yours stand in ${words(both)}; the rest of ${v} stays.` : `What ${v} has changed stays.`}>Save mine as v${theirs.version + 1}<//>
        <button class="btn small" type="button" onClick=${take}>Take ${v}…</button></div></div></div>`;
}
