// A run that waits for an answer: what it asks, and where one answers.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { get, lacking, post } from "../lib/api.js";
import { href } from "../lib/root.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Key, isField, useKeys } from "../lib/keys.js";
import { shortID } from "../lib/format.js";
import { Ago } from "../lib/time.js";
import { Arguments } from "./arguments.js";

/**
 * What a waiting call asks, in one line: the text that its arguments have, if that is
 * all they have.
 * @param {any} call
 */
export function questionOf(call) {
  const values = Object.values(call?.arguments || {});
  return values.length === 1 && typeof values[0] === "string" ? values[0] : "";
}

/** Which calls they are: others are other questions. @param {any[]} calls */
export const idsOf = (calls) => calls.map((one) => one.id).join();

/** The calls as they were read exactly, as far as the run still waits with them. @param {any} read @param {any} run @returns {any[]} */
export const stillAsked = (read, run) => (read?.pending_calls || []).filter((/** @type {any} */ one) => run.pending_calls.some((/** @type {any} */ other) => other.id === one.id));

/** @param {{run: any, onAnswered: () => void}} props  run: its line in the list */
export function Question({ run, onAnswered }) {
  const about = useLoad((signal) => get("/v1/runs/" + run.id, { signal, exact: true }), [run.id], { on: ["run.changed"], when: ({ data }) => data.run.id === run.id });
  const calls = about.data?.pending_calls || [];
  return html`
    <div class="verb"><h2 class="as-h1">${calls.length === 1 && questionOf(calls[0]) ? "Question" : "Input wanted"}</h2><span class="push" /><a class="btn small" href=${href("/runs/" + run.id)}>Open run</a></div>
    <p class="dim">${run.agent_name || "A run"} asks in <a class="id" href=${href("/runs/" + run.id)} title=${run.id}>${shortID(run.id)}</a> “${run.title}” · waits <${Ago} at=${run.updated_at || run.created_at} /></p>
    ${about.error && html`<${Trouble} error=${about.error} what="The run could not be read." retry=${about.reload} />`}
    ${about.data ? html`<${Answer} key=${run.id + idsOf(calls)} run=${run} calls=${calls} onAnswered=${onAnswered} />` : html`<${Skeleton} rows=${3} show=${about.slow} />`}`;
}

/** Where one answers, without a head. @param {{run: any, calls: any[], onAnswered: () => void}} props */
export function Answer({ run, calls, onAnswered }) {
  const [texts, setTexts] = useState(() => calls.map(() => "")), [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null));
  const first = useRef(/** @type {any} */ (null)), box = useRef(/** @type {any} */ (null)), lacks = lacking("runs:write");
  useEffect(() => { // whoever is writing somewhere stays there
    if (matchMedia("(min-width: 901px)").matches && !isField(document.activeElement)) first.current?.focus({ preventScroll: true });
  }, []);
  const act = async () => {
    if (busy || lacks || texts.some((text) => !text.trim())) return;
    setBusy(true);
    setError(null);
    try {
      await post(`/v1/runs/${run.id}/tool_outputs`, { outputs: calls.map((call, i) => ({ action_id: call.id, output: texts[i] })) });
      onAnswered();
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  };
  useKeys([{ keys: "mod+Enter", does: "Send the answer", where: "Approvals", run: act, within: () => box.current }]);
  if (!calls.length) return html`<p class="dim">It does not wait for an answer any more.</p>`;
  return html`<div class="stack answer" ref=${box}>
    ${calls.map((call, i) => html`<section key=${call.id}>
      ${questionOf(call) ? html`<p class="asked">${questionOf(call)}</p>` : html`<h3><code>${call.tool}</code></h3><${Arguments} value=${call.arguments} fold />`}
      <label class="field"><span class="label">Your answer${calls.length > 1 ? " to " + call.tool : ""}</span>
        <textarea class="in" rows="4" ref=${i === 0 ? first : undefined} value=${texts[i]} onInput=${(/** @type {any} */ event) => setTexts(texts.map((text, at) => (at === i ? event.target.value : text)))} /></label></section>`)}
    ${error && html`<${Trouble} error=${error} what="The answer was not taken." />`}
    <div class="row"><${Button} kind="you" busy=${busy} lacks=${lacks} disabled=${texts.some((text) => !text.trim())} onClick=${act}>Answer <${Key} k="mod+Enter" /><//><span class="small faint">The run goes on with it at once.</span></div>
  </div>`;
}
