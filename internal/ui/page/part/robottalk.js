// The talk with a robot's host: it settles the goal, a person confirms it, and what was
// confirmed becomes an execution that goes on in the same place.
import { html, signal, useEffect, useRef, useState } from "../lib/html.js";
import { ask, lacking } from "../lib/api.js";
import { frames } from "../lib/sse.js";
import { Trouble } from "../lib/fault.js";
import { Button } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { Key, useKeys } from "../lib/keys.js";
import { Clock } from "../lib/time.js";
import { announce } from "../lib/announce.js";
import { Markdown } from "../lib/markdown.js";
import { ExecutionCard, meanings, onSend } from "./execution.js";
import { execPath } from "./execdata.js";
import { robotPath } from "./robotdata.js";
import { joined } from "../lib/draft.js";
import { onLeaving } from "../lib/session.js";

/**
 * @typedef {{who: "you"|"host"|"said"|"exec", text: string, at: number, live?: boolean}} Word  said: what has come of a message; exec: the id of an execution
 * @typedef {{words: Word[], exec: string, settled: boolean, asked: boolean, text: string, busy: boolean, error: any}} Talk  settled: an execution goes on; asked: the host
 *   waits for a word; text: what is being written to it; busy: it answers
 */

/** Talks of this page, by robot: they stay and go on while one looks at other pages. @type {Map<string, import("../vendor/signals.js").Signal<Talk>>} */
const talks = new Map();
onLeaving(() => talks.clear());
/** @type {Talk} */
const blank = { words: [], exec: "", settled: false, asked: false, text: "", busy: false, error: null };

/** What ends the exchange that a talk is in. @type {WeakMap<import("../vendor/signals.js").Signal<Talk>, AbortController>} */
const exchanges = new WeakMap();

/** What has come of a message, in words. @type {Record<string, string>} */
const became = {
  confirmed: "goal confirmed · now it runs", adjusted: "the goal is changed", task_added: "a task is added", task_skipped: "the task is skipped",
  resumed: "the answer has reached it · it goes on", waiting: "it is paused · it hears this when it is resumed", acknowledged: "it has been told", rejected: "cancelled",
};

/** What an attached file may have, in characters: a message to a robot has at most 64 KiB. */
const room = 48_000;

/** @param {string} member */
function talkWith(member) {
  const talk = talks.get(member) || signal(blank);
  talks.set(member, talk);
  const set = (/** @type {Partial<Talk>} */ change) => { talk.value = { ...talk.peek(), ...change }; };

  /** Sends, and takes the host's words as they come, whether or not anybody looks. @param {string} path @param {any} body @param {string} said what the person said, for the flow */
  const send = async (path, body, said) => {
    const { words, exec, settled, asked } = talk.peek(), over = new AbortController();
    exchanges.set(talk, over);
    set({ busy: true, error: null, asked: false, words: [...words, { who: "you", text: said, at: Date.now() }] });
    try {
      const answer = await ask("POST", path, { body, signal: over.signal, headers: { Accept: "text/event-stream" } });
      let text = "", done = null;
      for await (const frame of frames(/** @type {any} */ (answer.body))) {
        if (frame.event === "message") set({ words: hostSays(talk.peek().words, (text += JSON.parse(frame.data).content), true) });
        if (frame.event === "interact_done") done = JSON.parse(frame.data);
      }
      if (!done || done.status === "error") throw new Error(done?.message || "The connection broke before the answer was complete.");
      set({ busy: false, ...end(talk.peek(), done) });
      if (talks.get(member) === talk) announce(done.status === "confirmed" ? "Goal confirmed" : done.wait_for_more ? "The host has answered" : done.message || "");
      return true;
    } catch (fault) {
      if (over.signal.aborted) return true; // nobody waits for it any more
      set({ busy: false, error: fault, exec, settled, asked, words: words.filter((one) => !one.live) });
      return false;
    }
  };
  const begin = () => {
    exchanges.get(talk)?.abort();
    set(blank);
  };
  return { talk, set, send, begin };
}

/** @param {Word[]} words @param {string} text @param {boolean} live @returns {Word[]} */
const hostSays = (words, text, live) => [...(words.at(-1)?.live ? words.slice(0, -1) : words), { who: "host", text, at: Date.now(), live }];

/** What the talk is with this answer. @param {Talk} talk @param {any} done @returns {Partial<Talk>} */
function end(talk, done) {
  const words = done.reply ? hostSays(talk.words, done.reply, false) : talk.words.map((one) => ({ ...one, live: false }));
  const settled = talk.settled || done.status === "confirmed";
  const exec = done.execution_id || talk.exec, now = Date.now();
  if (became[done.status]) words.push({ who: "said", text: became[done.status], at: now });
  if (done.status === "confirmed" && !words.some((one) => one.text === exec)) words.push({ who: "exec", text: exec, at: now });
  return { exec, settled, asked: !!done.wait_for_more, words };
}

/** @param {{member: string, name: string, onClose: () => void}} props */
export function RobotTalk({ member, name, onClose }) {
  const { talk: held, send, set, begin } = talkWith(member), talk = held.value, { text, busy, error } = talk, [meaning, setMeaning] = useState("");
  const [ended, setEnded] = useState(""), over = talk.settled && ended === talk.exec, live = talk.settled && !over;
  const field = useRef(/** @type {any} */ (null)), flow = useRef(/** @type {any} */ (null)), lacks = lacking("runs:write");
  useEffect(() => { if (matchMedia("(min-width: 901px)").matches) field.current?.focus({ preventScroll: true }); }, [member]);
  useEnd(flow, talk.words);
  const say = async () => {
    if (busy) return announce("The host answers. Then you can send.");
    if (!text.trim() || lacks) return;
    set({ text: "", ...(over ? { exec: "", settled: false } : {}) }); // what has ended is not guided: this is the next task
    setMeaning("");
    const body = { message: text, ...(talk.exec && !over ? { execution_id: talk.exec } : {}), ...(live && meaning ? { action: meaning } : {}) };
    if (await send(robotPath(member) + "/interact", body, text)) return;
    set({ text: joined(text, held.peek().text) });
    setMeaning((now) => now || meaning);
  };
  const confirm = () => send(execPath(member, talk.exec) + "/confirm", undefined, "Yes, I confirm. Start.");
  useKeys([{ keys: "mod+Enter", does: "Send to the host", where: "Robots", run: say }]);
  const begun = talk.words.length > 0;
  return html`<aside class="talk" aria-label=${"Assign a task to " + name}>
    <header><h2 class="as-h3 nowrap">Assign a task</h2><span class="dim small cut">${name}</span><span class="push" />
      ${begun && html`<button class="btn small quiet" type="button" onClick=${() => { begin(); field.current?.focus(); }}>New task</button>`}
      <button class="btn icon small quiet" type="button" aria-label="Close the talk" onClick=${onClose}><${Icon} name="x" /></button></header>
    <div class="flow" tabindex="0" role="region" aria-label="Conversation" ref=${flow}><div>
      ${!begun && html`<p class="dim intro">Say what ${name} should reach. Its host asks until the goal is clear, and nothing starts before you confirm it.</p>`}
      ${talk.words.map((one, i) => (one.who === "exec" ? html`<${ExecutionCard} key=${one.text} member=${member} id=${one.text} follow=${one.text === talk.exec} open=${`/robots/${encodeURIComponent(member)}?exec=${one.text}`}
        onGuide=${() => field.current?.focus()} onOver=${() => setEnded((now) => (one.text === talk.exec ? one.text : now))} onAgain=${(/** @type {string} */ exec) => set({ exec, settled: true, words: [...held.peek().words, { who: "said", text: "tried again", at: Date.now() }, { who: "exec", text: exec, at: Date.now() }] })} />`
        : html`<${Said} key=${i} one=${one} />`))}
      ${talk.asked && !talk.settled && !busy && html`<div class="confirm"><${Button} kind="you" lacks=${lacks} onClick=${confirm}>Confirm goal<//><span class="small dim">or say what should be different</span></div>`}
      ${error && html`<${Trouble} error=${error} what="The message was not answered." />`}
    </div></div>
    <form class="say" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); say(); }}>
      ${live && html`<div class="row means" role="group" aria-label="What the message is meant as">${meanings.map((one) => html`<button key=${one.value} class="btn small" type="button" aria-pressed=${String(meaning === one.value)} onClick=${() => setMeaning(one.value)}>${one.text}</button>`)}</div>`}
      <div class="row"><${Attach} onText=${(/** @type {string} */ more) => set({ text: joined(held.peek().text, more) })} />
        <textarea class="in" rows="1" ref=${field} value=${text} aria-label="Message to the host" placeholder=${live ? "Guide it" : over ? "Give the next task" : begun ? "Answer the host" : "What should it reach?"}
          onInput=${(/** @type {any} */ event) => set({ text: event.target.value })} onKeyDown=${onSend(say)} />
        <button class="btn primary" type="submit" disabled=${!text.trim() || !!lacks || busy} aria-busy=${busy ? "true" : undefined} title=${lacks || undefined} aria-label="Send"><${Icon} name="send" /></button></div>
      <p class="keys desk"><span>${busy ? "The host answers. Then you can send." : html`<${Key} k="mod+Enter" /> send`}</span></p></form></aside>`;
}

/** Keeps the end in view while it grows, unless one has scrolled away from it. @param {{current: any}} flow @param {any[]} words */
function useEnd(flow, words) {
  const there = useRef(true), toEnd = () => { if (flow.current) flow.current.scrollTop = flow.current.scrollHeight; };
  useEffect(() => { there.current = true; toEnd(); }, [words.length]);
  useEffect(() => {
    const box = flow.current, seen = () => { there.current = box.scrollHeight - box.scrollTop - box.clientHeight < 40; };
    const watcher = new ResizeObserver(() => { if (there.current) toEnd(); });
    watcher.observe(box.firstElementChild);
    box.addEventListener("scroll", seen, { passive: true });
    return () => { watcher.disconnect(); box.removeEventListener("scroll", seen); };
  }, []);
}

/** @param {{one: Word}} props */
function Said({ one }) {
  if (one.who === "said") return html`<div class="became"><span>${one.text} · <${Clock} at=${one.at} /></span></div>`;
  return html`<div class="msg"><span class="who">${one.who === "you" ? "You" : "Host"}</span>${one.who === "you" ? html`<div class="text mine">${one.text}</div>` : html`<div class="text"><${Markdown} text=${one.text} live=${one.live} />${one.live && html`<span class="caret" role="img" aria-label="still writing" />`}</div>`}</div>`;
}

/** The text of a file goes into the message, where one sees what is sent. @param {{onText: (text: string) => void}} props */
function Attach({ onText }) {
  const input = useRef(/** @type {any} */ (null)), [wrong, setWrong] = useState("");
  const take = async (/** @type {any} */ event) => {
    const file = event.target.files?.[0];
    event.target.value = "";
    if (!file) return;
    const text = file.size <= room * 2 ? await file.text() : "";
    if (!text || text.includes("\u0000") || text.length > room) return setWrong(`${file.name} is no text of at most ${room / 1000} KB: a robot's host reads text alone.`);
    setWrong("");
    onText(`${file.name}:\n\`\`\`\n${text.trim()}\n\`\`\``);
  };
  return html`<button class="btn icon quiet" type="button" aria-label="Attach the text of a file" title="Attach the text of a file" onClick=${() => input.current.click()}><${Icon} name="attach" /></button>
    <input type="file" class="sr" tabindex="-1" aria-label="A text file" ref=${input} onChange=${take} />${wrong && html`<span class="wrong small bad" role="alert">${wrong}</span>`}`;
}
