// What narrows the list of runs. Each choice is in the address, so that a list can be
// sent to somebody else.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { all, may } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { setQuery } from "../lib/route.js";
import { statuses, statusWord } from "../lib/glyph.js";
import { Icon } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { filterNames } from "./runlist.js";
import { asks } from "./runwaits.js";

const going = "queued,running,awaiting_approval,awaiting_input,paused";

/** The APIs that a run can come from, by the names that the server gives them. */
const dialects = ["native", "openai", "you", "swarms", "webagent", "yao"];

/** @param {{query: URLSearchParams}} props */
export function RunFilter({ query }) {
  const field = useRef(/** @type {HTMLInputElement|null} */ (null)), [more, setMore] = useState(() => ["cost_min", "cost_max", "created_after", "created_before"].some((name) => query.has(name)));
  const agents = useLoad((signal) => (may("agents:read") ? all("/v1/agents", {}, { signal }) : Promise.resolve([])), []);
  useKeys([{ keys: "/", does: "Filter", where: "Lists", run: () => { field.current?.focus(); field.current?.select(); } }]);
  const some = [...filterNames, "since"].some((name) => query.has(name)), custom = query.has("created_after") || query.has("created_before");
  const [cleared, clearWords] = useState(0); // with the words that are still being typed
  const clear = () => { clearWords(cleared + 1); setQuery(Object.fromEntries([...filterNames, "since"].map((name) => [name, null])), { push: true }); };
  return html`<search class=${more ? "filter open" : "filter"}>
    <div class="with q"><${Icon} name="search" /><${Words} key=${cleared} given=${query.get("q") || ""} input=${field} /></div>
    <${Pick} label="Status" name="status" query=${query} any="Any status" options=${[{ value: going, text: "Goes on" }, { value: asks, text: "Waits for a person" }, ...statuses.map((s) => ({ value: s, text: statusWord(s) }))]} />
    ${may("agents:read") && html`<${Pick} label="Agent" name="agent" query=${query} any="Any agent" options=${(agents.data || []).map((one) => ({ value: one.id, text: one.name }))} />`}
    <${Pick} label="API" name="dialect" query=${query} any="Any API" options=${dialects.map((value) => ({ value, text: value }))} />
    ${custom ? html`<span class="small dim">from to</span>` : html`<${Pick} label="Begun" name="since" query=${query} any="Any time" options=${[{ value: "1h", text: "Last hour" }, { value: "24h", text: "Last 24 hours" }, { value: "7d", text: "Last 7 days" }, { value: "30d", text: "Last 30 days" }]} />`}
    <button class="btn quiet" type="button" aria-expanded=${String(more)} onClick=${() => setMore(!more)}><${Icon} name="filter" /><span class="desk">Cost, time</span><span class="phone">Filter</span></button>
    ${some && html`<button class="btn quiet" type="button" onClick=${clear}>Clear</button>`}
    ${more && html`<div class="filter-more">
      <${Amount} label="Cost from" name="cost_min" query=${query} /><${Amount} label="Cost to" name="cost_max" query=${query} />
      <${When} label="Begun after" name="created_after" query=${query} /><${When} label="Begun before" name="created_before" query=${query} /></div>`}
  </search>`;
}

/**
 * The words of a filter: they are in the address when nobody has typed for a moment, and
 * follow it when it changes by something else, which what was being typed does not undo.
 * @param {string} given
 */
export function useWords(given) {
  const [text, setText] = useState(given), timer = useRef(0), told = useRef(given);
  useEffect(() => {
    if (given === told.current) return;
    clearTimeout(timer.current);
    told.current = given;
    setText(given);
  }, [given]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const tell = (/** @type {string} */ value) => {
    clearTimeout(timer.current);
    told.current = value.trim();
    setText(value);
    setQuery({ q: told.current });
  };
  const type = (/** @type {any} */ event) => {
    const value = event.target.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => tell(value), 200);
  };
  return { text, tell, type };
}

/** @param {{given: string, input: any}} props */
function Words({ given, input }) {
  const { text, tell, type } = useWords(given);
  return html`<input ref=${input} class="in" type="search" maxlength="200" aria-label="Find runs by title, agent, model or id" placeholder="Title, agent, model, id" title="Words of the title, which is the first 80 characters of the prompt; an agent or a model; the beginning of an id" value=${text} onInput=${type}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") tell(text);
      if (event.key === "Escape") { if (text) tell(""); else input.current?.blur(); }
    }} />${!text && html`<span class="hint-key"><${Key} k="/" /></span>`}`;
}

/** @param {{label: string, name: string, query: URLSearchParams, any: string, options: {value: string, text: string}[]}} props */
function Pick({ label, name, query, any, options }) {
  const value = query.get(name) || "", known = !value || options.some((one) => one.value === value);
  const all = known ? options : [...options, { value, text: value.includes(",") ? value.split(",").map(statusWord).join(", ") : value }];
  return html`<select class=${value ? "in on" : "in"} aria-label=${label} onChange=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value }, { push: true })}>
    <option value="" selected=${!value}>${any}</option>${all.map((one) => html`<option key=${one.value} value=${one.value} selected=${one.value === value}>${one.text}</option>`)}</select>`;
}

/** @param {{label: string, name: string, query: URLSearchParams}} props */
function Amount({ label, name, query }) {
  const put = (/** @type {any} */ event) => { if (event.target.validity.valid) setQuery({ [name]: event.target.value }); };
  return html`<label class="row small">${label}<span class="dollar">$<input class="in num" type="number" min="0" step="any" inputmode="decimal" value=${query.get(name) || ""} onChange=${put} /></span></label>`;
}

/** A time in the reader's zone; in the address it is exact. @param {{label: string, name: string, query: URLSearchParams}} props */
function When({ label, name, query }) {
  const at = query.get(name), date = at ? new Date(at) : null;
  const local = date && !isNaN(date.getTime()) ? new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
  const put = (/** @type {any} */ event) => setQuery({ [name]: event.target.value ? new Date(event.target.value).toISOString() : "", since: "" });
  return html`<label class="row small">${label}<input class="in" type="datetime-local" value=${local} onChange=${put} /></label>`;
}
