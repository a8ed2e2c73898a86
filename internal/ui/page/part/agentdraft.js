// An agent's definition while it is being written: the texts of its fields, what they
// come to, and what of it is another than what is saved. Pure.

/**
 * @typedef {{
 *   name: string, description: string, model: string, instructions: string, tools: string[], functions: string, schema: string,
 *   gates: {tool: string, when: string}[], untrusted: string, wait: string, silence: string, separate: boolean, quorum: string,
 *   steps: string, tokens: string, cost: string, calls: string, seconds: string, unknown: string, budget: string, parallel: boolean,
 *   temperature: string, topP: string, reply: string, effort: string, metadata: string,
 * }} Draft  what stands in the fields of the form, as texts
 */

/** The fields of a definition, and what they are called here. @type {Record<string, string>} */
export const fieldWords = {
  name: "name", description: "description", model: "model", instructions: "instructions", tools: "tools", functions: "functions", approval: "gates", max_steps: "steps",
  limits: "limits", output_schema: "result schema", on_unknown: "unknown outcomes", on_budget: "empty budgets", parallel: "parallel calls", params: "sampling", metadata: "metadata",
};

/** @param {any} value */
const text = (value) => (value === null || value === undefined ? "" : String(value));
/** @param {any} value */
const pretty = (value) => (value === null || value === undefined ? "" : JSON.stringify(value, null, 2));

/** What the fields say for this definition; of a new agent, {}. @param {any} agent @returns {Draft} */
export function draftOf(agent) {
  const approval = agent.approval || {}, limits = agent.limits || {}, params = agent.params || {};
  return {
    name: text(agent.name), description: text(agent.description), model: text(agent.model), instructions: text(agent.instructions), tools: agent.tools || [],
    functions: agent.functions?.length ? pretty(agent.functions) : "", schema: pretty(agent.output_schema),
    gates: (approval.required_for || []).map((/** @type {any} */ one) => (typeof one === "string" ? { tool: one, when: "" } : { tool: one.tool, when: one.when })),
    untrusted: (approval.after_untrusted || []).join(", "), wait: text(approval.timeout), silence: approval.on_timeout || "reject", separate: !!approval.separate, quorum: text(approval.quorum),
    steps: text(agent.max_steps), tokens: text(limits.max_tokens), cost: text(limits.max_cost_usd), calls: text(limits.max_tool_calls), seconds: text(limits.timeout_s),
    unknown: agent.on_unknown || "ask", budget: agent.on_budget || "fail", parallel: !!agent.parallel,
    temperature: text(params.temperature), topP: text(params.top_p), reply: text(params.max_tokens), effort: params.reasoning_effort || "",
    metadata: Object.entries(agent.metadata || {}).map(([name, value]) => `${name}: ${value}`).join("\n"),
  };
}

// What is no number is sent as it stands, so that the server says what it has to be.
/** @param {string} written */
function number(written) {
  const bare = written.trim();
  if (!bare) return null;
  return /^-?\d+(\.\d+)?$/.test(bare) ? Number(bare) : bare;
}

/** @param {string} written */
export const names = (written) => written.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);

/**
 * The JSON of a field; what is wrong with it goes to faults.
 * @param {string} written @param {string} field @param {Record<string, string>} faults
 */
function value(written, field, faults) {
  if (!written.trim()) return null;
  try {
    return JSON.parse(written);
  } catch (error) {
    const said = /** @type {Error} */ (error).message, at = Number((/position (\d+)/.exec(said) || [])[1] ?? written.length);
    faults[field] = `Line ${written.slice(0, at).split("\n").length}: this is not JSON yet. ${said.replace(/ in JSON.*| \(line.*|, "[^]*| at position.*/, "")}.`;
    return null;
  }
}

/** @param {string} written @param {Record<string, string>} faults */
function pairs(written, faults) {
  /** @type {Record<string, string>} */
  const found = {};
  written.split("\n").forEach((line, i) => {
    if (!line.trim()) return;
    const at = line.indexOf(":");
    if (at <= 0) faults.metadata = `Line ${i + 1}: write a name, a colon and a text, such as team: finance.`;
    else found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  });
  return found;
}

/**
 * What the fields come to, and what of them is no JSON.
 * @param {Draft} d
 * @returns {{definition: Record<string, any>, faults: Record<string, string>}}
 */
export function definitionOf(d) {
  /** @type {Record<string, string>} */
  const faults = {};
  const untrusted = names(d.untrusted), approval = {
    required_for: d.gates.map(({ tool, when }) => (when.trim() ? { tool, when: when.trim() } : tool)),
    ...(untrusted.length ? { after_untrusted: untrusted } : {}), ...(d.wait.trim() ? { timeout: number(d.wait) } : {}),
    ...(d.wait.trim() && d.silence !== "reject" ? { on_timeout: d.silence } : {}), ...(d.separate ? { separate: true } : {}), ...(d.quorum.trim() && d.quorum.trim() !== "1" ? { quorum: number(d.quorum) } : {}),
  };
  const definition = {
    name: d.name.trim(), description: d.description, model: d.model.trim(), instructions: d.instructions, tools: d.tools, functions: value(d.functions, "functions", faults), approval,
    max_steps: number(d.steps), limits: { max_tokens: number(d.tokens), max_cost_usd: number(d.cost), max_tool_calls: number(d.calls), timeout_s: number(d.seconds) },
    output_schema: value(d.schema, "output_schema", faults), on_unknown: d.unknown, on_budget: d.budget, parallel: d.parallel,
    params: { temperature: number(d.temperature), top_p: number(d.topP), max_tokens: number(d.reply), reasoning_effort: d.effort || null }, metadata: pairs(d.metadata, faults),
  };
  return { definition, faults };
}

/**
 * The names of the fields that the draft has otherwise than what is saved.
 * @param {any} saved @param {Draft} draft
 */
export function changedFields(saved, draft) {
  const before = draftOf(saved), was = definitionOf(before).definition, is = definitionOf(draft).definition;
  const texts = (/** @type {string} */ name) => (name === "functions" ? before.functions !== draft.functions : name === "output_schema" ? before.schema !== draft.schema : name === "metadata" ? before.metadata !== draft.metadata : false);
  return Object.keys(is).filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]) || texts(name));
}

/**
 * The body that changes what is changed, and nothing else.
 * @param {any} saved @param {Draft} draft
 */
export function changesOf(saved, draft) {
  const { definition } = definitionOf(draft);
  return Object.fromEntries(changedFields(saved, draft).map((name) => [name, definition[name]]));
}

/**
 * One's own changes upon what somebody else has saved meanwhile; both are the names of
 * fields that both have changed, where one's own stand.
 * @param {any} base @param {any} theirs @param {Draft} draft
 */
export function rebased(base, theirs, draft) {
  const mine = changedFields(base, draft), other = changedFields(base, draftOf(theirs));
  const both = mine.filter((name) => other.includes(name));
  return { draft: draftOf({ ...theirs, ...changesOf(base, draft) }), both, other };
}

/** The texts of two versions for a comparison: each field that differs. @param {any} before @param {any} after @returns {{name: string, was: string, is: string}[]} */
export function differences(before, after) {
  const was = definitionOf(draftOf(before)).definition, is = definitionOf(draftOf(after)).definition;
  const shown = (/** @type {any} */ one) => (typeof one === "string" ? one : one === null ? "" : JSON.stringify(one, null, 2));
  return Object.keys(is).filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name])).map((name) => ({ name, was: shown(was[name]), is: shown(is[name]) }));
}

/**
 * Lines that went, came and stayed.
 * @param {string} was @param {string} is
 * @returns {{kind: "same"|"del"|"add", text: string}[]}
 */
export function lines(was, is) {
  const a = was ? was.split("\n") : [], b = is ? is.split("\n") : [];
  if (a.length * b.length > 1_000_000) return [...a.map((line) => ({ kind: /** @type {const} */ ("del"), text: line })), ...b.map((line) => ({ kind: /** @type {const} */ ("add"), text: line }))];
  const long = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) for (let j = b.length - 1; j >= 0; j--) long[i][j] = a[i] === b[j] ? long[i + 1][j + 1] + 1 : Math.max(long[i + 1][j], long[i][j + 1]);
  /** @type {{kind: "same"|"del"|"add", text: string}[]} */
  const found = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { found.push({ kind: "same", text: a[i] }); i++; j++; } else if (j >= b.length || (i < a.length && long[i + 1][j] >= long[i][j + 1])) found.push({ kind: "del", text: a[i++] });
    else found.push({ kind: "add", text: b[j++] });
  }
  return found;
}

/**
 * A message on a schema, with the line that it is about: the server names the place by
 * its path.
 * @param {string} message @param {string} written
 * @returns {{message: string, line: number}} 0 = it can't be told
 */
export function schemaFault(message, written) {
  const said = /^Line (\d+):/.exec(message);
  if (said) return { message, line: Number(said[1]) };
  const found = [...message.matchAll(/at '(\/[^']*)': ([^\n]+)/g)].filter(([, , what]) => !/failed$/.test(what)).sort((a, b) => b[1].length - a[1].length)[0];
  if (!found) return { message: message.split("\n")[0], line: 0 };
  let at = 0;
  for (const part of found[1].split("/").slice(1)) {
    const next = written.indexOf(JSON.stringify(part.replaceAll("~1", "/").replaceAll("~0", "~")), at);
    if (next >= 0) at = next;
  }
  const line = written.slice(0, at).split("\n").length, what = found[2].replace(/\.$/, "");
  return { message: `Line ${line}: “${found[1].split("/").pop()}”: ${what}.`, line };
}
