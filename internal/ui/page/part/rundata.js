// A run that is looked at: what the server has of it, and what comes while one looks.
// The stream brings every event from the first on, then the text as it is written; the
// run and its trace are read again when events have come.
import { useEffect, useRef, useSignal, useState } from "../lib/html.js";
import { Fault, get } from "../lib/api.js";
import { useLoad } from "../lib/load.js";
import { followRun } from "../lib/runstream.js";
import { useLive } from "../lib/live.js";

/**
 * @typedef {{text: string, reasoning: string, step: number, attempt: number, began: number, at: number, letters: number}} Writing  began, at: ms of
 *   Date.now() of the first and the latest piece; letters: how many came between them
 */

/** @param {string} id */
export function useRun(id) {
  const path = "/v1/runs/" + encodeURIComponent(id), events = useRef(/** @type {import("../lib/runstream.js").RunEvent[]} */ ([]));
  const [seq, setSeq] = useState(0), [state, setState] = useState(/** @type {{how: string, at: number}} */ ({ how: "connecting", at: 0 })), [lost, setLost] = useState(/** @type {any} */ (null));
  const [gone, setGone] = useState(false);
  const writing = useSignal(/** @type {Writing|null} */ (null)); // a signal: with each piece, only what shows it is drawn anew
  const run = useLoad((signal) => get(path, { query: { include_trace: false }, signal }), [id]);
  const trace = useLoad(async (signal) => {
    const said = await get(path + "/trace", { signal });
    return { ...said, skew: Date.parse(said.now) - Date.now() };
  }, [id]);
  const told = useRef(0), timer = useRef(0);
  if (trace.data) told.current = trace.data.seq;

  // One reading at a time, and one more behind it for what has come meanwhile.
  const wanted = useRef(false);
  const reread = () => {
    wanted.current = true;
    if (timer.current) return;
    timer.current = setTimeout(async () => {
      wanted.current = false;
      await Promise.all([run.reload(), trace.reload()]);
      timer.current = 0;
      if (wanted.current) reread();
    }, 80);
  };
  useEffect(() => {
    const stop = followRun(id, {
      onEvents: (some) => {
        const last = events.current.at(-1)?.seq || 0, fresh = some.filter((one) => one.seq > last);
        if (!fresh.length) return;
        events.current = [...events.current, ...fresh];
        setSeq(fresh[fresh.length - 1].seq);
        if (fresh.some((one) => one.type === "model.responded" || one.type === "model.failed" || one.type === "run.finished")) writing.value = null;
        if (fresh[fresh.length - 1].seq > told.current) reread();
      },
      onDeltas: (some) => { writing.value = written(writing.peek(), some); },
      onReset: () => { writing.value = null; },
      onState: (how, at) => setState({ how, at }),
      onFault: (fault) => { setLost(fault); if (fault instanceof Fault && fault.status === 404) setGone(true); },
    });
    return () => { stop(); clearTimeout(timer.current); timer.current = -1; }; // nothing is read again behind the end
  }, [id]);
  useLive(["run.changed", "run.deleted"], (changes) => {
    for (const { event, data } of changes) {
      if (event === "run.deleted" && data.run === id) setGone(true);
      else if (event === "run.changed" && data.run.id === id && data.run.status !== run.data?.status) reread();
    }
  });
  return { run, trace, events: events.current, seq, state, lost, writing, gone, reread };
}

/** @typedef {ReturnType<typeof useRun>} RunData */

/**
 * What is written, with these pieces: a piece that is known already is not taken twice.
 * @param {Writing|null} before
 * @param {import("../lib/runstream.js").Delta[]} some
 * @returns {Writing|null}
 */
export function written(before, some) {
  let now = before;
  for (const one of some) {
    if (!now || now.step !== one.step || now.attempt !== one.attempt) now = { text: "", reasoning: "", step: one.step, attempt: one.attempt, began: Date.now(), at: Date.now(), letters: 0 };
    now = { ...now, text: now.text + (one.text || ""), reasoning: now.reasoning + (one.reasoning || ""), at: Date.now(), letters: now.letters + (one.text || "").length };
  }
  return now;
}
