// A person's word on one action: what is sent, and how it stands while it is being
// given. Nothing shows as decided before the server has said so.
import { useEffect, useLayoutEffect, useState } from "../lib/html.js";
import { Fault, post } from "../lib/api.js";
import { json } from "../lib/exact.js";
import { useEarly } from "../lib/deliberate.js";
import { readInbox } from "../lib/inbox.js";

/**
 * @typedef {import("../lib/inbox.js").Approval} Approval
 * @typedef {"approved"|"rejected"|"stopped"} Said
 * @typedef {{approve: boolean, reason?: string, goOn?: boolean, reach?: string, args?: any}} Will  goOn: the run goes on after a
 *   rejection; reach: once, run or arguments; args: in place of the action's
 */

/**
 * Sends a decision for exactly what was shown: the digest goes with it.
 * @param {Approval} item
 * @param {Will} will
 */
function send(item, will) {
  return post(`/v1/runs/${item.run}/approve`, { action_ids: [item.id], ...wordsOf(item, will) });
}

/** @param {Approval} item @param {Will} will */
const wordsOf = (item, { approve, reason, goOn, reach, args }) => ({
  digest: item.digest,
  ...(reason ? { reason } : {}),
  ...(approve ? {} : { reject: true, ...(goOn ? { on_reject: "continue" } : {}) }),
  ...(approve && reach && reach !== "once" ? { for: reach } : {}),
  ...(approve && args !== undefined ? { arguments: args } : {}),
});

/** @typedef {{item: Approval, error: any}} Failed */

const atOnce = 50; // is what the server takes with one request

/**
 * Sends one decision on several, each for exactly what was shown of it. Each is made or
 * refused by itself.
 * @param {Approval[]} items
 * @param {Will} will
 * @returns {Promise<{decided: Approval[], not: Failed[]}>}
 */
export async function sendAll(items, will) {
  /** @type {Approval[]} */
  const decided = [];
  /** @type {Failed[]} */
  const not = [];
  for (let i = 0; i < items.length; i += atOnce) {
    const some = items.slice(i, i + atOnce);
    try {
      const answer = await post("/v1/approvals/decide", { items: some.map((item) => ({ run: item.run, action_id: item.id, ...wordsOf(item, will) })) });
      some.forEach((item, n) => {
        const { error } = answer.data[n];
        if (error) not.push({ item, error: new Fault(409, error) });
        else decided.push(item);
      });
    } catch (error) {
      for (const item of some) not.push({ item, error });
    }
  }
  return { decided, not };
}

/**
 * How a decision on this item stands.
 * @param {Approval} item
 * @param {(item: Approval, said: Said) => void} [onDecided]
 */
export function useWord(item, onDecided) {
  const [mode, setMode] = useState(/** @type {""|"reject"|"edit"} */ (""));
  const [busy, setBusy] = useState(""), [error, setError] = useState(/** @type {any} */ (null));
  const [draft, setDraft] = useState(/** @type {any} */ (undefined)), [reach, setReach] = useState("once");
  const which = item.run + item.id + item.digest, early = useEarly(which);
  useLayoutEffect(() => {
    setMode("");
    setError(null);
    setDraft(undefined);
    setReach("once");
  }, [which]);
  const check = useCheck(item, mode === "edit" ? draft : undefined);

  /** @param {string} name @param {Said} said @param {() => Promise<any>} act */
  const attempt = async (name, said, act) => {
    setBusy(name);
    setError(null);
    try {
      await act();
      onDecided?.(item, said);
    } catch (fault) {
      setError(fault);
      if (fault instanceof Fault && (fault.status === 409 || fault.status === 404)) readInbox(); // somebody else was first, or it has changed
    }
    setBusy("");
  };
  const changed = mode === "edit" && draft !== undefined && json(draft) !== json(item.arguments);
  return {
    mode, setMode, busy, error, draft, setDraft, reach, setReach, check, changed, early,
    /** Whether approving works now: edited arguments must have been looked at by the server. */
    ready: !busy && mode !== "reject" && (!changed || !!check.digest) && !(mode === "edit" && draft === null),
    approve: () => attempt("approve", "approved", () => send(item, { approve: true, reach, args: changed ? draft : undefined })),
    /** @param {string} reason @param {boolean} goOn */
    reject: (reason, goOn) => attempt("reject", "rejected", () => send(item, { approve: false, reason, goOn })),
    stop: () => attempt("stop", "stopped", () => post(`/v1/runs/${item.run}/cancel`)),
  };
}

/** @typedef {ReturnType<typeof useWord>} Word */

/**
 * Asks the server what edited arguments come to: whether the tool takes them, and the
 * digest that an approval would be for.
 * @param {Approval} item @param {any} args  undefined = nothing is edited; null = it is no JSON yet
 * @returns {{digest: string, preview: string, error: any, asking: boolean}}
 */
function useCheck(item, args) {
  const none = { digest: "", preview: "", error: null }, text = args === undefined || args === null || json(args) === json(item.arguments) ? "" : json(args);
  const asked = text && [item.run, item.id, item.digest, text].join(" ");
  const [said, set] = useState(/** @type {{of: string, digest: string, preview: string, error: any}} */ ({ of: "", ...none }));
  useEffect(() => {
    if (!asked) return undefined;
    const over = new AbortController();
    const timer = setTimeout(() => post(`/v1/runs/${item.run}/actions/${item.id}/check`, { arguments: args }, { signal: over.signal })
      .then(({ digest, preview }) => set({ of: asked, digest, preview, error: null }), (error) => over.signal.aborted || set({ of: asked, ...none, error })), 250);
    return () => { clearTimeout(timer); over.abort(); };
  }, [asked]);
  return asked && asked === said.of ? { ...said, asking: false } : { ...none, asking: !!asked }; // an answer counts for what it was asked about
}
