// Coming and going. The session is a cookie that no script can read; the key itself
// is in no storage of the browser.
import { get, post, del, session, sessionEnded, Fault } from "./api.js";

/** @type {(() => void)[]} */
const forgets = [];
let last = ""; // who was here

/** Calls this when somebody else may come: what one has written is nobody else's. @param {() => void} forget */
export function onLeaving(forget) { forgets.push(forget); }

/** @param {import("./api.js").Session|false} now */
function comes(now) {
  const who = now ? now.project + " " + now.key.id : "";
  if (!now || (last && who !== last)) for (const forget of forgets) forget();
  last = who;
  session.value = now;
}

/** Finds out who one is. */
export async function whoami() {
  try {
    comes(await get("/v1/session"));
  } catch (error) {
    if (!(error instanceof Fault) || error.status !== 401) throw error;
    session.value = false;
  }
}

/**
 * Signs in with a key, or with the token of a link that is good once.
 * @param {{key: string}|{link: string}} proof
 */
export async function signIn(proof) {
  comes(await post("/v1/session", proof));
  sessionEnded.value = false;
}

/** The token of a link that signs in, which stands behind #link=; it is taken out of the address. */
export function tokenOfLink() {
  const token = new URLSearchParams(location.hash.slice(1)).get("link") || "";
  if (token) history.replaceState(null, "", location.pathname + location.search);
  return token;
}

/** Signs out here and at the server. */
export async function signOut() {
  try {
    await del("/v1/session");
  } finally {
    comes(false);
  }
}
