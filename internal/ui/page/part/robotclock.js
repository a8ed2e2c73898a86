// When a robot starts by itself, and the next five times at which it would.
import { html, useEffect, useState } from "../lib/html.js";
import { post } from "../lib/api.js";
import { Choice } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { exact } from "../lib/format.js";
import { Until } from "../lib/time.js";
import { Line, Part, Yes, useForm } from "./robotform.js";

const days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const modes = [{ value: "", text: "No clock" }, { value: "times", text: "At times of the day" }, { value: "interval", text: "Every so often" }, { value: "daemon", text: "Again and again" }];

export function Schedule() {
  const form = useForm(), clock = form.draft.robot_config.clock || {}, mode = clock.mode || "", own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const setMode = (/** @type {string} */ to) => {
    if (form.off) return;
    const kept = { tz: clock.tz || own, timeout: clock.timeout || "" };
    /** @type {Record<string, any>} */
    const fresh = { times: { ...kept, mode: to, times: clock.times || ["09:00"], days: clock.days || ["*"] }, interval: { ...kept, mode: to, every: clock.every || "30m" }, daemon: { ...kept, mode: to } };
    form.set("robot_config.clock", fresh[to]);
  };
  return html`<${Part} id="schedule" title="Schedule" note="Started by its clock, a robot looks at its duties and sets its own goals.">
    <${Yes} path="autonomous_mode" label="Its clock starts it" />
    <div class="field"><span class="label">Clock</span><${Choice} label="Clock" value=${mode} options=${modes} onChange=${setMode} small=${false} />${form.wrong("robot_config.clock.mode") && html`<p class="small bad">${form.wrong("robot_config.clock.mode")}</p>`}</div>
    ${mode === "times" && html`<${Times} /><${Days} />`}
    ${mode === "interval" && html`<${Line} path="robot_config.clock.every" label="Every" hint="A number and a unit: 90s, 30m, 2h." class="in narrow" />`}
    ${mode === "daemon" && html`<p class="dim">It begins again as soon as it has ended; ever less often while it fails at once.</p>`}
    ${mode && html`<div class="two"><${Line} path="robot_config.clock.tz" label="Time zone" list="zones" placeholder="UTC" hint=${`Yours is ${own}.`} /><${Line} path="robot_config.clock.timeout" label="It may work for" placeholder="30m" hint="What the clock starts; waiting for people does not count." /></div>
      <datalist id="zones">${zones().map((one) => html`<option key=${one} value=${one} />`)}</datalist>
      <${NextTimes} clock=${clock} on=${form.draft.autonomous_mode} />`}<//>`;
}

/** @returns {string[]} */
const zones = () => ["UTC", .../** @type {any} */ (Intl).supportedValuesOf("timeZone")];

function Times() {
  const form = useForm(), times = /** @type {string[]} */ (form.draft.robot_config.clock.times || []), path = "robot_config.clock.times", wrong = form.wrong(path);
  return html`<fieldset class="some"><legend class="label">Times</legend><div class="row wrap times">${times.map((one, i) => html`<span class="time" key=${i}><input class="in" type="time" aria-label=${"Time " + (i + 1)} value=${one} disabled=${form.off} onInput=${(/** @type {any} */ event) => form.set(path, times.map((other, at) => (at === i ? event.target.value : other)))} />
      <button class="btn icon quiet" type="button" disabled=${form.off || times.length < 2} aria-label=${"Remove " + (one || "this time")} onClick=${() => form.set(path, times.filter((_, at) => at !== i))}><${Icon} name="x" /></button></span>`)}
    <button class="btn" type="button" disabled=${form.off} onClick=${() => form.set(path, [...times, "12:00"])}><${Icon} name="plus" />Time</button></div>${wrong && html`<p class="small bad">${wrong}</p>`}</fieldset>`;
}

function Days() {
  const form = useForm(), said = /** @type {string[]} */ (form.draft.robot_config.clock.days || []), every = !said.length || said.includes("*"), wrong = form.wrong("robot_config.clock.days");
  const press = (/** @type {string} */ day) => {
    const now = every ? days : said, next = days.filter((one) => (one === day ? !now.includes(day) : now.includes(one)));
    if (next.length) form.set("robot_config.clock.days", next.length === 7 ? ["*"] : next);
  };
  return html`<div class="field"><span class="label">Days</span><span class="btns" role="group" aria-label="Days">${days.map((day) => html`<button key=${day} class="btn" type="button" disabled=${form.off} aria-pressed=${String(every || said.includes(day))} onClick=${() => press(day)}>${day}</button>`)}</span>${wrong && html`<p class="small bad">${wrong}</p>`}</div>`;
}

/** Asks the server, which knows zones and changes of the clocks as the real thing does. @param {{clock: any, on: boolean}} props */
function NextTimes({ clock, on }) {
  const [said, put] = useState(/** @type {{times: string[], tz: string, error: string}|null} */ (null));
  const key = JSON.stringify(clock);
  useEffect(() => {
    const over = new AbortController();
    const timer = setTimeout(async () => {
      const { mode, times, days, every, tz } = clock;
      try {
        const answer = await post("/v1/schedules/preview", { ...(mode === "times" ? { times, days } : mode === "interval" ? { every } : { daemon: true }), ...(tz ? { tz } : {}), count: 5 }, { signal: over.signal });
        put({ times: answer.next_runs, tz: answer.tz, error: "" });
      } catch (fault) {
        if (!over.signal.aborted) put({ times: [], tz: "", error: Object.values(/** @type {any} */ (fault).fields || {}).join(" ") || /** @type {Error} */ (fault).message });
      }
    }, 200);
    return () => { clearTimeout(timer); over.abort(); };
  }, [key]);
  return html`<div class="next-times"><h3>The next five times</h3>
    ${said?.error && html`<p class="bad">${said.error}</p>`}
    ${clock.mode === "daemon" ? html`<p class="dim">None that could be told: it begins when it has ended.</p>` : html`<ol>${(said?.times || ["", "", "", "", ""]).map((one, i) => html`<li key=${i}>${one && html`<time datetime=${one} title=${exact(one)}>${inZone(one, said?.tz || "UTC")}</time><span class="faint"><${Until} at=${one} /></span>`}</li>`)}</ol>`}
    ${!on && html`<p class="small dim">Its clock does not start it now: switch that on above.</p>`}</div>`;
}

/** "Mon 23 Nov, 09:00 CET" @param {string} at @param {string} tz */
const inZone = (at, tz) => new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: tz, timeZoneName: "short" }).format(new Date(at));
