// A run: where its time went, what it says, what it waits for, and what can be done.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { get, lacking, may } from "../lib/api.js";
import { href, server } from "../lib/root.js";
import { crumbs, go, place, setQuery } from "../lib/route.js";
import { announce, toast } from "../lib/announce.js";
import { copy } from "../lib/clip.js";
import { curl } from "../lib/snippet.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { approvals, inboxError } from "../lib/inbox.js";
import { isOver } from "../lib/glyph.js";
import { useKeys } from "../lib/keys.js";
import { useCommands } from "../lib/commands.js";
import { shortID } from "../lib/format.js";
import { now as clock, Until } from "../lib/time.js";
import { useRun } from "../part/rundata.js";
import { rowsOf } from "../part/spans.js";
import { RunHead, useActs } from "../part/runhead.js";
import { Waterfall } from "../part/waterfall.js";
import { Inspector } from "../part/inspector.js";
import { RunTabs, startRequest, useMade } from "../part/runtabs.js";
import { PromptView } from "../part/promptview.js";
import { Again } from "../part/again.js";
import { lastFilter } from "../part/runlist.js";

export const full = true;

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Run({ params, query }) {
  if (!may("runs:read")) return html`<div class="alone"><h1>Run</h1><${Empty} what="Your key may not read runs." how=${lacking("runs:read")} /></div>`;
  return html`<${One} key=${params.id} id=${params.id} query=${query} />`;
}

/** @param {{id: string, query: URLSearchParams}} props */
function One({ id, query }) {
  const data = useRun(id), run = data.run.data, trace = data.trace.data;
  useEffect(() => {
    const agent = run?.agent_name || (run?.agent || "").replace(/^robot\//, "");
    crumbs.value = [{ text: "Runs", path: "/runs" }, ...(agent ? [{ text: agent, path: "/runs?agent=" + encodeURIComponent(run.agent) }] : []), { text: shortID(id) }];
  }, [id, run?.agent_name]);
  useKeys([
    { keys: "[", does: "Previous run", where: "Run", run: () => neighbour(id, true) },
    { keys: "]", does: "Next run", where: "Run", run: () => neighbour(id, false) },
  ]);
  const error = data.run.error || data.trace.error || data.lost;
  if (data.gone || (!run && error?.status === 404)) return html`<div class="alone"><h1>Run</h1><${Empty} what=${run ? "This run was deleted." : "There is no such run."} how=${run ? "Somebody has deleted it while you were looking, or its time was up." : "It was deleted, or its id is another project’s."}><a class="btn" href=${href("/runs")}>All runs</a><//></div>`;
  const asks = run?.pending_actions.length > 0 && !approvals.value && !inboxError.value; // what waits stands above all else
  if (!run || !trace || asks) return html`<div class="alone"><h1 class=${error ? "" : "sr"}>Run</h1>${error ? html`<${Trouble} error=${error} what="The run could not be read." retry=${() => { data.run.reload(); data.trace.reload(); }} />` : html`<${Skeleton} rows=${10} show=${data.run.slow} />`}</div>`;
  return html`<${Shown} id=${id} run=${run} trace=${trace} data=${data} query=${query} error=${error} />`;
}

/** @param {{id: string, run: any, trace: any, data: import("../part/rundata.js").RunData, query: URLSearchParams, error: any}} props */
function Shown({ id, run, trace, data, query, error }) {
  const [folded, setFolded] = useState(/** @type {Set<string>} */ (new Set())), [cut, setCut] = useState(true), [again, setAgain] = useState(false);
  const rows = useMemo(() => rowsOf(trace.spans, folded), [trace, folded]), left = useRef(/** @type {any} */ (null));
  const over = isOver(run.status), now = over ? Date.parse(trace.end || trace.now) : clock.value + trace.skew;
  const wanted = query.get("step") || first(run, trace.spans), at = rows.findIndex((row) => row.span.id === wanted);
  const span = trace.spans.find((/** @type {any} */ one) => one.id === wanted) || null;
  const made = useMade(run, again || query.get("tab") === "spec"), act = useActs(run, data.reread);
  const calls = useMemo(() => new Map(data.events.filter((one) => one.type === "model.responded").map((one) => [`model/${one.data.step}/${one.data.attempt}`, one.data.calls.length])), [data.events]);
  const select = (/** @type {string} */ step) => setQuery({ step });
  const fold = (/** @type {string} */ step, /** @type {boolean} */ on) => setFolded((before) => new Set([...before].filter((one) => one !== step).concat(on ? [step] : [])));
  const link = async (/** @type {string} */ step) => {
    const words = new URLSearchParams({ ...(step ? { step } : {}) });
    toast(await copy(`${server}/ui/runs/${id}${step ? "?" + words : ""}`) ? (step ? "Link to this step copied" : "Link copied") : "The browser does not let this page copy");
  };
  const asCurl = async () => { toast(await copy(curl(startRequest(run))) ? "Copied as curl" : "The browser does not let this page copy"); };
  const compare = () => go("/compare?a=" + id);
  // A part that is folded leads to its step, and the step to itself.
  const turn = (/** @type {boolean} */ on) => {
    const step = span?.kind === "step" ? span.id : span?.parent;
    if (!step) return;
    if (on && span?.kind !== "step") return select(step);
    fold(step, on);
  };
  useKeys([
    { keys: "ArrowLeft", does: "Fold the step", where: "Run", run: () => turn(true) },
    { keys: "ArrowRight", does: "Unfold the step", where: "Run", run: () => turn(false) },
    { keys: "l", does: "Copy link to this step", where: "Run", run: () => link(span?.id || "") },
    { keys: "c", does: "Copy as curl", where: "Run", run: asCurl },
    { keys: "v", does: "Compare", where: "Run", run: compare },
    { keys: "Escape", does: "", run: () => setQuery({ step: null }), when: () => query.has("step") },
  ]);
  useCommands([
    { text: "Compare this run", note: "Action", icon: "compare", keys: "v", run: compare }, { text: "Copy this run as curl", note: "Action", icon: "copy", keys: "c", run: asCurl },
    ...(over && may("runs:write") ? [{ text: "Run again…", note: "Action", icon: "retry", run: () => setAgain(true) }] : []),
    ...(!over && may("runs:write") ? [{ text: "Cancel this run", note: "Action", icon: "stop", run: act.cancel }] : []),
  ], [id, over, run.status]);
  return html`
    <${RunHead} run=${run} trace=${trace} limit=${made.limit} act=${{ ...act, copyLink: () => link("") }} onAgain=${() => setAgain(true)} onCurl=${asCurl} />
    <div class="left" ref=${left}>
      ${error && html`<${Trouble} error=${error} what="What is shown may be old: it could not be read again." retry=${data.reread} />`}
      ${data.state.how === "lost" && html`<div class="note-box lost" role="status"><div>The stream of this run is lost. What stands here stays, and it is tried again <${Until} at=${data.state.at} past="now" />.</div></div>`}
      <${Waterfall} rows=${rows} spans=${trace.spans} begin=${Date.parse(trace.begin)} now=${now} at=${at} onMove=${(/** @type {number} */ i) => select(rows[i].span.id)} folded=${folded} onFold=${fold}
        calls=${calls} cut=${cut} onCut=${setCut} scroller=${() => left.current} />
      <${RunTabs} run=${run} data=${data} made=${made} tab=${query.get("tab") || ""} />
    </div>
    <${Inspector} run=${run} trace=${trace} now=${now} span=${span} onSelect=${select} onLink=${() => link(span?.id || "")} reread=${data.reread} />
    ${query.get("prompt") && html`<${PromptView} id=${id} step=${query.get("prompt")} steps=${Math.max(run.steps_used, Number(query.get("prompt")) || 1)} />`}
    ${again && (made.prompt || made.agent || made.error) && html`<${Again} run=${run} instructions=${made.instructions} onClose=${() => setAgain(false)} />`}`;
}

/** What one sees first: what waits for a person, or what failed. @param {any} run @param {any[]} spans */
function first(run, spans) {
  const waiting = spans.find((one) => one.kind === "wait" && !one.end && ["approval", "outcome", "input"].includes(one.for));
  if (waiting) return waiting.id;
  return run.status === "failed" ? spans.findLast((one) => one.outcome === "error" || one.outcome === "unknown")?.id || "" : "";
}

/** The run before or behind this one in the list that one has come from. @param {string} id @param {boolean} back */
async function neighbour(id, back) {
  const filter = lastFilter.peek(), newer = back !== (filter.order === "oldest"), here = place.peek().path;
  try {
    const page = await get("/v1/runs", { query: { ...filter, order: newer ? "oldest" : "", starting_after: id, limit: 1 } });
    if (place.peek().path !== here) return; // one has gone elsewhere meanwhile
    if (page.data[0]) go("/runs/" + page.data[0].id);
    else announce(back ? "This is the first run of the list" : "This is the last run of the list");
  } catch (error) {
    toast("The list of runs could not be read", { detail: /** @type {any} */ (error).message, s: "failed" });
  }
}
