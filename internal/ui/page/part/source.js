// What the index has: a page added by its address, one source with its documents, and
// a search, as an agent would make it.
import { html, useRef, useState } from "../lib/html.js";
import { del, get, lacking, post } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { useKeys, Key } from "../lib/keys.js";
import { usePages } from "../lib/list.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Drawer, confirm } from "../lib/dialog.js";
import { Icon } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { toast } from "../lib/announce.js";
import { bytes, count, duration, plural } from "../lib/format.js";
import { does, useAttempt } from "./attempt.js";

/** What an answer says that has changed. @param {any} change */
function said(change) {
  const parts = [[change?.added, "added"], [change?.changed, "brought up to date"], [change?.unchanged, "as before"]].filter(([n]) => n);
  return parts.map(([n, what]) => `${plural(n, "document")} ${what}`).join(", ");
}

/** @param {{lacks: string, onAdded: () => void}} props */
export function AddPage({ lacks, onAdded }) {
  const [url, setURL] = useState(""), { busy, error, attempt } = useAttempt();
  const add = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!url.trim() || busy || lacks) return;
    const made = await attempt(() => post("/v1/index", { url: url.trim() }));
    if (!made) return;
    const refused = made.change?.refused || [];
    if (refused.length) toast("Not taken", { s: "failed", detail: refused[0].why });
    else toast("Added the page", { s: "completed", detail: said(made.change) });
    setURL("");
    onAdded();
  };
  return html`<form class="add" onSubmit=${add}><label class="with"><span class="sr">Address of a page to add</span><${Icon} name="link" /><input class="in" type="url" placeholder="https://example.com/returns" value=${url} disabled=${!!lacks} spellcheck="false" onInput=${(/** @type {any} */ event) => setURL(event.target.value)} /></label>
      <${Button} kind="primary" busy=${!!busy} disabled=${!url.trim()} lacks=${lacks} onClick=${add}>Add page<//></form>
    ${error && html`<${Trouble} error=${error} what="The page was not added." />`}`;
}

/** @param {{id: string, lacks: string, onClose: () => void, onChanged: () => void, onGone: () => void}} props */
export function SourceDrawer({ id, lacks, onClose, onChanged, onGone }) {
  const path = "/v1/index/" + id, source = useLoad((signal) => get(path, { signal }), [id]), one = source.data, list = usePages(path + "/documents", {}, { limit: 100 }), { busy, error, attempt } = useAttempt();
  const remove = async (/** @type {any} */ doc) => {
    if (!(await confirm({ title: `Remove ${doc.path}?`, body: "Searches do not find it any more. The file itself stays where it is, and comes back when its directory is added again.", act: "Remove document", keep: "Keep document" }))) return;
    const now = await attempt(() => post("/v1/index", { name: one.name, remove: [doc.path] }), doc.path);
    if (!now) return;
    toast("Removed " + doc.path);
    list.change((items) => items.filter((each) => each.path !== doc.path));
    source.reload();
    onChanged();
  };
  const removeAll = async () => {
    if (await confirm({ title: `Remove ${one.name}?`, body: `${plural(one.documents, "document")} leave the index with it.`, act: "Remove source", keep: "Keep source" }) && await does(() => del(path), "Removed " + one.name, "Not removed")) onGone();
  };
  const again = async () => {
    const now = await attempt(() => post("/v1/index", { url: one.name }), "again");
    if (!now) return;
    toast("Read the page again", { s: "completed", detail: said(now.change) });
    source.set(() => now);
    list.reload();
    onChanged();
  };
  const footer = one && html`<${Button} kind="danger" lacks=${lacks} onClick=${removeAll}>Remove source…<//><span class="push" />${one.kind === "page" && html`<${Button} lacks=${lacks} busy=${busy === "again"} onClick=${again}><${Icon} name="retry" />Read it again<//>`}`;
  return html`<${Drawer} class="wide" title=${one?.name || "Source"} onClose=${onClose} footer=${footer}>
    ${source.error && html`<${Trouble} error=${source.error} what=${source.error.status === 404 ? "There is no such source any more." : "The source could not be read."} retry=${source.reload} />`}
    ${error && html`<${Trouble} error=${error} what="Nothing was changed." />`}
    ${!one && !source.error && html`<${Skeleton} rows=${5} show=${source.slow} />`}
    ${one && html`<div class="stack"><dl class="kv"><dt>Address</dt><dd class="row"><code class="cut">${one.url}</code><${Copy} text=${one.url} label="Copy the address" /></dd>${one.origin && html`<dt>From</dt><dd>${one.origin}</dd>`}
        <dt>Has</dt><dd>${plural(one.documents, "document")}, ${bytes(one.bytes)} of text</dd><dt>Updated</dt><dd><${At} at=${one.updated_at} /></dd><dt>Added</dt><dd><${At} at=${one.created_at} /></dd></dl>
      <section aria-label="Documents"><div class="head"><h3>Documents</h3></div>
        ${list.error && html`<${Trouble} error=${list.error} what="The documents could not be read." retry=${list.reload} />`}
        <ul class="ruled">${list.items.map((doc) => html`<li key=${doc.path}><div class="grow"><b class="any"><${Seen} text=${doc.title || doc.path} /></b><div class="small faint any"><${Seen} text=${doc.url} />${doc.modified ? " · " + doc.modified : ""}</div></div><span class="small dim num">${bytes(doc.bytes)}</span>
          ${one.kind === "directory" && html`<${Button} kind="small quiet icon danger" lacks=${lacks} busy=${busy === doc.path} onClick=${() => remove(doc)} aria-label=${`Remove ${doc.path}…`}><${Icon} name="trash" /><//>`}</li>`)}</ul>
        ${list.slow && html`<${Skeleton} rows=${4} height=${48} />`}
        ${list.more && html`<p><${Button} busy=${list.loading} onClick=${list.next}>Further documents<//></p>`}</section></div>`}<//>`;
}

// A search asks as an agent does, with the tool that agents have: so it says as well
// who would have answered them.
/** @param {{words: string}} props */
export function Search({ words }) {
  const [text, setText] = useState(words), [found, setFound] = useState(/** @type {any} */ (null)), { busy, error, attempt } = useAttempt(), field = useRef(/** @type {HTMLInputElement|null} */ (null));
  const lacks = lacking("tools:write") || lacking("agents:execute");
  const ask = async (/** @type {string} */ query) => {
    if (!query.trim() || lacks) return;
    const said = await attempt(() => post("/v1/tools/web.search/try", { arguments: { query: query.trim(), count: 10 } }));
    if (said) setFound({ ms: said.ms, error: said.outcome === "ok" ? "" : said.error || "The search failed.", ...answerOf(said.output), asked: query.trim() });
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    setQuery({ q: text.trim() });
    ask(text);
  };
  useKeys([{ keys: "/", does: "Search", where: "Search index", run: () => field.current?.focus() }]);
  return html`<aside aria-label="Try a search"><div class="head"><h2>Try a search</h2><span class="note">as an agent makes it</span></div>
    <form class="add" onSubmit=${submit}><label class="with"><span class="sr">What to search for</span><${Icon} name="search" /><input ref=${field} class="in" value=${text} maxlength="400" disabled=${!!lacks} placeholder="A few words" onInput=${(/** @type {any} */ event) => setText(event.target.value)} /><span class="hint-key"><${Key} k="/" /></span></label>
      <${Button} busy=${!!busy} disabled=${!text.trim()} lacks=${lacks} onClick=${submit}>Search<//></form>
    ${lacks && html`<p class="small dim">${lacks}</p>`}
    ${error && html`<${Trouble} error=${error} what="The search could not be made." />`}
    <div role="status">${found && html`<${Found} of=${found} />`}</div></aside>`;
}

/** @param {string|null} output */
function answerOf(output) {
  try {
    return { results: [], provider: "", ...JSON.parse(output || "{}") };
  } catch {
    return { results: [], provider: "" };
  }
}

/** @param {{of: any}} props */
function Found({ of }) {
  if (of.error) return html`<div class="note-box" data-s="failed"><${Icon} name="warn" /><p class="any">${of.error}</p></div>`;
  const own = of.provider === "index";
  return html`<p class="small faint">${count(of.results.length)} for “${of.asked}” from ${own ? "this index" : html`<b>${of.provider}</b>: agents search there before this index`}, in ${duration(of.ms)}</p>
    <ol class="ruled">${of.results.map((/** @type {any} */ one) => html`<li key=${one.url}><div class="grow"><b class="any"><${Seen} text=${one.title || one.url} /></b><div class="small id any"><${Seen} text=${one.url} /></div>${one.snippet && html`<p class="small dim any"><${Seen} text=${one.snippet} /></p>`}</div></li>`)}</ol>
    ${!of.results.length && html`<p class="dim">Nothing was found.</p>`}`;
}
