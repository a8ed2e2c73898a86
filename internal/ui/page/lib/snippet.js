// Code to read and to copy: with this server's own address, and a placeholder for the
// key, which this page does not know.
import { html, useState } from "./html.js";
import { server } from "./root.js";
import { Copy } from "./clip.js";

/** @typedef {{method: string, path: string, body?: any}} Request */

/** @param {any} value */
const pretty = (value) => JSON.stringify(value, null, 2);
/** In single quotes for a shell. @param {string} text */
const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

/** @param {Request} request */
export function curl({ method, path, body }) {
  const lines = [`curl ${method === "GET" ? "" : "-X " + method + " "}${quoted(server + path)}`, '-H "Authorization: Bearer $ERRAND_API_KEY"'];
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", "-d " + quoted(pretty(body)));
  return lines.join(" \\\n  ");
}

/** @param {Request} request */
export function typescript({ method, path, body }) {
  return `const answer = await fetch(${JSON.stringify(server + path)}, {
  method: ${JSON.stringify(method)},
  headers: { Authorization: \`Bearer \${process.env.ERRAND_API_KEY}\`${body === undefined ? "" : ', "Content-Type": "application/json"'} },${body === undefined ? "" : `
  body: JSON.stringify(${pretty(body).replaceAll("\n", "\n  ")}),`}
});
console.log(await answer.json());`;
}

/** @param {Request} request */
export function python({ method, path, body }) {
  const literal = body === undefined ? "" : `\n    json=${pretty(body).replace(/\btrue\b(?=[,\n}\]])/g, "True").replace(/\bfalse\b(?=[,\n}\]])/g, "False").replace(/\bnull\b(?=[,\n}\]])/g, "None").replaceAll("\n", "\n    ")},`;
  return `import os, requests

answer = requests.request(
    ${JSON.stringify(method)}, ${JSON.stringify(server + path)},
    headers={"Authorization": "Bearer " + os.environ["ERRAND_API_KEY"]},${literal}
)
print(answer.json())`;
}

/** @param {Request} request */
export function golang({ method, path, body }) {
  const reader = body === undefined ? "nil" : "strings.NewReader(" + goText(pretty(body)) + ")";
  return `request, err := http.NewRequest(${JSON.stringify(method)}, ${JSON.stringify(server + path)}, ${reader})
if err != nil {
	return err
}
request.Header.Set("Authorization", "Bearer "+os.Getenv("ERRAND_API_KEY"))${body === undefined ? "" : `
request.Header.Set("Content-Type", "application/json")`}
answer, err := http.DefaultClient.Do(request)`;
}

/** @param {string} text */
const goText = (text) => (text.includes("`") ? JSON.stringify(text) : "`" + text + "`");

/** The same request in each language. @param {Request} request */
export const snippets = (request) => [
  { name: "curl", text: curl(request) }, { name: "TypeScript", text: typescript(request) },
  { name: "Python", text: python(request) }, { name: "Go", text: golang(request) },
];

const words = /("(?:[^"\\\n]|\\.)*"(?=\s*:))|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\b(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b|\b(true|false|null|const|await|import|from|return|if|err|nil|True|False|None|curl|func|let|new)\b|((?:^|\s)#.*$|\/\/.*$)/gm;

/** A text of code, coloured. @param {{text: string}} props */
export function Coloured({ text }) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(words)) {
    if (found.index > at) parts.push(text.slice(at, found.index));
    const kind = found[1] ? "c-k" : found[2] ? "c-s" : found[3] ? "c-n" : found[4] ? "c-w" : "c-c";
    parts.push(html`<span class=${kind}>${found[0]}</span>`);
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}

/**
 * A block of code with its caption and a button that copies it.
 * @param {{text: string, caption?: any, plain?: boolean, children?: any}} props  children: what is shown instead of the text, such as Seen
 */
export function Code({ text, caption, plain, children }) {
  const body = children || (plain || text.length > 20_000 ? text : html`<${Coloured} text=${text} />`);
  return html`<div class="code">${caption ? html`<div class="cap"><span class="grow cut">${caption}</span><${Copy} text=${text} /></div>` : html`<${Copy} text=${text} class="copy" />`}
    <pre tabindex="0">${body}</pre></div>`;
}

/** A request in four languages, one at a time. @param {{request: Request, all?: {name: string, text: string}[]}} props */
export function Snippets({ request, all = snippets(request) }) {
  const [name, pick] = useState(all[0].name), one = all.find((each) => each.name === name) || all[0];
  return html`<${Code} text=${one.text} caption=${html`<span class="btns" role="group" aria-label="Language">${all.map((each) => html`
    <button class="btn small" type="button" aria-pressed=${String(each === one)} onClick=${() => pick(each.name)}>${each.name}</button>`)}</span>`} />`;
}
