// A schedule, made or changed: whom it starts, when, with what, and what becomes of
// times that can't be kept.
import { html, useEffect, useState } from "../lib/html.js";
import { all, get, may, patch, post } from "../lib/api.js";
import { useKeys } from "../lib/keys.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Select, TextArea } from "../lib/field.js";
import { Drawer } from "../lib/dialog.js";
import { toast } from "../lib/announce.js";
import { useAttempt } from "./attempt.js";
import { WhenFields, fieldsOf, usePreview, whenOf } from "./when.js";

/** Whom a schedule can start. @returns {Promise<{value: string, text: string}[]>} */
async function targets() {
  const [agents, robots] = await Promise.all([all("/v1/agents"), may("agents:read") ? get("/v1/agent/robots", { query: { pagesize: 100 } }).then((page) => page.data || [], () => []) : []]);
  return [...agents.map((one) => ({ value: "agent " + one.id, text: one.name })), ...robots.map((/** @type {any} */ one) => ({ value: "robot " + one.member_id, text: (one.display_name || one.member_id) + " (robot)" }))];
}

/** @param {{id: string, onClose: () => void, onSaved: (schedule: any) => void}} props  id "new" makes one */
export function ScheduleForm({ id, onClose, onSaved }) {
  const before = useLoad((signal) => (id === "new" ? Promise.resolve(null) : get("/v1/schedules/" + id, { signal })), [id]), whom = useLoad(targets, []);
  const ready = before.data !== undefined && !!whom.data;
  if (ready) return html`<${Form} of=${before.data} whom=${whom.data || []} onClose=${onClose} onSaved=${onSaved} />`;
  return html`<${Drawer} title="Schedule" onClose=${onClose}>${before.error || whom.error ? html`<${Trouble} error=${before.error || whom.error} what="It could not be read." retry=${() => { before.reload(); whom.reload(); }} />` : html`<${Skeleton} rows=${6} show=${before.slow || whom.slow} />`}<//>`;
}

const shown = ["agent", "robot", "cron", "every", "times", "days", "daemon", "tz", "input", "missed", "overlap"];

/** @param {{of: any, whom: {value: string, text: string}[], onClose: () => void, onSaved: (schedule: any) => void}} props */
function Form({ of, whom, onClose, onSaved }) {
  const [target, setTarget] = useState(of ? (of.agent ? "agent " + of.agent : "robot " + of.robot) : whom[0]?.value || ""), [when, setWhen] = useState(whenOf(of)), [input, setInput] = useState(of?.input || "");
  const [missed, setMissed] = useState(of?.missed || "skip"), [overlap, setOverlap] = useState(of?.overlap || "skip");
  const preview = usePreview(when), { busy, error, wrong, stray, attempt } = useAttempt(), off = !target || !!preview.error;
  const save = async () => {
    if (!target || busy || (preview.error && !preview.asking)) return; // a key does not wait for the word on what was typed last
    const cut = target.indexOf(" "), fresh = JSON.stringify(fieldsOf(when)), same = !!of && fresh === JSON.stringify(fieldsOf(whenOf(of))); // said anew, an interval would count from now
    const body = { [target.slice(0, cut)]: target.slice(cut + 1), ...(same ? {} : JSON.parse(fresh)), input, missed, overlap };
    const saved = await attempt(() => (of ? patch("/v1/schedules/" + of.id, body) : post("/v1/schedules", body)));
    if (!saved) return;
    toast(of ? "Saved the schedule" : "Made the schedule");
    onSaved(saved);
  };
  useKeys([{ keys: "mod+s", does: "Save", where: "Editor", run: save, modal: true }]);
  useEffect(() => { if (!target && whom[0]) setTarget(whom[0].value); }, [whom]);
  return html`<${Drawer} class="wide" title=${of ? "Change the schedule" : "New schedule"} onClose=${onClose} footer=${html`<button class="btn" type="button" onClick=${onClose}>${of ? "Keep it as it is" : "Make none"}</button><${Button} kind="primary" busy=${!!busy} disabled=${off} onClick=${save}>${of ? "Save schedule" : "Create schedule"}<//>`}>
    <div class="stack form">${stray(shown) && html`<${Trouble} error=${error} what="The schedule was not saved." />`}
      ${!whom.length ? html`<p class="dim">There is no agent and no robot yet that it could start.</p>` : html`<${Select} label="Starts" value=${target} onChange=${setTarget} error=${wrong("agent") || wrong("robot")} options=${whom} />`}
      <${TextArea} label="With" value=${input} onInput=${setInput} error=${wrong("input")} rows=${3} hint=${target.startsWith("robot") ? "The robot’s goals; without them it finds its goals by itself." : "The agent’s prompt."} />
      <${WhenFields} when=${when} onChange=${setWhen} preview=${preview} wrong=${wrong} />
      <div class="two"><${Select} label="What was missed while the server was down" value=${missed} onChange=${setMissed} error=${wrong("missed")} options=${[{ value: "skip", text: "is left out" }, { value: "once", text: "is made up for by one run" }]} />
        <${Select} label="A time at which the last run goes on" value=${overlap} onChange=${setOverlap} error=${wrong("overlap")} options=${[{ value: "skip", text: "is left out" }, { value: "queue", text: "waits for its end" }, { value: "allow", text: "starts another run" }]} /></div>
      <p class="small faint">Runs start on your key’s word, and no longer once it is revoked.</p></div><//>`;
}
