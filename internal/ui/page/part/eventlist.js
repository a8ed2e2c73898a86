// The raw events of a run, newest first: one line each, all of it on demand, and the
// whole as JSON with its numbers to the digit.
import { html, useMemo, useState } from "../lib/html.js";
import { get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { Copy } from "../lib/clip.js";
import { Seen } from "../lib/hidden.js";
import { Prose } from "./prose.js";
import { json } from "../lib/exact.js";
import { clock, count, exact } from "../lib/format.js";
import { callsOf, lineOf } from "./runlog.js";
import { readEvents } from "./runhead.js";

const page = 50;

/** "14:32:07.418" @param {string} at */
const precise = (at) => clock(at) + "." + String(new Date(at).getMilliseconds()).padStart(3, "0");

/** @param {{id: string, events: import("../lib/runstream.js").RunEvent[], writing: import("./livetab.js").Pen}} props */
export function EventList({ id, events, writing }) {
  const [room, setRoom] = useState(page), [open, setOpen] = useState(0), calls = useMemo(() => callsOf(events), [events]);
  const rows = events.slice(-room).reverse();
  return html`<section aria-labelledby="re"><div class="head"><h2 class="as-h3" id="re">Events</h2><span class="note">newest first</span><span class="push" /><${Copy} text=${async () => json(await readEvents(id))} label="Copy all events as JSON" word="Copy as JSON" /></div>
    <ol class="ev"><${Writes} writing=${writing} seq=${events.at(-1)?.seq || 0} />
      ${rows.map((one) => html`<li key=${one.seq}><button type="button" class="plain" aria-expanded=${String(open === one.seq)} onClick=${() => setOpen(open === one.seq ? 0 : one.seq)}>
          <span class="s">${one.seq}</span><time class="t" datetime=${one.at} title=${exact(one.at)}>${precise(one.at)}</time><span class="k">${one.type}</span><span class="cut"><${Seen} text=${lineOf(one, calls)} /></span></button>
        ${open === one.seq && html`<${Raw} id=${id} seq=${one.seq} />`}</li>`)}</ol>
    ${events.length > room && html`<button class="btn small quiet older" type="button" onClick=${() => setRoom(room + 200)}>Show older ones, ${count(events.length - room)} more</button>`}</section>`;
}

/** @param {{writing: import("./livetab.js").Pen, seq: number}} props */
function Writes({ writing, seq }) {
  const now = writing.value;
  if (!now) return null;
  return html`<li class="live-e"><span class="line"><span class="s">${seq}+</span><span class="t">${precise(new Date(now.at).toISOString())}</span><span class="k">delta</span><span class="cut">${count((now.text || now.reasoning).length)} characters so far</span></span></li>`;
}

/** @param {{id: string, seq: number}} props */
function Raw({ id, seq }) {
  const one = useLoad((signal) => get(`/v1/runs/${id}/events`, { query: { after: seq - 1, limit: 1 }, exact: true, signal }).then((said) => said.data[0]), [id, seq]);
  if (one.error) return html`<p class="bad small">${one.error.message}</p>`;
  return one.data ? html`<pre class="raw" tabindex="0" aria-label=${"Event " + seq}><${Prose} text=${json(one.data)} /></pre>` : null;
}
