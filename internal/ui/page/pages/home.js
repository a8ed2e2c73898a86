// Home: what is so now, what needs a person, and what happened last. All of it
// changes as the server says so; nothing asks on its own.
import { html } from "../lib/html.js";
import { get } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { useLoad } from "../lib/load.js";
import { Choice } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { Key } from "../lib/keys.js";
import { approvals, inboxError } from "../lib/inbox.js";
import { now } from "../lib/time.js";
import { clock, dayName, exact } from "../lib/format.js";
import { Charts, ranges } from "../part/charts.js";
import { Figures } from "../part/figures.js";
import { NeedsYou } from "../part/needs.js";
import { RecentRuns } from "../part/recent.js";
import { Robots } from "../part/robotlist.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Home({ query }) {
  const range = ranges.find((one) => one.value === query.get("range")) || ranges[0];
  const budgets = useLoad((signal) => get("/v1/budgets", { query: { limit: 100 }, signal }), [], { on: ["run.changed", "resync"], every: 5000 });
  const daily = budgets.data?.data.find((/** @type {any} */ one) => one.period === "day" && !one.agent && !one.key && one.max_cost_usd);
  return html`
    <div class="hello"><h1>Now</h1><${TimeOfDay} />
      <span class="push desk"><${Choice} label="Time range" value=${range.value} options=${ranges} onChange=${(/** @type {string} */ value) => setQuery({ range: value === "1h" ? null : value })} /></span>
      <a class="btn primary desk" href=${href("/playground")}><${Icon} name="plus" />New run <${Key} k="n" /></a></div>
    <${Figures} daily=${daily} />
    <div class=${approvals.value || inboxError.value ? "cols" : "cols later"}>
      <div>
        <${Charts} range=${range} daily=${daily} />
        <${RecentRuns} />
      </div>
      <aside aria-label="What needs you, and robots">
        <${NeedsYou} />
        <${Robots} />
      </aside>
    </div>`;
}

function TimeOfDay() {
  const at = now.value;
  return html`<time class="clock num" datetime=${new Date(at).toISOString()} title=${exact(at)}>${clock(at)}</time><span class="day dim">${dayName(at)}</span>`;
}
