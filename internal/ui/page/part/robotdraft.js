// A robot's configuration while it is edited: a copy, what of it is changed, and what the
// server says is wrong, by field. Pure.

/** What one can say of a robot, beside what the server finds by itself. */
const fields = ["display_name", "bio", "avatar", "system_prompt", "role_id", "manager_id", "status", "robot_status", "autonomous_mode", "language_model", "agents", "mcp_servers", "cost_limit", "robot_config"];

/** @typedef {Record<string, any>} Draft */

/** The editable part of a robot. @param {any} robot @returns {Draft} */
export function draftOf(robot) {
  /** @type {Draft} */
  const draft = {};
  for (const name of fields) draft[name] = structuredClone(robot[name] ?? { autonomous_mode: false, agents: [], mcp_servers: [], cost_limit: 0, robot_config: {} }[name] ?? "");
  if (["working", "error"].includes(draft.robot_status)) draft.robot_status = "idle"; // what the server finds is nothing to be written
  return draft;
}

/** @param {any} value @param {string} path "robot_config.clock.tz" */
export function at(value, path) {
  for (const part of path.split(".")) value = value?.[part];
  return value;
}

/** A copy with another value at this path. @param {any} value @param {string} path @param {any} to @returns {any} */
export function put(value, path, to) {
  const [first, ...rest] = path.split("."), copy = Object(Array.isArray(value) ? [...value] : { ...value });
  copy[first] = rest.length ? put(copy[first] ?? {}, rest.join("."), to) : to;
  return copy;
}

/** Without what says nothing, so that a part that was touched and left empty is no part. @param {any} value @returns {any} */
export function tidy(value) {
  if (Array.isArray(value)) return value.map((one) => tidy(one) ?? one).filter((one) => one !== "" && one !== undefined);
  if (!value || typeof value !== "object") return value === "" || value === null ? undefined : value;
  const kept = Object.entries(value).map(([name, one]) => [name, tidy(one)]).filter(([, one]) => one !== undefined && !(Array.isArray(one) && !one.length));
  return kept.length ? Object.fromEntries(kept) : undefined;
}

/** What to send: the fields that are not as they were. @param {Draft} before @param {Draft} draft @returns {Draft} */
export function changesOf(before, draft) {
  /** @type {Draft} */
  const changes = {};
  for (const name of fields) {
    const is = name === "robot_config" ? tidy(draft[name]) || {} : draft[name], was = name === "robot_config" ? tidy(before[name]) || {} : before[name];
    if (JSON.stringify(ordered(is)) !== JSON.stringify(ordered(was))) changes[name] = is;
  }
  return changes;
}

/** @param {any} value @returns {any} */
function ordered(value) {
  if (Array.isArray(value)) return value.map(ordered);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, ordered(value[name])]));
}

/**
 * What is wrong by field, out of the one sentence in which this API says it:
 * "bio: is too long; robot_config.quota.max: must be …".
 * @param {any} error
 * @returns {Record<string, string>}
 */
export function faultsOf(error) {
  /** @type {Record<string, string>} */
  const faults = {};
  if (!error || (error.status !== 400 && error.status !== 409)) return faults;
  const known = new Set([...fields, "member_id"]);
  for (const one of error.message.split(/;\s(?=[a-z_]+[\w.[\]-]*:\s)/)) {
    const found = /^([a-z_]+)([\w.[\]-]*):\s([^]*)$/.exec(one);
    if (found && known.has(found[1])) faults[found[1] + found[2]] = found[3][0].toUpperCase() + found[3].slice(1);
  }
  return faults;
}

/** What is wrong with a field or with what is in it. @param {Record<string, string>} faults @param {string} path */
export function wrongIn(faults, path) {
  const found = Object.entries(faults).filter(([name]) => name === path || name.startsWith(path + ".") || name.startsWith(path + "["));
  return found.map(([, text]) => text).join(" ");
}
