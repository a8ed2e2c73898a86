// A chat: each turn is a run that continues the one before it, so a chat outlives the
// page, and every turn can be opened, read and paid for as any other run.
import { useEffect, useRef, useState } from "../lib/html.js";
import { ask, get, post } from "../lib/api.js";
import { setQuery } from "../lib/route.js";
import { toast } from "../lib/announce.js";
import { isOver } from "../lib/glyph.js";

/**
 * @typedef {{id: string, prompt: string, files: string[]}} Said  prompt: shown until the run itself is known
 * @typedef {{agent: string, model: string, instructions: string, tools: string[], asks: string[]}} With  whom one talks to: an agent's id, or a model with what it is
 *   told and given; asks: tools that ask first
 * @typedef {{key: number, name: string, bytes: number, id: string, error: string}} Attached  id: "" while it is being stored
 */

/** How many turns are read when a chat is opened. */
const page = 20;

/** What is said of what has failed when one is in another chat by then. @type {Record<string, string>} */
const failed = { send: "The message was not sent", stop: "The run was not stopped", more: "The earlier turns were not read" };

/** @param {string} last the id of the chat's last run, as the address has it */
export function useChat(last) {
  const [turns, setTurns] = useState(/** @type {Said[]} */ ([])), [earlier, setEarlier] = useState(""), [runs, setRuns] = useState(/** @type {Record<string, any>} */ ({}));
  const [busy, setBusy] = useState(""), [error, setError] = useState(/** @type {any} */ (null)), [reading, setReading] = useState(!!last);
  const chat = useRef({ last: "" }); // another object is another chat: what an answer that comes later belongs to
  const begin = (/** @type {string} */ id) => {
    chat.current = { last: id };
    setTurns([]);
    setRuns({});
    setEarlier("");
    setError(null);
    setBusy("");
    setReading(!!id);
  };
  useEffect(() => {
    if (last === chat.current.last) return undefined;
    begin(last);
    if (!last) return undefined;
    const over = new AbortController();
    back(last, over.signal).then(({ found, before }) => { setTurns(found); setEarlier(before); setReading(false); }, (fault) => { if (!over.signal.aborted) { setError(fault); setReading(false); } });
    return () => over.abort();
  }, [last]);
  useEffect(() => () => { chat.current = { last: "" }; }, []);
  const current = turns.length ? runs[turns[turns.length - 1].id] : null, going = turns.length > 0 && (!current || !isOver(current.status));

  const attempt = async (/** @type {string} */ name, /** @type {(here: () => boolean) => Promise<void>} */ what) => {
    const mine = chat.current, here = () => chat.current === mine;
    setBusy(name);
    setError(null);
    try {
      await what(here);
      return true;
    } catch (fault) {
      if (here()) setError(fault);
      else toast(failed[name], { s: "failed", detail: /** @type {Error} */ (fault).message });
      return false;
    } finally {
      if (here()) setBusy("");
    }
  };
  return {
    turns, runs, busy, error, reading, going, current, earlier,
    leave: () => begin(""),
    /** @param {any} run */
    know: (run) => setRuns((before) => ({ ...before, [run.id]: run })),
    /** @param {string} text @param {Attached[]} files @param {With} whom */
    send: (text, files, whom) => attempt("send", async (here) => {
      if (going && current) return void (await post(`/v1/runs/${current.id}/messages`, { content: text }));
      const before = turns.at(-1)?.id, body = { prompt: text, background: true, ...(before ? { previous_run_id: before } : {}), ...(files.length ? { files: files.map((one) => one.id) } : {}) };
      const made = whom.agent ? await post(`/v1/agents/${encodeURIComponent(whom.agent)}/run`, body)
        : await post("/v1/runs", { ...body, model: whom.model, ...(whom.instructions.trim() ? { instructions: whom.instructions } : {}), ...(whom.tools.length ? { tools: whom.tools, approval: { required_for: whom.asks } } : {}) });
      if (!here()) return;
      chat.current.last = made.id;
      setTurns((all) => [...all, { id: made.id, prompt: text, files: files.map((one) => one.name) }]);
      setQuery({ run: made.id });
    }),
    stop: () => attempt("stop", async () => { if (current) await post(`/v1/runs/${current.id}/cancel`); }),
    more: () => attempt("more", async (here) => {
      const { found, before } = await back(earlier);
      if (!here()) return;
      setTurns((all) => [...found, ...all]);
      setEarlier(before);
    }),
  };
}

/** @typedef {ReturnType<typeof useChat>} Chat */

/**
 * The turns up to this run, the first first; before: the run behind them.
 * @param {string} id @param {AbortSignal} [signal]
 */
async function back(id, signal) {
  /** @type {Said[]} */
  const found = [];
  for (let at = id; at && found.length < page;) {
    const run = await get("/v1/runs/" + encodeURIComponent(at), { query: { include_trace: false }, signal });
    found.unshift({ id: run.id, prompt: run.prompt, files: [] });
    at = run.previous_run_id || "";
    if (found.length === page) return { found, before: at };
  }
  return { found, before: "" };
}

/** Files that go with the next message: stored as soon as they are chosen. */
export function useFiles() {
  const [files, set] = useState(/** @type {Attached[]} */ ([])), count = useRef(0);
  const change = (/** @type {number} */ key, /** @type {Partial<Attached>} */ what) => set((all) => all.map((one) => (one.key === key ? { ...one, ...what } : one)));
  const add = async (/** @type {File} */ file) => {
    const key = ++count.current, form = new FormData();
    set((all) => [...all, { key, name: file.name, bytes: file.size, id: "", error: "" }]);
    form.set("purpose", "context");
    form.set("file", file, file.name);
    try {
      change(key, { id: (await (await ask("POST", "/v1/files", { raw: form })).json()).id });
    } catch (error) {
      change(key, { error: /** @type {Error} */ (error).message });
    }
  };
  return {
    files, add, remove: (/** @type {number} */ key) => set((all) => all.filter((one) => one.key !== key)),
    put: (/** @type {Attached[]} */ list) => set((all) => [...list, ...all.filter((one) => !list.includes(one))]), ready: files.every((one) => one.id),
  };
}
