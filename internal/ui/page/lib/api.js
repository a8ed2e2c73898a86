// The one way to the server: public routes, with the session's cookie. What fails is
// a Fault, whose message says what is wrong and what to do, as the server put it.
import { base } from "./root.js";
import { parseExact } from "./exact.js";
import { signal } from "./html.js";

/**
 * Who one is here: null until that is known, false when nobody has signed in.
 * @typedef {{id: string|null, project: string, key: {id: string, name: string, expires_at: string|null}, scopes: string[], agents: string[]|null,
 *   created_at: string|null, expires_at: string|null, idle_expires_at: string|null}} Session
 */

/** @type {import("../vendor/signals.js").Signal<Session|false|null>} */
export const session = signal(/** @type {any} */ (null));
/** Whether there was a session, and the server does not know it any more. */
export const sessionEnded = signal(false);

/** What the server refused, or the network lost. */
export class Fault extends Error {
  /**
   * @param {number} status 0 = there was no answer
   * @param {{code?: string, message?: string, request_id?: string, param?: string|null, errors?: Record<string, string>}} said
   * @param {number} [retryAfter] seconds
   */
  constructor(status, said, retryAfter = 0) {
    super(said.message || "The server answered " + status + " and did not say why.");
    this.status = status;
    this.code = said.code || "";
    this.requestID = said.request_id || "";
    this.param = said.param || "";
    /** @type {Record<string, string>} a message for each field that is wrong, by its path */
    this.fields = said.errors || {};
    this.retryAfter = retryAfter;
  }
}

/**
 * @typedef {{
 *   query?: Record<string, any>, body?: any, signal?: AbortSignal, exact?: boolean,
 *   headers?: Record<string, string>, raw?: BodyInit,
 * }} Options  exact: numbers come as Exact; raw: a body that is no JSON; empty values of query are left out
 */

/**
 * The address of a route: url("/v1/runs", {status: "running"}).
 * @param {string} path
 * @param {Record<string, any>} [query]
 */
export function url(path, query) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query || {})) {
    if (value !== undefined && value !== null && value !== "") words.set(name, String(value));
  }
  const text = words.toString();
  return base + path + (text ? "?" + text : "");
}

/**
 * Asks, and returns the answer as it comes: for streams and files.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function ask(method, path, options = {}) {
  const headers = new Headers(options.headers);
  let body = options.raw;
  if (options.body !== undefined) {
    headers.set("Content-Type", "application/json");
    body = JSON.stringify(options.body);
  }
  let answer;
  try {
    answer = await fetch(url(path, options.query), {
      method, headers, body, signal: options.signal, cache: "no-store", credentials: "same-origin", redirect: "error",
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Fault(0, { code: "unreachable", message: "The server did not answer. Look whether it runs, and whether this machine reaches it." });
  }
  if (!answer.ok) throw await faultOf(answer);
  return answer;
}

/** WebAgent's routes say it as a text, or as a list of what is wrong where. @param {any} detail */
const detailOf = (detail) => (Array.isArray(detail) ? detail.map((one) => `${one.loc?.at(-1) || "body"}: ${one.msg}`).join("; ") : detail);

/** @param {Response} answer */
async function faultOf(answer) {
  /** @type {any} */
  let said = {};
  try {
    const body = await answer.json();
    said = body.error && typeof body.error === "object" ? { ...body.error, errors: body.errors || body.error.errors } : { message: body.message || body.error_description || body.error || detailOf(body.detail) };
  } catch { /* no JSON: the status has to do */ }
  said.request_id ||= answer.headers.get("X-Request-Id") || "";
  if (answer.status === 401 && session.peek()) {
    sessionEnded.value = true;
    session.value = false;
  }
  return new Fault(answer.status, said, Number(answer.headers.get("Retry-After")) || 0);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>}
 */
async function call(method, path, options = {}) {
  const answer = await ask(method, path, options);
  if (answer.status === 204) return null;
  const text = await answer.text();
  if (!text) return null;
  return options.exact ? parseExact(text) : JSON.parse(text);
}

/** @param {string} path @param {Options} [options] */
export const get = (path, options) => call("GET", path, options);
/** @param {string} path @param {any} [body] @param {Options} [options] */
export const post = (path, body, options) => call("POST", path, { body, ...options });
/** @param {string} path @param {any} [body] @param {Options} [options] */
export const put = (path, body, options) => call("PUT", path, { body, ...options });
/** @param {string} path @param {any} [body] @param {Options} [options] */
export const patch = (path, body, options) => call("PATCH", path, { body, ...options });
/** @param {string} path @param {Options} [options] */
export const del = (path, options) => call("DELETE", path, options);

/**
 * Reads all pages of a list, up to max items.
 * @param {string} path
 * @param {Record<string, any>} [query]
 * @param {Options & {max?: number}} [options]
 * @returns {Promise<any[]>}
 */
export async function all(path, query, options = {}) {
  const found = [];
  for (let after = ""; ;) {
    const page = await get(path, { ...options, query: { limit: 100, ...query, starting_after: after } });
    found.push(...page.data);
    if (!page.has_more || found.length >= (options.max || 1000)) return found;
    after = page.next_cursor;
  }
}

/**
 * Whether this session may do what needs a scope.
 * @param {string} scope
 */
export function may(scope) {
  const who = session.value;
  return !!who && (who.scopes.includes(scope) || who.scopes.includes("admin"));
}

/**
 * Why a control is off, or "" when it is not: for its title and for people.
 * @param {string} scope
 */
export function lacking(scope) {
  return may(scope) ? "" : `Your key lacks the scope ${scope}. Sign in with one that has it.`;
}
