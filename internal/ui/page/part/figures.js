// The four figures: running, waiting, failed today, spent today.
import { html, useComputed } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { useLoad } from "../lib/load.js";
import { Status } from "../lib/glyph.js";
import { approvals, inboxCount } from "../lib/inbox.js";
import { now } from "../lib/time.js";
import { age, count, money, plural } from "../lib/format.js";
import { Trouble } from "../lib/fault.js";

// How many runs have a status, up to a hundred: nobody counts further at a glance.
/** @param {string} status @param {AbortSignal} signal */
async function howMany(status, signal) {
  const page = await get("/v1/runs", { query: { status, limit: 100 }, signal });
  return { n: page.data.length, text: count(page.data.length) + (page.has_more ? "+" : "") };
}

// Since midnight here; the server's buckets are hours of UTC.
function midnight() {
  const at = new Date();
  at.setHours(0, 0, 0, 0);
  return at;
}

/** @param {AbortSignal} signal */
async function today(signal) {
  const utcDay = new Date();
  utcDay.setUTCHours(0, 0, 0, 0);
  const [hours, day] = await Promise.all([
    get("/v1/stats", { query: { bucket: "hour", from: midnight().toISOString() }, signal }),
    get("/v1/stats", { query: { bucket: "day", from: utcDay.toISOString() }, signal }),
  ]);
  let runs = 0, failed = 0;
  for (const row of hours.data) {
    runs += row.runs;
    failed += row.by_status.failed || 0;
  }
  const spent = day.data.at(-1)?.usage;
  return { runs, failed, cost: spent?.cost_usd ?? 0, unpriced: !!spent?.unpriced };
}

/** @param {{daily: any}} props  daily: the budget of the whole project, if there is one */
export function Figures({ daily }) {
  const live = { on: ["run.changed", "run.deleted", "resync"], every: 1000 };
  const running = useLoad((signal) => Promise.all([howMany("running", signal), howMany("queued", signal)]), [], live);
  const day = useLoad(today, [], { ...live, every: 3000 });
  const [runs, queued] = running.data || [], error = running.error || day.error;
  return html`<div class="figures">
      <a href=${href("/runs?status=running")}><span class="k"><${Status} s="running" alone />Running</span>
        <span class="n">${runs ? runs.text : html`<i class="wait" />`} <small>${queued && queued.n > 0 && `${queued.text} queued`}</small></span></a>
      <a href=${href("/approvals")}><span class="k"><${Status} s="awaiting_approval" alone />Waiting for you</span>
        <span class="n">${approvals.value ? count(inboxCount.value) : html`<i class="wait" />`} <small><${NextExpiry} /></small></span></a>
      <a href=${href("/runs?status=failed")} title="Of the runs that began since midnight, here"><span class="k"><${Status} s="failed" alone />Failed today</span>
        <span class="n">${day.data ? count(day.data.failed) : html`<i class="wait" />`} <small>${day.data && "of " + plural(day.data.runs, "run")}</small></span></a>
      <a href=${href("/settings/budgets")} title="Since 00:00 UTC, as budgets count"><span class="k">Spend today</span>
        <span class="n">${day.data ? money(day.data.cost) : html`<i class="wait" />`} <small>${daily ? "of " + money(daily.max_cost_usd) : day.data?.unpriced && "and calls without a known price"}</small></span></a>
    </div>
    ${error && html`<${Trouble} error=${error} what="These figures could not be read." retry=${() => { running.reload(); day.reload(); }} />`}`;
}

function NextExpiry() {
  const text = useComputed(() => {
    const first = approvals.value?.find((one) => one.expires_at);
    return first ? "next expires in " + age(Date.parse(/** @type {string} */ (first.expires_at)) - now.value) : "";
  });
  return html`${text}`;
}
