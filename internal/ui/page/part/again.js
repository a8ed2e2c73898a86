// Run again, with changes: the same snapshot of the agent, and of what is changed here,
// only that is sent.
import { html, useId, useState } from "../lib/html.js";
import { get, may, post } from "../lib/api.js";
import { go } from "../lib/route.js";
import { toast } from "../lib/announce.js";
import { Drawer } from "../lib/dialog.js";
import { Button, Field, TextArea, TextField } from "../lib/field.js";
import { Trouble } from "../lib/fault.js";
import { Key, useKeys } from "../lib/keys.js";
import { useLoad } from "../lib/load.js";

/** @param {{run: any, instructions: string, onClose: () => void}} props  instructions: as they were, "" = not known */
export function Again({ run, instructions, onClose }) {
  const [prompt, setPrompt] = useState(run.prompt), [model, setModel] = useState(run.model), [told, setTold] = useState(instructions), [steps, setSteps] = useState(String(run.max_steps));
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), list = useId();
  const models = useLoad((signal) => (may("models:read") ? get("/v1/models", { signal }) : Promise.resolve({ data: [] })), []);
  /** @type {Record<string, any>} */
  const changes = {};
  if (prompt !== run.prompt) changes.prompt = prompt;
  if (model.trim() !== run.model) changes.model = model.trim();
  if (told !== instructions) changes.instructions = told;
  if (steps !== String(run.max_steps) && Number(steps) > 0) changes.max_steps = Number(steps);
  const n = Object.keys(changes).length, fields = error?.fields || {};
  const act = async () => {
    if (busy || !prompt.trim() || !model.trim()) return;
    setBusy(true);
    setError(null);
    try {
      const made = await post(`/v1/runs/${run.id}/retry`, { ...(n ? { changes } : {}), background: true });
      toast("Started again", { s: "running", detail: n ? "Changed: " + Object.keys(changes).join(", ").replace("max_steps", "steps") : undefined, path: `/compare?a=${run.id}&b=${made.id}`, link: "Compare" });
      go("/runs/" + made.id);
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  useKeys([{ keys: "mod+Enter", does: "", run: act, modal: true }]);
  const wrong = (/** @type {string} */ name) => fields["changes." + name] || fields[name];
  return html`<${Drawer} title="Run again" class="wide" onClose=${onClose} footer=${html`<span class="small dim grow">${n ? `Changed: ${Object.keys(changes).join(", ").replace("max_steps", "steps")}` : "Nothing is changed: the same run, once more."}</span>
      <button class="btn" type="button" onClick=${onClose}>Leave it</button><${Button} kind="primary" busy=${busy} disabled=${!prompt.trim() || !model.trim()} onClick=${act}>Run again <${Key} k="mod+Enter" /><//>`}>
    <div class="stack again">
      ${error && html`<${Trouble} error=${error} what="It was not started." />`}
      <${TextArea} label="Prompt" rows=${5} value=${prompt} onInput=${setPrompt} error=${wrong("prompt")} maxlength="100000" />
      <${Field} label="Model" error=${wrong("model")} hint="Any name that the server knows.">${(/** @type {any} */ given) => html`<input class="in" list=${list} value=${model} onInput=${(/** @type {any} */ event) => setModel(event.target.value)} ...${given} />
        <datalist id=${list}>${(models.data?.data || []).map((/** @type {any} */ one) => html`<option key=${one.id} value=${one.id} />`)}</datalist>`}<//>
      <${TextArea} label="Instructions" rows=${10} value=${told} onInput=${setTold} error=${wrong("instructions")} hint=${instructions ? "Those of the agent’s version that has run, or yours for this run alone." : "Left empty, they stay as they were."} />
      <${TextField} label="Steps at most" type="number" min="1" max="200" value=${steps} onInput=${setSteps} error=${wrong("max_steps")} />
    </div><//>`;
}
