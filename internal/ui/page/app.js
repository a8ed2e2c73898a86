// The page of what waits. It reads lists and the feed of changes, shows an action
// exactly as it would be made, and sends a person's word. Everything that a run brings
// along is set as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const store = window.sessionStorage; // of this tab: gone with it
const keyName = "errand.key";
const base = new URL("../", document.baseURI);

let items = []; // what waits, as the server lists it
let chosen = ""; // run/action
let done = []; // what was decided here, newest first
let feed = null; // aborts the stream

// element makes an element with text and attributes.
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick" || name === "onsubmit") made[name] = value;
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// ---- talking to the server

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { Authorization: "Bearer " + store.getItem(keyName), ...options.headers };
  const answer = await fetch(new URL(path, base), { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  if (answer.ok) return answer;
  let said = "The server answered " + answer.status + ".";
  try {
    const body = await answer.json();
    said = body.error.message + " (" + (body.error.request_id || answer.status) + ")";
  } catch { /* no JSON: the status has to do */ }
  throw new Refused(answer.status, said);
}

// Exact numbers: 1.50 and 12345678901234567890 are shown as they stand in the JSON.
class Exact {
  constructor(source) { this.source = source; }
}

function parse(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context && context.source !== undefined ? new Exact(context.source) : value);
}


// ---- what can't be seen

const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;
const soft = /[\p{Zs}\t\n]/u;

// visible returns the text as nodes, with what can't be seen named in its place, and
// counts what could deceive.
function visible(text, found) {
  const nodes = [];
  let run = "";
  const flush = () => {
    if (run) nodes.push(document.createTextNode(run));
    run = "";
  };
  for (const c of text) {
    const code = "U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    if (c === " ") run += c;
    else if (c === "\n") { flush(); nodes.push(element("span", { class: "hid soft", title: "new line" }, "↵"), document.createTextNode("\n")); }
    else if (soft.test(c)) { flush(); nodes.push(element("span", { class: "hid soft", title: code }, c === "\t" ? "tab" : code)); }
    else if (hidden.test(c)) { flush(); found.count++; nodes.push(element("span", { class: "hid", title: "a character that can’t be seen" }, code)); }
    else run += c;
  }
  flush();
  return nodes;
}

// json writes a value as JSON, with its characters as they are and exact numbers.
function json(value, indent = "") {
  if (value instanceof Exact) return value.source;
  if (typeof value === "string") return '"' + value.replace(/["\\]/g, "\\$&") + '"';
  if (value === null || typeof value !== "object") return String(value);
  const deeper = indent + "  ";
  const inner = Array.isArray(value)
    ? value.map((one) => deeper + json(one, deeper))
    : Object.entries(value).map(([name, one]) => deeper + json(name) + ": " + json(one, deeper));
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return inner.length ? open + "\n" + inner.join(",\n") + "\n" + indent + close : open + close;
}

// ---- the list

const idOf = (item) => item.run + "/" + item.id;

async function load() {
  const found = [];
  for (let after = ""; ;) {
    const query = "v1/approvals?limit=100" + (after && "&starting_after=" + encodeURIComponent(after));
    const page = parse(await (await ask(query)).text());
    found.push(...page.data);
    if (!page.has_more || found.length >= 1000) break;
    after = page.next_cursor;
  }
  items = found;
  show();
}

function show() {
  const n = items.length;
  $("count").textContent = n === 0 ? "Nothing waits for you" : n === 1 ? "1 waits for you" : n + " wait for you";
  document.title = (n ? "(" + n + ") " : "") + "Errand: approvals";
  if (!items.some((item) => idOf(item) === chosen)) chosen = n ? idOf(items[0]) : "";
  $("list").replaceChildren(...items.map((item) => element("li", {},
    element("button", { type: "button", "aria-current": idOf(item) === chosen && "true", onclick: () => { chosen = idOf(item); show(); } },
      element("b", {}, item.tool),
      element("span", { class: "l2 dim" }, ...visible(item.preview.split("\n")[0], { count: 0 })),
      element("span", { class: "l3" }, (item.agent_name || "a run without an agent") + " · since " + when(item.since))))),
    ...done.slice(0, 5).map((said) => element("li", { class: "done small" }, said)));
  detail(items.find((item) => idOf(item) === chosen));
}

const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// ---- one action

const reasons = {
  gate: "The agent asks before it makes this call.",
  changed: "It was approved before, and the tool or the arguments are not what they were then.",
  outcome_unknown: "The call was made, and nobody knows what came of it. Look at the tool’s side first.",
};

let drawn = "";

function detail(item) {
  const drawing = item ? idOf(item) + item.digest + item.reason + json(item.approvals) : "none";
  if (drawing === drawn) return; // what a person is reading, or writing, stays
  drawn = drawing;
  if (!item) {
    $("detail").replaceChildren(element("div", { class: "empty" },
      element("p", {}, "What an agent may not do without a person appears here."),
      element("p", { class: "small" }, "An agent names its gates in approval.required_for.")));
    return;
  }
  const found = { count: 0 };
  const args = table(item.arguments, found);
  const before = item.original_arguments ? table(item.original_arguments, found) : null;
  const preview = element("p", { class: "preview" }, ...visible(item.preview, { count: 0 }));
  const sheet = element("div", { class: "sheet" },
    element("h2", {}, item.tool),
    element("p", { class: "dim" }, "Asked by " + (item.agent_name || "a run without an agent") + " in ", element("code", {}, item.run), " · since " + when(item.since)),
    found.count ? element("p", { class: "warn", role: "alert" }, element("span", {},
      element("b", {}, found.count === 1 ? "1 character can’t be seen." : found.count + " characters can’t be seen."), " They are shown in place below.")) : null,
    element("h3", {}, "Arguments, exactly as the tool gets them"), args,
    before && element("h3", {}, "As the model asked for it"), before,
    element("h3", {}, "What it would do"), preview,
    element("h3", {}, "Why it waits"),
    element("p", {}, reasons[item.reason] || item.reason),
    element("h3", {}, "About it"),
    element("dl", { class: "kv" },
      element("dt", {}, "Task"), element("dd", {}, ...visible(item.title, { count: 0 })),
      element("dt", {}, "Approvals"), element("dd", {}, item.approvals.given.length + " given, " + json(item.approvals.missing) + " missing"),
      element("dt", {}, "Expires"), element("dd", {}, item.expires_at ? when(item.expires_at) : "never"),
      element("dt", {}, "Digest"), element("dd", {}, element("code", {}, item.digest))));
  $("detail").replaceChildren(sheet, buttons(item, found.count));
}

// table shows arguments: each field of an object on a line, anything else as it is.
function table(value, found) {
  const rows = value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Exact) ? Object.entries(value) : [["", value]];
  if (rows.length === 0) return element("p", { class: "dim" }, "None.");
  return element("table", { class: "args" }, element("tbody", {}, ...rows.map(([name, one]) => element("tr", {},
    element("th", { scope: "row" }, ...visible(name, found)), element("td", {}, ...visible(json(one), found))))));
}

function buttons(item, hiddenCount) {
  const unknown = item.reason === "outcome_unknown";
  const yes = unknown ? "It did not happen: make the call again" : "Approve" + (hiddenCount ? " with " + hiddenCount + " hidden character" + (hiddenCount > 1 ? "s" : "") : "");
  const no = unknown ? "It happened, or must not be repeated" : "Reject…";
  const said = element("span", { class: "said err", role: "alert" });
  const reason = element("input", { class: "in", id: "reason", maxlength: "2000", autocomplete: "off" });
  const why = element("div", { class: "why", hidden: true }, element("label", { for: "reason" }, "Reason, for the trace and the model"), reason);
  const approve = element("button", { class: "btn you", type: "button", id: "approve" }, yes);
  const reject = element("button", { class: "btn danger", type: "button", id: "reject" }, no);
  const decide = async (body, word) => {
    said.textContent = "";
    approve.disabled = reject.disabled = true;
    try {
      await ask("v1/runs/" + encodeURIComponent(item.run) + "/approve", {
        method: "POST", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ action_ids: [item.id], digest: item.digest, ...body }),
      });
      done.unshift(word + " " + item.tool + " at " + new Date().toLocaleTimeString());
      items = items.filter((one) => idOf(one) !== idOf(item));
      show();
      $("detail").focus();
      await load();
    } catch (error) {
      approve.disabled = reject.disabled = false;
      if (!leave(error)) said.textContent = error.message;
      if (error.status === 409) load().catch(leave); // it is not what was shown any more
    }
  };
  const shown = performance.now();
  approve.onclick = () => {
    if (performance.now() - shown < 300) return; // meant for the one before
    decide(reason.value.trim() ? { reason: reason.value.trim() } : {}, "Approved");
  };
  reject.onclick = () => {
    if (why.hidden) {
      why.hidden = false;
      reject.textContent = unknown ? no : "Reject";
      reason.focus();
      return;
    }
    if (!reason.value.trim()) {
      said.textContent = "Say why.";
      reason.focus();
      return;
    }
    decide({ reject: true, reason: reason.value.trim() }, "Rejected");
  };
  return element("div", { class: "decide" }, why, approve, reject, said);
}

// ---- the feed

async function follow() {
  const mine = (feed = new AbortController());
  let after = "";
  for (let tries = 0; !mine.signal.aborted; tries++) {
    try {
      const answer = await ask("v1/stream", { signal: mine.signal, headers: after ? { "Last-Event-ID": after } : {} });
      $("link").textContent = "";
      tries = 0;
      for await (const frame of frames(answer.body)) {
        if (frame.id) after = frame.id;
        if (frame.event === "resync" || frame.event === "approval.changed" || frame.event === "run.deleted") await load();
      }
    } catch (error) {
      if (mine.signal.aborted || leave(error)) return;
    }
    const wait = Math.min(30, 2 ** Math.min(tries, 5));
    $("link").textContent = "Not connected, retrying in " + wait + " s";
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
}

// frames reads server-sent events, as far as this server sends them.
async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done: over } = await reader.read();
    if (over) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const frame = {};
      for (const line of part.split("\n")) {
        const at = line.indexOf(": ");
        if (at > 0) frame[line.slice(0, at)] = line.slice(at + 2);
      }
      if (frame.event) yield frame;
    }
  }
}

// ---- coming and going

// leave shows the door again if the key is not good any more.
function leave(error) {
  if (!error || error.status !== 401) return false;
  signOut(error.message);
  return true;
}

function signOut(why) {
  store.removeItem(keyName);
  if (feed) feed.abort();
  items = [];
  done = [];
  drawn = "";
  $("list").replaceChildren();
  $("detail").replaceChildren();
  $("desk").hidden = $("out").hidden = true;
  $("door").hidden = false;
  $("refused").textContent = why || "";
  $("key").focus();
}

async function enter() {
  await load();
  $("door").hidden = true;
  $("desk").hidden = $("out").hidden = false;
  follow();
}

$("sign").onsubmit = async (event) => {
  event.preventDefault();
  $("refused").textContent = "";
  store.setItem(keyName, $("key").value.trim());
  try {
    await enter();
    $("key").value = "";
  } catch (error) {
    store.removeItem(keyName);
    $("refused").textContent = error.message;
  }
};
$("out").onclick = () => signOut("");

if (store.getItem(keyName)) enter().catch((error) => signOut(error.message));
else signOut("");
