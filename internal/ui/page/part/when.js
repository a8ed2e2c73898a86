// When a schedule starts runs: as a draft that people edit, as words, and the next
// times, as the server would have them.
import { html, useEffect, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { Check, Choice, TextField } from "../lib/field.js";
import { Until } from "../lib/time.js";

/** @typedef {{kind: "cron"|"every"|"times"|"daemon", cron: string, every: string, times: string, days: string[], tz: string}} When */

export const week = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/** The reader's own zone. */
export const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const zones = /** @type {any} */ (Intl).supportedValuesOf?.("timeZone") || [];

/** @param {any} schedule null = a new one @returns {When} */
export const whenOf = (schedule) => ({
  kind: !schedule || schedule.cron ? "cron" : schedule.every ? "every" : schedule.daemon ? "daemon" : "times", cron: schedule?.cron || (schedule ? "" : "0 9 * * Mon-Fri"), every: schedule?.every || "1h",
  times: (schedule?.times || []).join(", ") || "09:00", days: (schedule?.days || []).filter((/** @type {string} */ one) => one !== "*"), tz: schedule?.tz || here,
});

/** As the server takes it. @param {When} when */
export function fieldsOf(when) {
  const { kind, tz } = when;
  if (kind === "cron") return { cron: when.cron.trim(), tz };
  if (kind === "every") return { every: when.every.trim(), tz };
  if (kind === "daemon") return { daemon: true, tz };
  return { times: when.times.split(/[\s,]+/).filter(Boolean), days: when.days.length ? when.days : ["*"], tz };
}

/** "Mon, Tue, Wed" is "Mon–Wed". @param {string[]} days */
function dayWords(days) {
  const at = week.map((one, i) => (days.includes(one) ? i : -1)).filter((i) => i >= 0);
  if (!at.length || at.length === 7 || days.includes("*")) return "every day";
  return at.length > 2 && (at.at(-1) ?? 0) - at[0] === at.length - 1 ? `${week[at[0]]}–${week[at.at(-1) ?? 0]}` : at.map((i) => week[i]).join(", ");
}

/** When, in a few words. @param {{of: any}} props */
export function WhenWords({ of }) {
  if (of.cron) return html`<code>${of.cron}</code>`;
  if (of.every) return `every ${of.every}`;
  if (of.daemon) return "again as soon as the last run ends";
  return `${of.times.join(", ")} ${dayWords(of.days)}`;
}

/** @param {string} tz @param {string} at */
function inZone(tz, at) {
  try {
    return new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: at.match(/:00(\.\d+)?(Z|[+-])/) ? undefined : "2-digit", timeZone: tz }).format(new Date(at));
  } catch {
    return at;
  }
}

/** The next times, in the schedule's zone and in the reader's. @param {{times: string[], tz: string}} props */
export function NextTimes({ times, tz }) {
  const two = times.some((at) => inZone(tz, at) !== inZone(here, at));
  return html`<table class="table next"><thead><tr><th>In ${tz}</th>${two && html`<th>For you, in ${here}</th>`}<th class="num">From now</th></tr></thead>
    <tbody>${times.map((at) => html`<tr key=${at}><td><time datetime=${at}>${inZone(tz, at)}</time></td>${two && html`<td class="dim">${inZone(here, at)}</td>`}<td class="num dim"><${Until} at=${at} /></td></tr>`)}</tbody></table>`;
}

/** What the server says of a draft, as it is typed. @param {When} when */
export function usePreview(when) {
  const [said, put] = useState(/** @type {{of: string, times: string[]|null, tz: string, error: any}} */ ({ of: "", times: null, tz: when.tz, error: null })), asked = JSON.stringify(fieldsOf(when));
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const answer = await post("/v1/schedules/preview", { ...JSON.parse(asked), count: 5 }, { signal: stop.signal });
        if (!stop.signal.aborted) put({ of: asked, times: answer.next_runs, tz: answer.tz, error: null });
      } catch (error) {
        if (!stop.signal.aborted) put((before) => ({ ...before, of: asked, error }));
      }
    }, 200);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [asked]);
  return { ...said, asking: asked !== said.of };
}

/**
 * The fields that say when. wrong: what the server says of a field, from the preview or from saving.
 * @param {{when: When, onChange: (when: When) => void, preview: ReturnType<typeof usePreview>, wrong: (field: string) => string|undefined}} props
 */
export function WhenFields({ when, onChange, preview, wrong }) {
  const put = (/** @type {Partial<When>} */ change) => onChange({ ...when, ...change }), says = preview.error?.fields || {};
  const found = (/** @type {string} */ field) => says[Object.keys(says).find((path) => path === field || path.startsWith(field + "[")) ?? ""] || wrong(field);
  return html`<fieldset class="when"><legend class="label">When</legend>
      <${Choice} label="How it is said when" small=${false} value=${when.kind} onChange=${(/** @type {any} */ kind) => put({ kind })} options=${[{ value: "cron", text: "Cron" }, { value: "every", text: "Interval" }, { value: "times", text: "Times of day" }, { value: "daemon", text: "Always" }]} />
      ${when.kind === "cron" && html`<${TextField} label="Cron expression" code value=${when.cron} onInput=${(/** @type {string} */ cron) => put({ cron })} error=${found("cron")} spellcheck="false" hint="Minute, hour, day of the month, month, day of the week. 0 9 * * Mon-Fri is nine o’clock on working days; L is the last day of a month." />`}
      ${when.kind === "every" && html`<${TextField} label="Every" code value=${when.every} onInput=${(/** @type {string} */ every) => put({ every })} error=${found("every")} spellcheck="false" hint="Such as 30s, 15m or 24h, counted from when it is saved." />`}
      ${when.kind === "times" && html`<${TextField} label="Times" code value=${when.times} onInput=${(/** @type {string} */ times) => put({ times })} error=${found("times")} spellcheck="false" hint="Such as 09:00, 13:30." />
        <div class="days" role="group" aria-label="Days">${week.map((day) => html`<${Check} key=${day} label=${day} checked=${!when.days.length || when.days.includes(day)} onChange=${(/** @type {boolean} */ on) => {
          const before = when.days.length ? when.days : week;
          put({ days: on ? [...before, day] : before.filter((one) => one !== day) });
        }} />`)}</div>${found("days") && html`<p class="small bad">${found("days")}</p>`}`}
      ${when.kind === "daemon" && html`<p class="small dim">A run starts as soon as the last one has ended, at most once a second. Set limits on its agent: nothing else stops it.</p>`}
      <${TextField} label="Time zone" value=${when.tz} onInput=${(/** @type {string} */ tz) => put({ tz: tz.trim() })} error=${found("tz")} list="zones" spellcheck="false" hint="A name such as Europe/Berlin, so that nine o’clock stays nine o’clock in summer." />
      <datalist id="zones">${["UTC", ...zones].map((/** @type {string} */ one) => html`<option value=${one} />`)}</datalist></fieldset>
    ${when.kind !== "daemon" && html`<section class="preview" aria-label="The next five times" aria-busy=${preview.asking ? "true" : undefined}><h3>The next five times</h3>
      ${preview.error && !Object.keys(says).length ? html`<p class="small bad">${preview.error.message}</p>` : ""}
      <div class=${preview.error ? "times stale" : "times"}>${preview.times && html`<${NextTimes} times=${preview.times} tz=${preview.tz} />`}${preview.times?.length === 0 && html`<p class="small dim">None.</p>`}</div></section>`}`;
}
