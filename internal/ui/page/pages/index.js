// Search index: what of the project's own web.search can find.
import { html } from "../lib/html.js";
import { all, lacking } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { useAt, useRoving } from "../lib/list.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Icon } from "../lib/glyph.js";
import { Ago } from "../lib/time.js";
import { Seen } from "../lib/hidden.js";
import { bytes, count } from "../lib/format.js";
import { Code } from "../lib/snippet.js";
import { ToolTabs } from "../part/tooltabs.js";
import { AddPage, SourceDrawer, Search } from "../part/source.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Index({ query }) {
  const list = useLoad((signal) => all("/v1/index", {}, { signal }), []), rows = list.data || [], [at, setAt] = useAt(rows), open = query.get("source") || "";
  const show = (/** @type {string} */ id) => setQuery({ source: id }, { push: true }), close = () => setQuery({ source: null }), lacks = lacking("index:write");
  const roving = useRoving({ count: rows.length, at, onMove: setAt, onOpen: (i) => show(rows[i].id), noun: "source" });
  return html`<${ToolTabs} at="/index" />
    <div class="cols"><section aria-label="Sources"><div class="head"><h2>Sources</h2><span class="note">files and pages that <code>web.search</code> finds, and <code>web.fetch</code> reads</span></div>
      <${AddPage} lacks=${lacks} onAdded=${list.reload} />
      ${list.error && html`<${Trouble} error=${list.error} what="The sources could not be read." retry=${list.reload} />`}
      ${rows.length > 0 && html`<table class="table list"><colgroup><col /><col class="c-docs" /><col class="c-size desk" /><col class="c-at" /></colgroup>
        <thead><tr><th>Source</th><th class="num">Documents</th><th class="num desk">Text</th><th class="num">Updated</th></tr></thead>
        <tbody>${rows.map((one, i) => html`<tr key=${one.id} data-current=${i === at ? "" : undefined} onClick=${(/** @type {any} */ event) => { if (!event.defaultPrevented && !event.target.closest("a") && !String(getSelection())) show(one.id); }}>
          <td class="cut"><${Icon} name=${one.kind === "page" ? "link" : "doc"} /><a class="name" href=${href("/index?source=" + one.id)} onFocus=${() => setAt(i)} ...${roving.item(i)}><${Seen} text=${one.kind === "page" ? one.name.replace(/^https?:\/\//, "") : one.name} /></a>${one.origin && html` <span class="faint small desk">${one.origin}</span>`}</td>
          <td class="num">${count(one.documents)}</td><td class="num desk">${bytes(one.bytes)}</td><td class="num dim"><${Ago} at=${one.updated_at} ago /></td></tr>`)}</tbody></table>`}
      ${list.data?.length === 0 && html`<${Empty} what="The index is empty." how="Add a page by its address above, or a directory from where its files are:" /><div class="how"><${Code} text=${"errand index add ./handbook"} /></div>`}
      ${!list.data && !list.error && html`<${Skeleton} rows=${4} show=${list.slow} />`}
      ${rows.length > 0 && html`<p class="small faint below">Directories are added, and brought up to date, from where their files are: <code>errand index add ./handbook</code></p>`}</section>
    <${Search} words=${query.get("q") || ""} /></div>
    ${open && html`<${SourceDrawer} key=${open} id=${open} onClose=${close} lacks=${lacks} onChanged=${list.reload} onGone=${() => { close(); list.reload(); }} />`}`;
}
