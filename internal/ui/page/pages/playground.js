// The playground: a chat with any agent or model. Tools are seen as they run, what needs
// a person is decided in place, and each turn is a run that can be opened.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { all, get, lacking, may } from "../lib/api.js";
import { joined } from "../lib/draft.js";
import { href } from "../lib/root.js";
import { crumbs, go, setQuery } from "../lib/route.js";
import { Skeleton, useLoad } from "../lib/load.js";
import { Trouble } from "../lib/fault.js";
import { Button, Check, TextArea, TextField } from "../lib/field.js";
import { Icon } from "../lib/glyph.js";
import { Key, shortcut, useKeys } from "../lib/keys.js";
import { Seen } from "../lib/hidden.js";
import { bytes, money, plural, tokens } from "../lib/format.js";
import { Choose } from "../part/agenttools.js";
import { useChat, useFiles } from "../part/chat.js";
import { Turn, Used } from "../part/turn.js";

export const full = true;

/** Whom one talked to last, for the next new chat. */
let lastWith = "";

/** Between chats and workflows. @param {{at: "chat"|"workflows"}} props */
export const PlayTabs = ({ at }) => html`<nav class="tabs" aria-label="Playground"><a href=${href("/playground")} aria-current=${at === "chat" ? "page" : undefined}>Chat</a><a href=${href("/workflows")} aria-current=${at === "workflows" ? "page" : undefined}>Workflows</a></nav>`;

/** @param {{params: Record<string, string>, query: URLSearchParams}} props */
export default function Playground({ query }) {
  const who = useLoad((signal) => Promise.all([get("/v1/models", { signal }), may("agents:read") ? all("/v1/agents", {}, { signal }) : []]).then(([models, agents]) => ({ models: models.data.filter((/** @type {any} */ one) => !one.agent), agents })), []);
  const tools = useLoad((signal) => (may("tools:read") ? all("/v1/tools", {}, { signal }) : Promise.resolve([])), []);
  const [told, setTold] = useState(""), [given, setGiven] = useState(/** @type {string[]} */ ([])), [careful, setCareful] = useState(true), [naming, setNaming] = useState(false);
  const chat = useChat(query.get("run") || ""), first = chat.turns.length ? chat.runs[chat.turns[chat.turns.length - 1].id] : null;
  const asked = query.get("agent") ? "agent:" + query.get("agent") : query.get("model") ? "model:" + query.get("model") : first ? (first.agent && !first.agent.startsWith("robot/") ? "agent:" + first.agent : "model:" + first.model) : lastWith;
  const chosen = asked || (who.data ? (who.data.agents[0] ? "agent:" + who.data.agents[0].id : who.data.models[0] ? "model:" + who.data.models[0].id : "") : "");
  const agent = chosen.startsWith("agent:") ? chosen.slice(6) : "", model = chosen.startsWith("model:") ? chosen.slice(6) : "", saved = who.data?.agents.find((one) => one.id === agent || one.name === agent);
  useEffect(() => { crumbs.value = [{ text: "Playground" }]; }, []);
  const unsafe = given.filter((name) => tools.data?.find((one) => one.name === name)?.effect !== "safe");
  const pick = (/** @type {string} */ value) => { lastWith = value; setQuery(value.startsWith("agent:") ? { agent: value.slice(6), model: null } : { model: value.slice(6), agent: null }); };
  const fresh = () => { lastWith = chosen; chat.leave(); go("/playground" + (agent ? "?agent=" + encodeURIComponent(agent) : model ? "?model=" + encodeURIComponent(model) : "")); };
  useKeys([{ keys: "n", does: "New chat", where: "Playground", run: fresh }], [chosen]);
  const whom = { agent, model, instructions: told, tools: given, asks: careful ? unsafe : [] };
  return html`<div class="talk">
      <div class="top"><h1 class="sr">Playground</h1><${PlayTabs} at="chat" /><span class="push" />
        <button class="btn" type="button" onClick=${fresh}><${Icon} name="plus" />New chat <${Key} k="n" /></button></div>
      <${Conversation} chat=${chat} name=${saved?.name || model || agent} about=${saved?.description || ""} loading=${who.loading && !who.data} />
      <${Composer} chat=${chat} whom=${whom} name=${saved?.name || model || agent} /></div>
    <aside class="with-whom" aria-label="Whom you talk to">
      ${who.error && html`<${Trouble} error=${who.error} what="Agents and models could not be read." retry=${who.reload} />`}
      <div class="field"><label for="whom">Talk to</label><select id="whom" class="in" value=${chosen} onChange=${(/** @type {any} */ event) => { if (event.target.value === "other") setNaming(true); else { setNaming(false); pick(event.target.value); } }}>
        ${chosen && who.data && !saved && !who.data.models.some((/** @type {any} */ one) => one.id === model) && html`<option value=${chosen} selected>${model || agent}</option>`}
        ${who.data && who.data.agents.length > 0 && html`<optgroup label="Agents">${who.data.agents.map((one) => html`<option key=${one.id} value=${"agent:" + one.id} selected=${one === saved}>${one.name}</option>`)}</optgroup>`}
        ${who.data && html`<option value="other">Another model…</option>`}
        ${who.data && html`<optgroup label="Models">${who.data.models.map((/** @type {any} */ one) => html`<option key=${one.id} value=${"model:" + one.id} selected=${one.id === model}>${one.id}</option>`)}</optgroup>`}</select></div>
      ${naming && html`<${TextField} label="The model’s name" hint="Any that a provider of this server has, such as openai/gpt-5-mini." value=${model} onInput=${() => {}} onChange=${(/** @type {any} */ event) => { if (event.target.value.trim()) { setNaming(false); pick("model:" + event.target.value.trim()); } }} />`}
      ${agent ? who.data && html`<${About} agent=${saved} />` : chosen && html`<${TextArea} label="Instructions" rows=${4} value=${told} onInput=${setTold} placeholder="None: the model as it is" />
        <${Given} tools=${tools} given=${given} setGiven=${setGiven} unsafe=${unsafe.length} careful=${careful} setCareful=${setCareful} />`}
      <${Sums} chat=${chat} /></aside>`;
}

/** @param {{agent: any}} props */
function About({ agent }) {
  if (!agent) return html`<p class="small dim">An agent that your key can’t see, or that was deleted.</p>`;
  return html`<dl class="kv small"><dt>Version</dt><dd>v${agent.version}</dd><dt>Model</dt><dd>${agent.model}</dd><dt>Tools</dt><dd>${agent.tools.length ? agent.tools.map((/** @type {string} */ one) => html`<code key=${one} class="tool">${one}</code> `) : "none"}</dd>
    <dt>Gates</dt><dd>${agent.approval?.required_for?.length ? agent.approval.required_for.map((/** @type {any} */ one) => html`<code class="tool">${one.tool || one}</code> `) : "none"}</dd></dl>
    <div><a class="btn small" href=${href("/agents/" + agent.id)}>Open agent</a></div>`;
}

/** @param {{tools: import("../lib/load.js").Loaded<any[]>, given: string[], setGiven: (all: string[]) => void, unsafe: number, careful: boolean, setCareful: (on: boolean) => void}} props */
function Given({ tools, given, setGiven, unsafe, careful, setCareful }) {
  const [choosing, choose] = useState(false);
  return html`<section aria-label="Tools"><div class="head"><span class="label">Tools</span><span class="push" /><button class="btn small" type="button" onClick=${() => choose(true)}><${Icon} name="plus" />Choose</button></div>
    ${given.length ? html`<p>${given.map((one) => html`<code key=${one} class="tool">${one}</code> `)}</p>` : html`<p class="small faint">None: it answers from what it knows.</p>`}
    ${unsafe > 0 && html`<${Check} label="Ask me before every call that is not safe" checked=${careful} onChange=${setCareful} />`}
    ${choosing && html`<${Choose} tools=${tools} draft=${{ tools: given }} set=${(/** @type {any} */ change) => setGiven(change.tools)} onClose=${() => choose(false)} />`}</section>`;
}

/** @param {{chat: import("../part/chat.js").Chat}} props */
function Sums({ chat }) {
  const known = chat.turns.map((one) => chat.runs[one.id]).filter(Boolean), cost = known.reduce((sum, one) => (sum === null || one.usage.cost_usd === null ? null : sum + one.usage.cost_usd), /** @type {number|null} */ (0));
  if (!known.length) return null;
  return html`<section aria-label="This chat"><h2 class="as-h3">This chat</h2><dl class="kv small sums"><dt>Turns</dt><dd class="num">${chat.turns.length}${chat.earlier ? " and more" : ""}</dd><dt>Tokens</dt><dd class="num">${tokens(known.reduce((sum, one) => sum + one.usage.total_tokens, 0))}</dd><dt>Cost</dt><dd class="num">${money(cost)}</dd></dl>
    <p class="small faint">Its address opens it again, also for others of this project.</p></section>`;
}

/** @param {{chat: import("../part/chat.js").Chat, name: string, about: string, loading: boolean}} props */
function Conversation({ chat, name, about, loading }) {
  const box = useRef(/** @type {any} */ (null)), inner = useRef(/** @type {any} */ (null)), low = useRef(true);
  useEffect(() => { // stays at the end while text comes, unless one has scrolled up
    const end = () => { if (low.current && box.current) { const own = getComputedStyle(box.current).overflowY !== "visible"; if (own) box.current.scrollTop = box.current.scrollHeight; else if (chat.turns.length) scrollTo(0, document.documentElement.scrollHeight); } };
    const watch = new ResizeObserver(end);
    watch.observe(inner.current);
    const seen = () => { if (!box.current) return; const at = getComputedStyle(box.current).overflowY !== "visible" ? box.current : document.documentElement; low.current = at.scrollHeight - at.scrollTop - at.clientHeight < 80; };
    box.current.addEventListener("scroll", seen, { passive: true });
    addEventListener("scroll", seen, { passive: true });
    return () => { watch.disconnect(); removeEventListener("scroll", seen); };
  }, [chat.turns.length > 0]);
  useEffect(() => { low.current = true; }, [chat.turns.length]);
  return html`<div class="said" ref=${box} tabindex="0" role="region" aria-label="The chat"><div class="said-in" ref=${inner}>
    ${chat.earlier && html`<p><${Button} kind="small" busy=${chat.busy === "more"} onClick=${chat.more}>Earlier turns<//></p>`}
    ${chat.reading && html`<${Skeleton} rows=${3} />`}
    ${!chat.turns.length && !chat.reading && !loading && html`<div class="empty"><p class="as-h3">${name ? `Talk to ${name}.` : "Nobody to talk to yet."}</p><p>${about || (name ? "Each message is a run: its tools, its waits and its cost stand here, and it can be opened." : "Create an agent, or give the server a model.")}</p></div>`}
    ${chat.turns.map((one) => html`<article key=${one.id} aria-label="A turn">
      <div class="msg me"><span class="who">You</span><div class="text"><p class="prompt">${(chat.runs[one.id]?.prompt || one.prompt).split("\n").map((/** @type {string} */ line, /** @type {number} */ i) => html`${i ? "\n" : ""}<${Seen} text=${line} />`)}</p>${one.files.map((file) => html`<span key=${file} class="tag line"><${Icon} name="attach" />${file}</span> `)}</div></div>
      <div class="msg"><span class="who cut" title=${chat.runs[one.id]?.agent_name || chat.runs[one.id]?.model}>${chat.runs[one.id]?.agent_name || "Model"}</span><div><${Turn} id=${one.id} onRun=${chat.know} />
        ${chat.runs[one.id] && html`<p class="about-turn"><${Used} run=${chat.runs[one.id]} /> <a class="small" href=${href("/runs/" + one.id)}>Open run</a></p>`}</div></div></article>`)}
  </div></div>`;
}

/** @param {{chat: import("../part/chat.js").Chat, whom: import("../part/chat.js").With, name: string}} props */
function Composer({ chat, whom, name }) {
  const [text, setText] = useState(""), field = useRef(/** @type {any} */ (null)), choose = useRef(/** @type {any} */ (null)), files = useFiles();
  const lacks = whom.agent ? (may("agents:execute") || may("runs:write") ? "" : lacking("agents:execute")) : lacking("runs:write"), noFiles = lacking("files:write") || lacking("files:read");
  const ready = !!text.trim() && !chat.busy && !chat.reading && !lacks && files.ready && (!!whom.agent || !!whom.model) && (!chat.going || !!chat.current);
  const send = async () => {
    if (!ready) return;
    const added = chat.going ? [] : files.files;
    setText(""); // what is typed and chosen from now on is the next message
    for (const one of added) files.remove(one.key);
    field.current?.focus();
    if (await chat.send(text, added, whom)) return;
    setText((now) => joined(text, now));
    files.put(added);
  };
  const take = (/** @type {FileList|undefined|null} */ list) => { if (!noFiles && !chat.going) for (const one of list || []) files.add(one); };
  const empty = !chat.turns.length && !chat.reading;
  useEffect(() => { if (empty && matchMedia("(min-width: 901px)").matches) field.current?.focus({ preventScroll: true }); }, [empty]);
  useKeys([
    { keys: "mod+Enter", does: "Send", where: "Playground", run: send },
    { keys: "/", does: "Write", where: "Playground", run: () => field.current?.focus() },
  ]);
  return html`<div class="composer" onDragOver=${(/** @type {DragEvent} */ event) => event.preventDefault()} onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); take(event.dataTransfer?.files); }}>
    ${chat.error && html`<${Trouble} error=${chat.error} what="It was not sent." />`}
    ${files.files.length > 0 && html`<ul class="files">${files.files.map((one) => html`<li key=${one.key} class=${one.error ? "tag line bad" : "tag line"} title=${one.error || undefined}><${Icon} name=${one.error ? "warn" : "attach"} /><span class="cut">${one.name}</span><span class="faint">${one.error ? "not stored" : one.id ? bytes(one.bytes) : "is stored…"}</span>
      <button class="btn icon small quiet" type="button" aria-label=${"Remove " + one.name} onClick=${() => files.remove(one.key)}><${Icon} name="x" /></button></li>`)}</ul>${files.files.filter((one) => one.error).map((one) => html`<p key=${one.key} class="small bad">${one.name}: ${one.error}</p>`)}`}
    <label class="sr" for="say">Message</label><textarea id="say" ref=${field} class="in" rows=${Math.min(10, Math.max(2, text.split("\n").length))} maxlength="100000" placeholder=${chat.going ? "Say more: the model sees it with its next step" : "Message to " + (name || "…")} value=${text}
      onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${(/** @type {any} */ event) => { if (event.key === "Escape") event.target.blur(); }} onPaste=${(/** @type {ClipboardEvent} */ event) => { if (event.clipboardData?.files.length) { event.preventDefault(); take(event.clipboardData.files); } }} />
    <div class="row"><input ref=${choose} type="file" multiple hidden accept="image/png,image/jpeg,text/*,.md,.csv,.json" onChange=${(/** @type {any} */ event) => { take(event.target.files); event.target.value = ""; }} />
      <${Button} kind="quiet" lacks=${noFiles} disabled=${chat.going} title=${noFiles || "Pictures and texts, 8 MB together"} onClick=${() => choose.current?.click()}><${Icon} name="attach" />Attach<//>
      ${whom.asks.length > 0 && html`<span class="small faint desk">${plural(whom.asks.length, "tool")} will ask first</span>`}<span class="push" />
      ${chat.going && html`<${Button} kind="danger" busy=${chat.busy === "stop"} disabled=${!chat.current} onClick=${chat.stop}><${Icon} name="stop" />Stop<//>`}
      <${Button} kind="primary" busy=${chat.busy === "send"} lacks=${lacks} disabled=${!ready} onClick=${send} aria-keyshortcuts=${shortcut("mod+Enter")}><${Icon} name="send" />Send <${Key} k="mod+Enter" /><//></div></div>`;
}
