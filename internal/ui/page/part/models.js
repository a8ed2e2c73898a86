// Models: which there are, what they cost, how their endpoints are, and a real call to
// each on a person's word.
import { html, useState } from "../lib/html.js";
import { get, lacking, post } from "../lib/api.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Status } from "../lib/glyph.js";
import { Ago } from "../lib/time.js";
import { duration, money, tokens } from "../lib/format.js";

export function Models() {
  const models = useLoad((signal) => get("/v1/models", { signal }).then((list) => list.data.filter((/** @type {any} */ one) => !one.agent)), []);
  const [tests, setTests] = useState(/** @type {Record<string, any>} */ ({}));
  const test = async (/** @type {string} */ id) => {
    setTests((all) => ({ ...all, [id]: { busy: true } }));
    try {
      const { data } = await post("/v1/models/test", { model: id });
      setTests((all) => ({ ...all, [id]: data[0] }));
    } catch (error) {
      setTests((all) => ({ ...all, [id]: { error: /** @type {Error} */ (error).message } }));
    }
    models.reload();
  };
  return html`<section aria-label="Models"><div class="head"><h2>Models</h2><span class="note">prices in US dollars for a million tokens</span></div>
    ${models.error && html`<${Trouble} error=${models.error} what="The models could not be read." retry=${models.reload} />`}
    ${models.data ? html`<div class="scroll" tabindex="0"><table class="table"><thead><tr><th>Model</th><th class="desk">Endpoint</th><th class="num desk">Window</th><th class="num desk">Input</th><th class="num desk">Cached</th><th class="num desk">Output</th><th class="desk">Price from</th><th>State</th><th><span class="sr">Test</span></th></tr></thead>
      <tbody>${models.data.map((/** @type {any} */ one) => html`<tr key=${one.id}><td><b class="name">${one.id}</b>${one.resolves_to && html` <span class="faint desk">is ${one.resolves_to}</span>`}</td><td class="desk">${one.owned_by}</td>
        <td class="num desk">${one.context_window ? tokens(one.context_window) : "–"}</td><${Price} of=${one.pricing} />
        <td><${Health} of=${one.health} /></td><td class="num"><${Tested} name=${one.id} test=${tests[one.id]} onTest=${() => test(one.id)} /></td></tr>`)}</tbody></table></div>`
      : !models.error && html`<${Skeleton} rows=${4} show=${models.slow} />`}
    ${models.data && html`<p class="small faint note-below">A model without a price counts tokens, and no money. Endpoints, aliases and prices are the server’s settings: ERRAND_MODEL, errand.yaml.</p>`}</section>`;
}

/** @param {{of: any}} props */
function Price({ of }) {
  if (!of) return html`<td class="num faint desk" colspan="3">not known</td><td class="faint desk">–</td>`;
  return html`<td class="num desk">${money(of.input)}</td><td class="num desk">${money(of.cached_input)}</td><td class="num desk">${money(of.output)}</td>
    <td class="desk">${/^https:/.test(of.source) ? new URL(of.source).host : of.source}${of.as_of && html` <span class="faint">${of.as_of}</span>`}</td>`;
}

/** @param {{of: any}} props */
function Health({ of }) {
  if (!of) return html`<span class="faint">built in</span>`;
  if (of.state !== "closed") return html`<${Status} s="failed" word="Left alone" /><span class="small faint"> ${of.last_error}</span>`;
  if (of.last_ok_at) return html`<${Status} s="completed" word="Answers" /><span class="faint desk">${of.latency_ms ? " " + duration(of.latency_ms) : ""} · <${Ago} at=${of.last_ok_at} ago /></span>`;
  return html`<${Status} s="queued" word="Not called yet" />`;
}

/** @param {{name: string, test: any, onTest: () => void}} props */
function Tested({ name, test, onTest }) {
  return html`<span class="acts">${test && !test.busy && html`<span class=${test.ok ? "small dim" : "small bad"} role="status">${test.ok
    ? `${duration(test.ms)}${test.calls_tools ? ", calls tools" : ", calls no tools"}` : test.error || "failed"}</span>`}
    <${Button} kind="small" busy=${test?.busy} lacks=${lacking("runs:write")} onClick=${onTest} aria-label=${"Test " + name} title="One small, real call">Test<//></span>`;
}
