// Find or do anything: what there is, and what can be done with it, in one field.
import { html, signal, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { Glyph, Icon } from "../lib/glyph.js";
import { Key } from "../lib/keys.js";
import { pageCommands } from "../lib/commands.js";
import { useEarly } from "../lib/deliberate.js";
import { byID, matching, places, runs, things } from "./found.js";

/** Whether it is open. */
export const finding = signal(false);

export function Palette() {
  return finding.value ? html`<${Box} />` : null;
}

// Names are read when it opens; runs are looked for while one types, a moment after.
/** @param {string} asked */
function useFound(asked) {
  const [named, setNamed] = useState(/** @type {import("./found.js").Command[]} */ ([])), [ran, setRan] = useState(/** @type {import("./found.js").Command[]} */ ([]));
  useEffect(() => {
    let gone = false;
    things().then((all) => { if (!gone) setNamed(all); });
    return () => { gone = true; };
  }, []);
  useEffect(() => {
    const over = new AbortController();
    const timer = setTimeout(() => {
      if (asked.trim().length > 1) runs(asked.trim(), over.signal).then(setRan, () => {}); // the rest is found all the same
      else setRan([]);
    }, 120);
    return () => { clearTimeout(timer); over.abort(); };
  }, [asked]);
  return useMemo(() => [...pageCommands.value, ...places(), ...named, ...ran], [named, ran, pageCommands.value]);
}

/** @param {import("./found.js").Command} one */
const nameOf = (one) => one.note + one.text + (one.words || "");

// What is written and picked are signals: who types fast and presses Enter means what is
// written now, whatever is shown yet. What comes late takes nobody's pick away, since that
// is a name and no place in the list; and what changes something is not done by an Enter
// that was on its way to what stood there before.
function Box() {
  const box = useRef(/** @type {HTMLDialogElement|null} */ (null)), [asked, pick] = useMemo(() => [signal(""), signal("")], []);
  useEffect(() => { box.current?.showModal(); }, []);
  const all = useFound(asked.value);
  const now = () => {
    const found = [...byID(asked.value), ...matching(all, asked.value)];
    return { found, here: Math.max(0, found.findIndex((one) => nameOf(one) === pick.value)) };
  };
  const { found: list, here: chosen } = now(), names = list.map(nameOf), [why, say] = useState("");
  const lateFirst = useEarly(names[0] || ""), lateAny = useEarly(names.join());
  useEffect(() => { box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }); }, [chosen]);
  const close = () => { finding.value = false; };
  const take = (/** @type {import("./found.js").Command|undefined} */ one, /** @type {() => string} */ late) => {
    if (!one) return;
    const against = one.acts ? late() : "";
    say(against);
    if (against) return;
    close();
    one.run();
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const { found, here } = now(), by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by && found.length) pick.value = nameOf(found[Math.min(Math.max(here + by, 0), found.length - 1)]);
    else if (event.key === "Enter") take(found[here], () => (nameOf(found[here]) === pick.value ? "" : lateFirst()));
    else return;
    event.preventDefault();
  };
  return html`<dialog class="palette" ref=${box} aria-label="Find or do" onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); close(); }} onPointerDown=${(/** @type {Event} */ event) => { if (event.target === box.current) close(); }}>
    <div class="palette-in">
      <label class="with"><${Icon} name="search" /><input class="in" type="text" role="combobox" aria-expanded="true" aria-controls="found" aria-label="Find or do" autocomplete="off" spellcheck=${false}
        aria-activedescendant=${list.length ? "found-" + chosen : undefined} placeholder="An id, a name, or what to do" value=${asked.value} onInput=${(/** @type {any} */ event) => { asked.value = event.target.value; pick.value = ""; say(""); }} onKeyDown=${press} /></label>
      <ul id="found" role="listbox" aria-label="Found">${list.map((one, i) => html`
        <li id=${"found-" + i} key=${nameOf(one)} role="option" aria-selected=${String(i === chosen)} onPointerMove=${() => { pick.value = nameOf(one); }} onClick=${() => take(one, lateAny)}>
          ${one.s ? html`<span class="st" data-s=${one.s}><${Glyph} s=${one.s} /></span>` : html`<${Icon} name=${one.icon || "chev"} />`}
          <span class="grow cut">${one.text}</span>${one.keys && html`<span class="row"><${Key} k=${one.keys} /></span>`}<span class="faint small">${one.note}</span></li>`)}</ul>
      ${why && html`<p class="small bad palette-none" role="alert">${why}</p>`}
      ${!list.length && html`<p class="dim palette-none">Nothing has this name, these words or this id.</p>`}
    </div>
  </dialog>`;
}
