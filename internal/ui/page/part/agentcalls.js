// How a program calls an agent: in each of the server's dialects and four languages,
// with the server's own address.
import { html, useState } from "../lib/html.js";
import { may } from "../lib/api.js";
import { href, server } from "../lib/root.js";
import { Snippets, curl, golang, snippets } from "../lib/snippet.js";

/** @param {any} agent @returns {{name: string, text: string, scope: string, note: any, all: {name: string, text: string}[]}[]} */
function dialects(agent) {
  const name = agent.name, task = "What is to be done";
  const bare = /^[\w.-]+$/.test(name) ? name : agent.id, native = { method: "POST", path: `/v1/agents/${bare}/run`, body: { prompt: task } };
  const chat = { model: "agent:" + name, messages: [{ role: "user", content: task }] };
  const swarms = { agent_config: { agent_name: name, description: agent.description || undefined, system_prompt: agent.instructions.length > 240 ? agent.instructions.slice(0, 240) + "…" : agent.instructions, model_name: agent.model, max_loops: agent.max_steps }, task };
  const [provider, model] = agent.model.includes("/") ? agent.model.split(/\/(.*)/) : ["", agent.model];
  return [
    { name: "native", text: "native", scope: "agents:execute", note: "The answer comes when the run has ended or waits, at most after 30 s; after that it is read by its id.", all: snippets(native) },
    { name: "openai", text: "OpenAI", scope: "agents:execute", note: "Works with OpenAI’s own SDKs, unchanged.", all: openai(chat) },
    { name: "you", text: "You.com", scope: "agents:execute", note: "For programs that were written for You.com’s agents API.", all: snippets({ method: "POST", path: "/v1/agents/runs", body: { agent: bare, input: task, stream: false } }) },
    { name: "swarms", text: "Swarms", scope: "runs:write", note: "Here the definition comes with the request, so changes of the saved agent don’t reach it. Its tools and gates stay behind.", all: snippets({ method: "POST", path: "/v1/agent/completions", body: swarms }) },
    { name: "webagent", text: "WebAgent", scope: "runs:write", note: "A task for a browser, on the agent’s model alone: this API knows no agents.", all: snippets({ method: "POST", path: "/api/runs", body: { prompt: task, ...(provider ? { provider, model } : {}), wait_for_completion: false } }) },
  ];
}

/** OpenAI's SDKs in place of bare requests, where there is one. @param {any} body */
function openai(body) {
  const request = { method: "POST", path: "/v1/chat/completions", body }, text = JSON.stringify(body, null, 2);
  return [
    { name: "curl", text: curl(request) },
    { name: "TypeScript", text: `import OpenAI from "openai";\n\nconst client = new OpenAI({\n  baseURL: ${JSON.stringify(server + "/v1")},\n  apiKey: process.env.ERRAND_API_KEY,\n});\nconst reply = await client.chat.completions.create(${text});\nconsole.log(reply.choices[0].message.content);` },
    { name: "Python", text: `import os\nfrom openai import OpenAI\n\nclient = OpenAI(\n    base_url=${JSON.stringify(server + "/v1")},\n    api_key=os.environ["ERRAND_API_KEY"],\n)\nreply = client.chat.completions.create(\n    model=${JSON.stringify(body.model)},\n    messages=${JSON.stringify(body.messages)},\n)\nprint(reply.choices[0].message.content)` },
    { name: "Go", text: golang(request) },
  ];
}

/** @param {{agent: any}} props */
export function Calls({ agent }) {
  const all = dialects(agent), [name, pick] = useState("native"), one = all.find((each) => each.name === name) || all[0];
  const move = (/** @type {KeyboardEvent} */ event) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!by) return;
    event.preventDefault();
    const next = all[(all.indexOf(one) + by + all.length) % all.length].name;
    pick(next);
    document.getElementById("dialect-" + next)?.focus();
  };
  return html`<section aria-labelledby="calls"><div class="head"><h2 id="calls" class="as-h3">Call it</h2><span class="note">from your code</span></div>
    <div class="tabs" role="tablist" aria-label="Dialect" onKeyDown=${move}>${all.map((each) => html`<button key=${each.name} type="button" role="tab" id=${"dialect-" + each.name} aria-controls="dialect" aria-selected=${String(each === one)} tabindex=${each === one ? 0 : -1} onClick=${() => pick(each.name)}>${each.text}</button>`)}</div>
    <div role="tabpanel" id="dialect" aria-labelledby=${"dialect-" + one.name}><${Snippets} request=${{ method: "", path: "" }} all=${one.all} />
      <p class="small faint after">${one.note} Key needed: scope <code>${one.scope}</code>. ${may("keys:write") && html`<a href=${href("/settings/keys")}>Create a key</a>`}</p></div></section>`;
}
