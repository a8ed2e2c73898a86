// A new robot: what it needs to begin with. The rest is its configuration.
import { html, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { go } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, TextArea, TextField } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { useKeys } from "../lib/keys.js";
import { toast } from "../lib/announce.js";
import { faultsOf, wrongIn } from "./robotdraft.js";
import { readChoices, robotsPath } from "./robotdata.js";

/** @param {{onClose: () => void}} props */
export function NewRobot({ onClose }) {
  const [name, setName] = useState(""), [id, setID] = useState(""), [role, setRole] = useState(""), [duties, setDuties] = useState(""), [model, setModel] = useState("");
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null)), choices = useLoad(readChoices, []);
  const faults = faultsOf(error), wrong = (/** @type {string} */ path) => wrongIn(faults, path);
  const act = async () => {
    if (busy || !name.trim() || !role.trim()) return;
    setBusy(true);
    setError(null);
    try {
      const made = await post(robotsPath, {
        display_name: name.trim(), ...(id ? { member_id: id } : {}), ...(model ? { language_model: model } : {}),
        robot_config: { identity: { role: role.trim(), duties: duties.split("\n").map((one) => one.trim()).filter(Boolean) } },
      });
      toast("Made " + made.display_name, { detail: "It starts nothing by itself yet." });
      go(`/robots/${encodeURIComponent(made.member_id)}?tab=configuration`);
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  useKeys([{ keys: "mod+Enter", does: "Make the robot", where: "Robots", modal: true, run: act }]);
  return html`<${Drawer} title="New robot" onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>Make none</button><${Button} kind="primary" busy=${busy} disabled=${!name.trim() || !role.trim()} onClick=${act}>Make robot<//>`}>
    <div class="stack fields">${error && !Object.keys(faults).length && html`<${Trouble} error=${error} what="The robot was not made." />`}
      <${TextField} label="Name" value=${name} onInput=${setName} error=${wrong("display_name")} maxlength="128" autofocus />
      <${TextField} label="Robot ID" code value=${id} onInput=${setID} error=${wrong("member_id")} hint="Part of its address, for good. Left empty, the server makes one of 12 digits." maxlength="64" />
      <${TextArea} label="What it is" rows=${3} value=${role} onInput=${setRole} error=${wrong("robot_config.identity")} hint="A sentence or two: “You reconcile the ledger of the day before.”" />
      <${TextArea} label="Duties" rows=${3} value=${duties} onInput=${setDuties} hint="One a line. They are its goals when its clock starts it." />
      <${TextField} label="Model" value=${model} onInput=${setModel} error=${wrong("language_model")} list="models-known" placeholder="default" />
      <datalist id="models-known">${(choices.data?.models || []).map((/** @type {any} */ one) => html`<option key=${one.id} value=${one.id} />`)}</datalist></div><//>`;
}
