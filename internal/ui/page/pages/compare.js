// Two runs side by side: what they were made of, what each step did, what they said.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { get, lacking, may } from "../lib/api.js";
import { href } from "../lib/root.js";
import { crumbs, setQuery } from "../lib/route.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Icon, isOver, Status } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { Seen } from "../lib/hidden.js";
import { duration, money, shortID } from "../lib/format.js";
import { Ago } from "../lib/time.js";
import { agentName } from "../lib/names.js";
import { AgentLink, firstLine } from "../part/runhead.js";
import { failed, nameOf } from "../part/spans.js";
import { Prose } from "../part/prose.js";
import { diffWords } from "../part/difftext.js";
import { figuresOf, stepsOf, traitsOf } from "../part/comparing.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Compare({ query }) {
  const a = query.get("a") || "", b = query.get("b") || "";
  useEffect(() => { crumbs.value = [{ text: "Runs", path: "/runs" }, { text: "Compare" }]; }, []);
  const known = useRef(new Map()).current, left = useSide(a, known), right = useSide(b, known);
  const swap = () => setQuery({ a: b, b: a });
  useKeys([{ keys: "s", does: "Swap the two", where: "Compare", run: swap }]);
  if (!may("runs:read")) return html`<h1>Compare runs</h1><${Empty} what="Your key may not read runs." how=${lacking("runs:read")} />`;
  return html`<div class="page-head"><h1>Compare runs</h1><span class="push" />${(a || b) && html`<button class="btn" type="button" onClick=${swap}>Swap <${Key} k="s" /></button>`}</div>
    <div class="sides"><${Head} side=${left} id=${a} slot="a" other=${right.data} label="First run" /><${Head} side=${right} id=${b} slot="b" other=${left.data} label="Second run" /></div>
    ${left.data && right.data && html`<${Both} a=${left.data} b=${right.data} />`}`;
}

/** A run under its own id: the one that stood there before is no other's, and one that is swapped is there. @param {string} id @param {Map<string, any>} known */
function useSide(id, known) {
  const path = "/v1/runs/" + encodeURIComponent(id);
  const side = useLoad(async (signal) => {
    if (!id || !may("runs:read")) return null;
    const prompt = get(path + "/steps/1/prompt", { signal }).catch((error) => { if (error.status === 404) return null; throw error; }); // it has had no step yet
    const [run, trace, first] = await Promise.all([get(path, { query: { include_trace: false }, signal }), get(path + "/trace", { signal }), prompt]);
    known.set(id, { run, trace, prompt: first, agent: null });
    return id;
  }, [id], { on: ["run.changed", "resync"], when: ({ data }) => data.run?.id === id, every: 1000 });
  return { ...side, data: known.get(id) };
}

/** @param {{side: any, id: string, slot: "a"|"b", other: any, label: string}} props */
function Head({ side, id, slot, other, label }) {
  const [choosing, choose] = useState(false);
  useEffect(() => choose(false), [id]);
  const run = side.data?.run;
  return html`<section class="side" aria-label=${label}>
    ${id && side.error && html`<${Trouble} error=${side.error} what="This run could not be read." retry=${side.reload} />`}
    ${id && !side.data && !side.error && html`<${Skeleton} rows=${2} height=${28} />`}
    ${run && id && html`<div class="row"><h2 class="cut as-h3"><a href=${href("/runs/" + run.id)}><${Seen} text=${firstLine(run.prompt) || "A run without a prompt"} /></a></h2><span class="push" /><button class="btn small quiet" type="button" aria-expanded=${String(choosing)} onClick=${() => choose(!choosing)}>Another…</button></div>
      <div class="row wrap small dim"><${Status} s=${run.status} /><span><${AgentLink} run=${run} /></span><span>${run.model}</span><span class="id" title=${run.id}>${shortID(run.id)}</span><span><${Ago} at=${run.created_at} ago /></span></div>`}
    ${(!id || choosing || side.error) && html`<${Choose} slot=${slot} near=${run || other?.run || null} not=${[id, other?.run?.id]} />`}</section>`;
}

/** Finds a run to compare with: at first those of the same agent. @param {{slot: string, near: any, not: (string|undefined)[]}} props */
function Choose({ slot, near, not }) {
  const [words, setWords] = useState("");
  const found = useLoad((signal) => get("/v1/runs", { query: { q: words, agent: words ? "" : near?.agent || "", limit: 12 }, signal }), [words, near?.agent]);
  const list = (found.data?.data || []).filter((/** @type {any} */ one) => !not.includes(one.id)).slice(0, 8);
  return html`<div class="choose"><div class="with"><${Icon} name="search" /><input class="in" type="search" aria-label="Find a run to compare with" placeholder="Title, agent, model, id" maxlength="200" value=${words} onInput=${(/** @type {any} */ event) => setWords(event.target.value)} /></div>
    ${found.error && html`<${Trouble} error=${found.error} what="The runs could not be read." retry=${found.reload} />`}
    ${!words && near?.agent && html`<p class="small faint">Others of ${agentName(near.agent) || "the same agent"}:</p>`}
    <ul>${list.map((/** @type {any} */ one) => html`<li key=${one.id}><button class="plain" type="button" onClick=${() => setQuery({ [slot]: one.id }, { push: true })}><${Status} s=${one.status} alone /><span class="cut grow"><${Seen} text=${one.title || one.id} /></span><span class="small dim num">${money(one.usage.cost_usd)}</span><span class="small dim num age"><${Ago} at=${one.created_at} /></span></button></li>`)}</ul>
    ${found.data && !list.length && html`<p class="small dim">No other run fits.</p>`}</div>`;
}

/** @param {{a: any, b: any}} props */
function Both({ a, b }) {
  const figures = useMemo(() => figuresOf(a, b), [a, b]), traits = useMemo(() => traitsOf(a, b), [a, b]), steps = useMemo(() => stepsOf(a.trace, b.trace), [a, b]);
  return html`
    <section aria-labelledby="fi"><div class="head"><h2 id="fi">Figures</h2></div>
      <table class="table figs"><caption class="sr">Figures of the two runs</caption><thead><tr><th scope="col"><span class="sr">Figure</span></th><th scope="col" class="num">First</th><th scope="col" class="num">Second</th><th scope="col" class="by">The second has</th></tr></thead>
        <tbody>${figures.map((one) => html`<tr key=${one.name}><th scope="row">${one.name}</th><td class="num">${one.a}</td><td class="num">${one.b}</td><td class=${"by small " + (one.better === null ? "faint" : one.better ? "less" : "dim")}>${one.by}</td></tr>`)}</tbody></table></section>
    <section aria-labelledby="tr"><div class="head"><h2 id="tr">What they were made of</h2><span class="note">${traits.different.length ? traits.different.length + " differ" : "nothing differs"}</span></div>
      ${traits.different.map((one) => html`<${Trait} key=${one.name} one=${one} />`)}
      ${traits.same.length > 0 && html`<details class="same"><summary>The same in both: ${traits.same.map((one) => one.name.toLowerCase()).join(", ")}</summary><dl class="kv">${traits.same.map((one) => html`<dt>${one.name}</dt><dd class="pre"><${Prose} text=${one.a} /></dd>`)}</dl></details>`}</section>
    <section aria-labelledby="st"><div class="head"><h2 id="st">Steps</h2></div><${Steps} steps=${steps} a=${a} b=${b} /></section>
    <section aria-labelledby="ou"><div class="head"><h2 id="ou">Answers</h2></div><${Answers} a=${a.run} b=${b.run} /></section>`;
}

/** What differs, marked word by word on either side. @param {{one: {name: string, a: string, b: string}}} props */
function Trait({ one }) {
  return html`<div class="trait"><h3>${one.name}</h3><${Diff} a=${one.a} b=${one.b} /></div>`;
}

/** @param {{a: string, b: string}} props */
function Diff({ a, b }) {
  const pieces = useMemo(() => diffWords(a, b), [a, b]);
  const side = (/** @type {"del"|"add"} */ kind, /** @type {string} */ text) => html`<div class="pre">${text ? pieces.filter((one) => one.kind === "same" || one.kind === kind).map((one, i) => (one.kind === "same"
    ? html`<${Prose} key=${i} text=${one.text} />` : kind === "del" ? html`<del key=${i} class="diff-del"><${Prose} text=${one.text} /></del>` : html`<ins key=${i} class="diff-add"><${Prose} text=${one.text} /></ins>`)) : html`<span class="faint">none</span>`}</div>`;
  return html`<div class="sides">${side("del", a)}${side("add", b)}</div>`;
}

/** @param {{steps: ReturnType<typeof stepsOf>, a: any, b: any}} props */
function Steps({ steps, a, b }) {
  if (!steps.length) return html`<p class="dim">Neither has had a step.</p>`;
  return html`<ol class="steps-list">${steps.map((one) => html`<li key=${one.step}>
    <div class="sides head-line"><${StepHead} span=${one.a} run=${a.run} n=${one.step} /><${StepHead} span=${one.b} run=${b.run} n=${one.step} /></div>
    ${one.parts.map((part, i) => html`<div class="sides" key=${i}><${Part} span=${part.a} run=${a.run} alone=${!part.b} /><${Part} span=${part.b} run=${b.run} alone=${!part.a} /></div>`)}</li>`)}</ol>`;
}

/** @param {{span: any, run: any, n: number}} props */
function StepHead({ span, run, n }) {
  if (!span) return html`<div class="row none faint">No step ${n}</div>`;
  return html`<div class="row"><a class="grow" href=${href(`/runs/${run.id}?step=${encodeURIComponent(span.id)}`)}>Step ${n}</a><span class="small dim num">${span.usage ? money(span.usage.cost_usd) : ""}</span><span class="small dim num took">${length(span)}</span></div>`;
}

/** @param {{span: any, run: any, alone: boolean}} props */
function Part({ span, run, alone }) {
  if (!span) return html`<div class="row none"><span class="sr">nothing like it</span></div>`;
  const icon = /** @type {Record<string, string>} */ ({ model: "bolt", tool: "tool", wait: "clock", child: "agents" })[span.kind];
  return html`<div class=${"row part" + (alone ? " alone" : "")}><${Icon} name=${icon} /><a class="cut grow" href=${href(`/runs/${run.id}?step=${encodeURIComponent(span.id)}`)}><${Seen} text=${nameOf(span)} /></a>
    ${alone && html`<span class="tag line">only here</span>`}${failed(span) && html`<span class="small bad">${span.outcome}</span>`}<span class="small dim num took">${length(span)}</span></div>`;
}

/** @param {any} span */
const length = (span) => (span.end ? duration(Date.parse(span.end) - Date.parse(span.begin)) : "goes on");

/** @param {{a: any, b: any}} props */
function Answers({ a, b }) {
  const said = (/** @type {any} */ run) => [run.result?.summary, run.result?.output === null || run.result?.output === undefined ? "" : JSON.stringify(run.result.output, null, 2), run.error?.message].filter(Boolean).join("\n\n");
  if (!isOver(a.status) && !isOver(b.status)) return html`<p class="dim">Neither has ended yet.</p>`;
  const x = said(a), y = said(b);
  return html`${x === y && x !== "" && html`<p class="dim same-said">Both said the same.</p>`}<${Diff} a=${x} b=${y} />`;
}
