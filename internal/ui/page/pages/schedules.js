// Schedules: agents and robots that start by the clock.
import { html, useState } from "../lib/html.js";
import { all, get, lacking, may } from "../lib/api.js";
import { href } from "../lib/root.js";
import { setQuery } from "../lib/route.js";
import { useCommands } from "../lib/commands.js";
import { useAt, useRoving } from "../lib/list.js";
import { Empty, Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon, Status } from "../lib/glyph.js";
import { Ago, Until } from "../lib/time.js";
import { Seen } from "../lib/hidden.js";
import { agentName } from "../lib/names.js";
import { ToolTabs } from "../part/tooltabs.js";
import { WhenWords } from "../part/when.js";
import { ScheduleForm } from "../part/scheduleform.js";
import { ScheduleDrawer, fire, hold, stateOf } from "../part/schedule.js";

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Schedules({ query }) {
  const list = useLoad((signal) => all("/v1/schedules", {}, { signal }), [], { on: ["run.changed", "resync"], every: 2000 });
  const robots = useLoad((signal) => (may("agents:read") ? get("/v1/agent/robots", { query: { pagesize: 100 }, signal }).then((page) => page.data || []) : Promise.resolve([])), []);
  const rows = list.data || [], [at, setAt] = useAt(rows), lacks = lacking("agents:write") || lacking("runs:write"), open = query.get("schedule") || "", edit = query.get("edit");
  const show = (/** @type {string} */ id) => setQuery({ schedule: id }, { push: true }), add = () => setQuery({ schedule: "new", edit: "1" }, { push: true }), close = () => setQuery({ schedule: null, edit: null });
  const roving = useRoving({ count: rows.length, at, onMove: setAt, onOpen: (i) => show(rows[i].id), noun: "schedule" });
  const nameOf = (/** @type {any} */ one) => (one.agent ? agentName(one.agent) || one.agent : robots.data?.find((/** @type {any} */ each) => each.member_id === one.robot)?.display_name || one.robot);
  const [starting, setStarting] = useState(/** @type {string[]} */ ([]));
  const start = async (/** @type {any} */ one) => {
    setStarting((all) => [...all, one.id]);
    await fire(one, nameOf(one));
    setStarting((all) => all.filter((id) => id !== one.id));
    list.reload();
  };
  useCommands([{ text: "New schedule", note: "Action", icon: "plus", run: add }], []);
  return html`<${ToolTabs} at="/schedules" />
    <section aria-label="Schedules"><div class="head"><h2>Schedules</h2><span class="note">the clocks of robots stand with the robots</span><span class="push" /><${Button} kind="primary" lacks=${lacks} onClick=${add}><${Icon} name="plus" />New schedule<//></div>
      ${list.error && html`<${Trouble} error=${list.error} what="The schedules could not be read." retry=${list.reload} />`}
      ${rows.length > 0 && html`<table class="table list"><colgroup><col /><col class="c-when desk" /><col class="c-state" /><col class="c-next desk" /><col class="c-last desk" /><col class="c-acts desk" /></colgroup>
        <thead><tr><th>Starts</th><th class="desk">When</th><th>State</th><th class="num desk">Next</th><th class="desk last">Last run</th><th class="desk"><span class="sr">What one can do</span></th></tr></thead>
        <tbody>${rows.map((one, i) => html`<tr key=${one.id} data-current=${i === at ? "" : undefined} onClick=${(/** @type {any} */ event) => { if (!event.defaultPrevented && !event.target.closest("a,button") && !String(getSelection())) show(one.id); }}>
          <td class="cut"><a class="name" href=${href("/schedules?schedule=" + one.id)} onFocus=${() => setAt(i)} ...${roving.item(i)}>${nameOf(one)}</a><span class="sub cut"><span class="phone"><${WhenWords} of=${one} /></span><span class="desk"><${Seen} text=${one.input || (one.robot ? "finds its goals by itself" : "without a prompt")} /></span></span></td>
          <td class="desk cut"><${WhenWords} of=${one} /><span class="sub cut">${one.every || one.daemon ? "" : one.tz}</span></td>
          <td class="cut"><${State} of=${one} />${one.next_run && html`<span class="sub phone">next <${Until} at=${one.next_run} /></span>`}</td>
          <td class="num desk">${one.next_run ? html`<${Until} at=${one.next_run} />` : html`<span class="faint">–</span>`}</td>
          <td class="desk last cut">${one.last_run ? html`<a href=${href("/runs/" + one.last_run)}><${Status} s=${one.last_status || "running"} /></a> <span class="faint"><${Ago} at=${one.last_run_at} ago /></span>` : html`<span class="faint">none yet</span>`}</td>
          <td class="desk num"><span class="acts"><${Button} kind="small" busy=${starting.includes(one.id)} lacks=${lacking("runs:write")} onClick=${() => start(one)} aria-label=${"Run now: " + nameOf(one)}>Run now<//>
            <${Button} kind="small quiet" lacks=${lacking("agents:write")} onClick=${() => hold(one, nameOf(one)).then(list.reload)} aria-label=${(one.paused ? "Resume " : "Pause ") + nameOf(one)}>${one.paused ? "Resume" : "Pause"}<//></span></td></tr>`)}</tbody></table>`}
      ${list.data?.length === 0 && html`<${Empty} what="Nothing starts by the clock yet." how="A schedule starts a saved agent or a robot at times, in intervals or without end, once for each time, whatever crashes."><${Button} lacks=${lacks} onClick=${add}>New schedule<//><//>`}
      ${!list.data && !list.error && html`<${Skeleton} rows=${3} height=${46} show=${list.slow} />`}</section>
    ${open && (edit ? html`<${ScheduleForm} key=${"edit" + open} id=${open} onClose=${() => (open === "new" ? close() : setQuery({ edit: null }))} onSaved=${(/** @type {any} */ saved) => { list.reload(); setQuery({ schedule: saved.id, edit: null }); }} />`
      : html`<${ScheduleDrawer} key=${open} id=${open} nameOf=${nameOf} onClose=${close} onChanged=${list.reload} onGone=${() => { close(); list.reload(); }} />`)}`;
}

/** @param {{of: any}} props */
function State({ of }) {
  const { s, word } = stateOf(of);
  return html`<${Status} s=${s} word=${word} />`;
}
