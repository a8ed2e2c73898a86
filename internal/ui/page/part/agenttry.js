// A test run beside the editor: of what one sees, saved or not. It is a run like any
// other, so everything that is not safe asks first, unless one says otherwise.
import { html, useState } from "../lib/html.js";
import { lacking, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { onLeaving } from "../lib/session.js";
import { Button, Check, TextArea } from "../lib/field.js";
import { Trouble } from "../lib/fault.js";
import { Key, shortcut, useKeys } from "../lib/keys.js";
import { isOver } from "../lib/glyph.js";
import { definitionOf } from "./agentdraft.js";
import { covers } from "./agenttools.js";
import { Turn, Used } from "./turn.js";

/** The task that was typed last, for the next agent that one looks at. */
let lastTask = "";
onLeaving(() => { lastTask = ""; });

/**
 * What is sent: the fields of the form, as a run without a saved agent.
 * @param {import("./agentdraft.js").Draft} draft @param {any[]} tools @param {boolean} careful
 */
export function bodyOf(draft, tools, careful) {
  const { name: _name, description: _description, ...fields } = definitionOf(draft).definition;
  const effects = new Map(tools.map((one) => [one.name, one.effect]));
  const open = careful ? draft.tools.filter((one) => effects.get(one) !== "safe" && !draft.gates.some((gate) => !gate.when.trim() && covers(gate.tool, one))) : [];
  const gates = fields.approval.required_for.filter((/** @type {any} */ one) => typeof one === "string" || !open.includes(one.tool));
  return { ...fields, approval: { ...fields.approval, required_for: [...gates, ...open] } };
}

/** @param {{edit: import("./agentedit.js").Edit, tools: any[], problems: number}} props */
export function TestRun({ edit, tools, problems }) {
  const [task, setTask] = useState(lastTask), [careful, setCareful] = useState(true), [id, setID] = useState(""), [run, setRun] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(""), [error, setError] = useState(/** @type {any} */ (null)), draft = edit.draft, going = !!id && (!run || run.id !== id || !isOver(run.status));
  const lacks = lacking("runs:write"), unsafe = (draft?.tools || []).some((/** @type {string} */ one) => tools.find((tool) => tool.name === one)?.effect !== "safe");
  const start = async () => {
    if (!draft || !task.trim() || busy || lacks || Object.keys(edit.sure).length) return;
    lastTask = task;
    setBusy("run");
    setError(null);
    try {
      const made = await post("/v1/runs", { ...bodyOf(draft, tools, careful && unsafe), metadata: { ...definitionOf(draft).definition.metadata, test_of: edit.fresh ? "a new agent" : edit.base.name }, prompt: task, background: true });
      setRun(null);
      setID(made.id);
    } catch (fault) {
      setError(fault);
    }
    setBusy("");
  };
  const stop = async () => {
    setBusy("stop");
    try {
      await post(`/v1/runs/${id}/cancel`);
    } catch (fault) {
      setError(fault);
    }
    setBusy("");
  };
  useKeys([{ keys: "mod+Enter", does: "Test run", where: "Agents", run: start }]);
  return html`<section aria-labelledby="test-run"><div class="head"><h2 id="test-run" class="as-h3">Test run</h2><span class="note">${edit.changed.length ? "of what you see, unsaved" : edit.base?.version ? `of v${edit.base.version}` : ""}</span></div>
    <${TextArea} label=${html`<span class="sr">Task for the test run</span>`} rows=${2} value=${task} onInput=${setTask} placeholder="A task for it" />
    <div class="row go"><${Button} kind="primary" busy=${busy === "run"} lacks=${lacks || (problems ? "Mend what is marked first." : "")} disabled=${!task.trim()} onClick=${start} aria-keyshortcuts=${shortcut("mod+Enter")}>Run <${Key} k="mod+Enter" /><//>
      ${going && run && html`<${Button} kind="danger" busy=${busy === "stop"} onClick=${stop}>Stop<//>`}
      <span class="push" />${run && run.id === id ? html`<${Used} run=${run} />` : ""}</div>
    ${unsafe && html`<${Check} label="Ask me before every call that is not safe" checked=${careful} onChange=${setCareful} title="The run is real: what it does, it does" />`}
    ${error && html`<${Trouble} error=${error} what="The test run was not started." />`}
    ${id ? html`<${Turn} key=${id} id=${id} models onRun=${setRun} /><p class="small"><a href=${href("/runs/" + id)}>Open run</a></p>` : html`<p class="small faint">It is a run like any other, with the tools above. What it says and does comes here.</p>`}
  </section>`;
}
