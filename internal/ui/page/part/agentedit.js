// An agent that is edited: what is saved, what stands in the form, what the server says
// to it, and what others have saved meanwhile, over which it saves nothing by itself.
// Drafts outlive their page: what was not saved is there when one comes back.
import { signal, useEffect, useState } from "../lib/html.js";
import { get, may, patch, post } from "../lib/api.js";
import { typedSince } from "../lib/draft.js";
import { onLeaving } from "../lib/session.js";
import { toast } from "../lib/announce.js";
import { useLoad } from "../lib/load.js";
import { changedFields, changesOf, definitionOf, draftOf, rebased } from "./agentdraft.js";

/** @typedef {import("./agentdraft.js").Draft} Draft */

/** What is not saved, by the agent's id, "new" for one that is to be. @type {import("../vendor/signals.js").Signal<Map<string, {base: any, draft: Draft}>>} */
export const unsaved = signal(new Map());

onLeaving(() => { unsaved.value = new Map(); });
addEventListener("beforeunload", (event) => { if (unsaved.peek().size) event.preventDefault(); });

/** @param {string} id @param {{base: any, draft: Draft}|null} what */
function keep(id, what) {
  const all = new Map(unsaved.peek());
  if (what) all.set(id, what);
  else all.delete(id);
  unsaved.value = all;
}

/**
 * @param {string} id "new" = one that is to be
 * @param {(agent: any) => void} onSaved
 */
export function useEdit(id, onSaved) {
  const fresh = id === "new", path = "/v1/agents/" + encodeURIComponent(id);
  const saved = useLoad((signal) => (fresh ? Promise.resolve({}) : get(path, { signal })), [id], { on: ["resync"] });
  const held = unsaved.value.get(id), base = held ? held.base : saved.data, draft = held ? held.draft : base && draftOf(base);
  const changed = base && draft ? changedFields(base, draft) : [];
  const [busy, setBusy] = useState(false), [error, setError] = useState(/** @type {any} */ (null));
  useEffect(() => { setError(null); }, [id]);
  useEffect(() => { // somebody else may have been at it while one was away
    if (fresh) return undefined;
    const look = () => { if (!document.hidden) saved.reload(); };
    addEventListener("focus", look);
    return () => removeEventListener("focus", look);
  }, [id]);
  const check = useCheck(id, base, held?.draft);
  const theirs = held && !fresh && saved.data && saved.data.version > base.version ? saved.data : null;

  const set = (/** @type {Partial<Draft>} */ change) => {
    if (!draft || !base) return;
    const next = { ...draft, ...change };
    setError(null);
    keep(id, changedFields(base, next).length ? { base, draft: next } : null);
  };
  const join = () => {
    if (!theirs || !draft) return;
    const joined = rebased(base, theirs, draft);
    keep(id, changedFields(theirs, joined.draft).length ? { base: theirs, draft: joined.draft } : null);
    toast(`Your changes stand on v${theirs.version} now`, joined.both.length ? { detail: "Both changed: " + joined.both.join(", ") + ". Yours stand in the form." } : {});
  };
  const done = (/** @type {any} */ made, /** @type {Draft} */ sent) => {
    const now = unsaved.peek().get(id)?.draft, more = now ? typedSince(sent, now, draftOf(made)) : null;
    keep(id, null);
    if (more && changedFields(made, more).length) keep(made.id, { base: made, draft: more });
    saved.set(() => made);
    toast(fresh ? `Created ${made.name}` : `Saved ${made.name} as v${made.version}`);
    onSaved(made);
  };
  // The server saves only upon the version that was read: else it says 412, and what is
  // new is read and shown. If that is one's own text, an answer has got lost on its way.
  const write = async (/** @type {any} */ upon, /** @type {Draft} */ what) => {
    setBusy(true);
    setError(null);
    try {
      done(fresh ? await post("/v1/agents", definitionOf(what).definition) : await patch(path, changesOf(upon, what), { headers: { "If-Match": `"${upon.id}/${upon.version}"` } }), what);
    } catch (fault) {
      const now = /** @type {any} */ (fault).status === 412 ? await get(path).catch(() => null) : null;
      if (!now) setError(fault);
      else if (changedFields(now, what).length) saved.set(() => now);
      else done(now, what);
    }
    setBusy(false);
  };
  const save = async () => {
    if (!busy && draft && changed.length && may("agents:write")) await write(base, draft);
  };
  const over = async () => {
    if (busy || !theirs || !draft) return;
    const mine = rebased(base, theirs, draft).draft;
    if (!changedFields(theirs, mine).length) return keep(id, null);
    keep(id, { base: theirs, draft: mine });
    await write(theirs, mine);
  };
  const faults = held ? { ...(error?.fields || {}), ...check.faults } : {};
  // In a new one, what nobody has come to yet is not marked as wrong.
  const shown = fresh && !error ? Object.fromEntries(Object.entries(faults).filter(([name]) => changed.includes(name.split(/[.[]/)[0]))) : faults;
  const sure = check.asking ? check.own : faults;
  return { id, fresh, saved, base, draft, changed, busy, error, faults, shown, sure, refused: check.error, theirs, set, save, over, join, discard: () => { keep(id, null); setError(null); } };
}

/** @typedef {ReturnType<typeof useEdit>} Edit */

/**
 * What the server says to what stands in the form, a moment after it was typed. While it
 * is asked, faults are its last word, on what stood there before, with what is plainly
 * wrong now; own are these alone.
 * @param {string} id @param {any} base @param {Draft|undefined} draft
 */
function useCheck(id, base, draft) {
  const [said, set] = useState({ of: "", faults: /** @type {Record<string, string>} */ ({}), error: /** @type {any} */ (null) });
  const { definition, faults: own } = draft ? definitionOf(draft) : { definition: {}, faults: {} };
  const asked = draft && may("agents:write") ? JSON.stringify(id === "new" ? definition : changesOf(base, draft)) : "";
  useEffect(() => {
    if (!asked) return set({ of: "", faults: {}, error: null });
    const over = new AbortController();
    const timer = setTimeout(() => post("/v1/agents/validate", JSON.parse(asked), { query: { agent: id === "new" ? "" : id }, signal: over.signal })
      .then((answer) => { if (!over.signal.aborted) set({ of: asked, faults: answer.errors, error: null }); }, (error) => { if (!over.signal.aborted) set({ of: asked, faults: {}, error }); }), 250);
    return () => { clearTimeout(timer); over.abort(); };
  }, [asked, id]);
  return { faults: { ...(asked ? said.faults : {}), ...own }, own, error: said.error, asking: asked !== said.of };
}

/**
 * The messages for a field and all below it, in one line; or "".
 * @param {Record<string, string>} faults @param {...string} fields
 */
export function wrong(faults, ...fields) {
  return Object.entries(faults).filter(([name]) => fields.some((field) => name === field || name.startsWith(field + ".") || name.startsWith(field + "["))).map(([, said]) => said).join(" ");
}
