// The inbox: what waits for a person, one after the other, decided by keyboard.
import { html, useEffect, useMemo, useRef, useState } from "../lib/html.js";
import { href } from "../lib/root.js";
import { go, place, setQuery } from "../lib/route.js";
import { Empty, Skeleton } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Icon } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { useRoving } from "../lib/list.js";
import { toast } from "../lib/announce.js";
import { countHidden } from "../lib/hidden.js";
import { approvals, inboxError, inboxFrom, questions, readInbox } from "../lib/inbox.js";
import { longFields } from "../part/arguments.js";
import { Action } from "../part/action.js";
import { Decide } from "../part/decide.js";
import { Question } from "../part/question.js";
import { Several } from "../part/several.js";
import { GoneRow, WaitingRow, pathOf } from "../part/waiting.js";
import { nameOf, useGone } from "../part/gone.js";
import { useWord } from "../part/word.js";

export const full = true;

/** @typedef {import("../part/waiting.js").Row} Row */

/** @param {boolean} oldest @returns {Row[]} */
function rowsOf(oldest) {
  /** @type {Row[]} */
  const rows = (approvals.value || []).map((item) => ({ kind: "action", name: nameOf(item), item }));
  if (oldest) rows.sort((a, b) => Date.parse(a.item.since) - Date.parse(b.item.since));
  return [...rows, ...questions.value.map((item) => (/** @type {Row} */ ({ kind: "question", name: item.id, item })))];
}

// Where the address names none, it is the first one, and stays that: what comes in before
// it, or that somebody else decides on it, puts nothing else under a finger.
/** @param {string} named @param {Row[]} rows @param {(name: string) => boolean} decided here, since the list was read */
function useShown(named, rows, decided) {
  const first = useRef("");
  if (named || decided(first.current)) first.current = "";
  if (!named) first.current ||= rows.find((row) => !decided(row.name))?.name || "";
  return named || first.current;
}

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Approvals({ params, query }) {
  const oldest = query.get("sort") === "oldest", rows = useMemo(() => rowsOf(oldest), [approvals.value, questions.value, oldest]);
  const gone = useGone(approvals.value), [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  // What was decided here, and when: it stands in the list until that is read again. What
  // is in the list then waits for another word.
  const mine = useRef(/** @type {Map<string, number>} */ (new Map())), decided = (/** @type {string} */ name) => (mine.current.get(name) || 0) > inboxFrom.value;
  const wanted = useShown(params.run ? (params.action === "question" ? params.run : params.run + "/" + params.action) : "", rows, decided);
  const at = rows.findIndex((row) => row.name === wanted);
  const picked = rows.filter((row) => row.kind === "action" && chosen.has(row.name)).map((row) => row.item);
  const latest = useRef({ rows, wanted });
  latest.current = { rows, wanted };
  useEffect(() => () => { latest.current = { rows: [], wanted: "" }; }, []);
  useEffect(() => { // what comes back under its name has not been chosen
    setChosen((all) => {
      const here = [...all].filter((name) => rows.some((row) => row.name === name));
      return here.length < all.size ? new Set(here) : all;
    });
  }, [rows]);
  const lead = (/** @type {Row|undefined} */ row) => go((row ? pathOf(row) : "/approvals") + (oldest ? "?sort=oldest" : ""), { replace: true });
  const show = (/** @type {number} */ i) => lead(rows[i]);
  const choose = (/** @type {string} */ name, /** @type {boolean} */ on) => setChosen((all) => new Set(on ? [...all, name] : [...all].filter((one) => one !== name)));
  // The answer to a decision may be late: whoever looks at another action by then, or is on
  // the way to another page, stays there.
  const follow = (/** @type {number} */ i, /** @type {string} */ name) => {
    mine.current.set(name, performance.now());
    readInbox();
    const now = latest.current;
    if (now.wanted !== name || place.peek().route.page !== "approvals") return;
    lead([...rows.slice(i + 1), ...rows.slice(0, i), ...now.rows].find((row) => !decided(row.name) && now.rows.some((one) => one.name === row.name)));
  };
  useKeys([
    { keys: "x", does: "Select", where: "Approvals", run: () => { const row = rows[at]; if (row?.kind === "action") choose(row.name, !chosen.has(row.name)); } },
    { keys: "o", does: "Open the run", where: "Approvals", run: () => { if (rows[at]) go("/runs/" + rows[at].name.split("/")[0]); } },
  ]);
  const roving = useRoving({ count: rows.length, at, onMove: show, noun: "action", focus: false });
  return html`<h1 class="sr">Approvals</h1>
    <section class="inbox" aria-label="Inbox">
      <div class="top"><h2>Needs you</h2>${rows.length > 0 && html`<span class="count you">${rows.length}</span>`}<span class="push" />
        <button class="btn small quiet" type="button" aria-pressed=${String(oldest)} onClick=${() => setQuery({ sort: oldest ? "" : "oldest" })}>${oldest ? "Oldest first" : "Expires first"}<${Icon} name="down" /></button></div>
      ${inboxError.value && html`<${Trouble} error=${inboxError.value} what="What waits could not be read." retry=${readInbox} />`}
      <ul>${rows.map((row, i) => html`<${WaitingRow} key=${row.name} row=${row} current=${i === at && !picked.length} chosen=${chosen.has(row.name)} onChoose=${(/** @type {boolean} */ on) => choose(row.name, on)} given=${roving.item(i)} />`)}
        ${gone.map((one) => html`<${GoneRow} key=${"gone " + nameOf(one.item)} one=${one} />`)}</ul>
    </section>
    ${picked.length > 0
      ? html`<${Several} items=${picked} onLeave=${() => setChosen(new Set())} onDone=${(/** @type {any[]} */ decided, /** @type {boolean} */ approve) => {
        if (decided.length) toast(`${approve ? "Approved" : "Rejected"} ${decided.length} of ${picked.length}`);
        for (const item of decided) { choose(nameOf(item), false); mine.current.set(nameOf(item), performance.now()); }
        readInbox();
      }} />`
      : html`<${Detail} row=${rows[at]} rows=${rows} at=${at} wanted=${wanted} show=${show} follow=${follow} />`}
    <div class="foot-keys" aria-hidden="true"><div class="keys desk"><span><${Key} k="j" /><${Key} k="k" /> move</span><span><${Key} k="x" /> select</span><span><${Key} k="o" /> run</span><span><${Key} k="?" /> all keys</span></div></div>`;
}

/**
 * @param {{row: Row|undefined, rows: Row[], at: number, wanted: string, show: (i: number) => void, follow: (i: number, name: string) => void}} props
 */
function Detail({ row, rows, at, wanted, show, follow }) {
  if (!row) return html`<section class="detail" aria-label="The action that waits"><div class="in-w"><${Nothing} wanted=${wanted} /></div></section>`;
  const pager = html`<div class="pager"><span class="small dim">${at + 1} of ${rows.length}</span><span class="push" />
    <button class="btn small" type="button" disabled=${at <= 0} onClick=${() => show(at - 1)}>Previous</button><button class="btn small" type="button" disabled=${at >= rows.length - 1} onClick=${() => show(at + 1)}>Next</button></div>`;
  if (row.kind === "question") {
    return html`<section class="detail" aria-label="The question that waits"><div class="in-w">${pager}
      <${Question} key=${row.name} run=${row.item} onAnswered=${() => { toast("Answered", { detail: row.item.title, path: "/runs/" + row.item.id, link: "Open run" }); follow(at, row.name); }} /></div></section>`;
  }
  const after = rows[at + 1] || (at > 0 ? rows[0] : undefined);
  return html`<${Waiting} key=${row.name} item=${row.item} pager=${pager} next=${after ? (after.kind === "question" ? (after.item.agent_name || "a run") + " asks a question" : after.item.tool) : ""} onDecided=${(/** @type {any} */ item, /** @type {string} */ said) => {
    /** @type {Record<string, string>} */
    const words = { approved: "Approved ", rejected: "Rejected ", stopped: "Stopped the run of " };
    toast(words[said] + item.tool, { detail: item.title, s: said === "approved" ? "completed" : "cancelled", path: "/runs/" + item.run, link: "Open run" });
    follow(at, row.name);
  }} />`;
}

/** @param {{item: import("../lib/inbox.js").Approval, pager: any, next: string, onDecided: (item: any, said: any) => void}} props */
function Waiting({ item, pager, next, onDecided }) {
  const word = useWord(item, onDecided), [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  useEffect(() => setOpened(new Set()), [item.digest]);
  const unopened = longFields(item.arguments).filter((name) => !opened.has(name)).length;
  return html`
    <section class="detail" aria-label="The action that waits" tabindex="0"><div class="in-w">${pager}
      <${Action} item=${item} word=${word} onOpened=${(/** @type {string} */ name) => setOpened(new Set([...opened, name]))} /></div></section>
    <${Decide} item=${item} word=${word} hidden=${countHidden(word.changed ? word.draft : item.arguments)} unopened=${unopened} next=${next} />`;
}

/** @param {{wanted: string}} props */
function Nothing({ wanted }) {
  if (approvals.value === null && !inboxError.value) return html`<${Skeleton} rows=${4} />`;
  if (wanted) {
    const run = wanted.split("/")[0];
    return html`<${Empty} what="This does not wait any more." how="It was decided, or its run has ended. The run’s page says what became of it."><a class="btn" href=${href("/runs/" + run)}>Open run</a><//>`;
  }
  return html`<${Empty} what="Nothing waits for you." how="Actions that an agent may not take on its own word come here. An agent’s gates say which."><a class="btn" href=${href("/agents")}>Open agents</a><//>`;
}
