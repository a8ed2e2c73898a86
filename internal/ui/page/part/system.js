// How the server is: what it runs, where it keeps things, and what doctor finds.
import { html, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { link } from "../lib/live.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Status } from "../lib/glyph.js";
import { At } from "../lib/time.js";
import { bytes, count, duration, plural } from "../lib/format.js";

export function System() {
  // This page's own stream is among those that are counted: what was read before it was there is read again.
  const system = useLoad((signal) => get("/v1/system", { signal }), [link.value === "live"]), of = system.data;
  return html`<section aria-label="System"><div class="head"><h2>System</h2><span class="push" /><${Button} kind="small" busy=${system.loading && !!of} onClick=${system.reload}>Read again<//></div>
    ${system.error && html`<${Trouble} error=${system.error} what="The server’s state could not be read." retry=${system.reload} />`}
    ${!of && !system.error && html`<${Skeleton} rows=${6} show=${system.slow} />`}
    ${of && html`<div class="facts-of">
      <${Facts} title="Server" of=${[["Version", of.version], ["Runs since", html`<${At} at=${of.started_at} /> <span class="faint">${duration(of.uptime_s * 1000)}</span>`], ["Built with", of.go], ["Public address", of.public_url || "not set"], ["Log level", of.log_level], ["Default model", of.default_model]]} />
      <${Facts} title="At work" of=${[["Runs driven", `${count(of.runs.driven)} of ${count(of.runs.max_active)}`], ["Runs that wait for room", count(of.runs.waiting)], ["Open streams", streamsOf(of)], ["Browser", of.browser || "none found"], ["Search engines", of.search_engines.join(", ") || "none"], ["Addresses opened to tools", of.egress_allow.join(", ") || "public ones only"]]} />
      <${Facts} title=${"Storage: " + of.store.kind} of=${[["Where", html`<code>${of.store.path}</code>`], ["Database", bytes(of.store.file_bytes)], ["Write-ahead log", bytes(of.store.wal_bytes)], ["Free in the file", bytes(of.store.reusable_bytes)], ["Free on the disk", bytes(of.store.disk_free_bytes)], ["Commits", `${count(of.store.commits)} in ${plural(of.store.commit_groups, "group")}, the largest of ${count(of.store.largest_group)}`], ["Failed groups", count(of.store.failed_groups)]]} />
      <${Facts} title="Providers" of=${of.providers.map((/** @type {any} */ one) => [one.name, html`${plural(one.models, "model")} ${one.health && one.health.state !== "closed" ? html`<${Status} s="failed" word=${"left alone: " + one.health.last_error} />` : ""}`])} /></div>
    <${Doctor} />`}</section>`;
}

/** What the open streams are. @param {{streams: number, feeds: number}} of */
const streamsOf = ({ streams, feeds }) => `${count(Math.max(0, streams - feeds))} of runs, ${count(feeds)} of pages like this one`;

/** @param {{title: string, of: [string, any][]}} props */
const Facts = ({ title, of }) => html`<section aria-label=${title}><h3>${title}</h3><dl class="kv">${of.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`;

/** @type {Record<string, string>} */
const looks = { ok: "completed", warn: "paused", fail: "failed" };

function Doctor() {
  const [busy, setBusy] = useState(false), [found, setFound] = useState(/** @type {any} */ (null)), [error, setError] = useState(/** @type {any} */ (null));
  const act = async () => {
    setBusy(true);
    setError(null);
    try {
      setFound((await get("/v1/system", { query: { doctor: true } })).doctor);
    } catch (fault) {
      setError(fault);
    }
    setBusy(false);
  };
  return html`<section aria-label="Doctor" class="doctor"><div class="head"><h3>Doctor</h3><span class="note">looks through every promise: logs, stuck runs, storage, providers, clock</span><span class="push" /><${Button} busy=${busy} onClick=${act}>Examine<//></div>
    ${error && html`<${Trouble} error=${error} what="Doctor could not look." retry=${act} />`}
    ${found && html`<p class="sr" role="status">${found.ok ? "Nothing is wrong" : "Something is wrong"}</p><ul>${found.checks.map((/** @type {any} */ one) => html`<li key=${one.check} class="row"><${Status} s=${looks[one.level] || "queued"} word=${one.check} /><span class="dim">${one.found}</span></li>`)}</ul>`}</section>`;
}
