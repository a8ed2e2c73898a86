// The audit log: who did what, and whether each line is what was written.
import { html, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { usePages } from "../lib/list.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { Copy } from "../lib/clip.js";
import { count } from "../lib/format.js";

/** @param {{query: URLSearchParams}} props */
export function Audit({ query }) {
  const words = { action: query.get("action") || "", actor: query.get("actor") || "", target: query.get("target") || "" };
  const lines = usePages("/v1/audit", words, { limit: 100 });
  return html`<section aria-label="Audit log"><div class="head"><h2>Audit log</h2><span class="note">oldest first; lines outlive what they tell of</span><span class="push" /><${Verify} /></div>
    <form class="filters" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>${Object.entries({ action: "Action, such as key.created", actor: "Key’s id or name", target: "Target, such as run_…" }).map(([name, hint]) => html`
      <label key=${name} class="with"><span class="sr">${hint}</span><${Icon} name="filter" /><input class="in" placeholder=${hint} value=${words[/** @type {"action"} */ (name)]} onChange=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value.trim() })} /></label>`)}</form>
    ${lines.error && html`<${Trouble} error=${lines.error} what="The log could not be read." retry=${lines.reload} />`}
    <div class="scroll" tabindex="0"><table class="table"><thead><tr><th class="num desk">Line</th><th>When</th><th>Who</th><th>Did</th><th class="desk">To</th><th class="desk">From</th></tr></thead><tbody>
      ${lines.items.map((/** @type {any} */ one) => html`<tr key=${one.seq}><td class="num faint desk">${count(one.seq)}</td><td><${At} at=${one.at} /></td><td>${one.actor ? one.actor.name || one.actor.id : html`<span class="faint">the server</span>`}</td>
        <td><code title=${one.data ? JSON.stringify(one.data) : ""}>${one.action}</code></td><td class="desk"><code class="id">${one.target}</code>${one.data?.name ? html` <span class="dim">${one.data.name}</span>` : ""}</td><td class="faint desk">${one.from || "–"}</td></tr>`)}</tbody></table></div>
    ${lines.slow && html`<${Skeleton} rows=${6} />`}
    ${!lines.loading && !lines.error && !lines.items.length && html`<${Empty} what="No such lines." how="Decisions, keys, agents, tools and everything an admin does stand here." />`}
    ${lines.more && html`<p class="more-line"><${Button} busy=${lines.loading} onClick=${lines.next}>Later lines<//></p>`}</section>`;
}

// The head of the last verification is given to the next one: that shows lines that
// have gone from the end.
const kept = "errand.audit-head";

function Verify() {
  const [busy, setBusy] = useState(false), [said, setSaid] = useState(/** @type {any} */ (null)), [error, setError] = useState(/** @type {any} */ (null));
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      const found = await get("/v1/audit/verify", { query: { head: localStorage.getItem(kept) || "" } });
      if (found.valid && found.head) localStorage.setItem(kept, found.head);
      setSaid(found);
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  };
  return html`<span class="acts" role="status">${error && html`<span class="small bad">${error.message}</span>`}
    ${said && (said.valid ? html`<${Status} s="completed" word=${count(said.lines) + " lines are what was written"} />${said.head && html`<${Copy} text=${said.head} label="Copy the head, to note it elsewhere" />`}`
      : html`<${Status} s="failed" word=${`Line ${said.wrong?.seq}: ${said.wrong?.message}`} />`)}
    <${Button} busy=${busy} onClick=${act}>Verify<//></span>`;
}
