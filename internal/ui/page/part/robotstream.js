// What robots do, as it happens: the streams of the robots' API, for as long as somebody
// looks. After a break they go on behind the frame that was seen last.
import { Fault, ask, session } from "../lib/api.js";
import { frames, pause } from "../lib/sse.js";
import { useEffect, useRef, useState } from "../lib/html.js";

/** @typedef {{event: string, data: any}} Frame */

/**
 * Follows a stream until over. Frames come several at once, at most once in 50 ms.
 * @param {string} path
 * @param {{onFrames: (frames: Frame[]) => void, onLost: (at: number) => void}} reader  at: when it is tried again, in ms of Date.now(); 0 = it is there
 * @param {AbortSignal} over
 */
async function follow(path, reader, over) {
  let after = "";
  /** @type {Frame[]} */
  let waiting = [];
  const hand = () => { const some = waiting; waiting = []; if (!over.aborted) reader.onFrames(some); };
  for (let tries = 0; !over.aborted; tries++) {
    try {
      const answer = await ask("GET", path, { signal: over, headers: after ? { "Last-Event-ID": after } : {} });
      if (answer.status === 204) return; // what it told of has ended
      reader.onLost(0);
      for await (const said of frames(/** @type {any} */ (answer.body))) {
        tries = 0;
        if (said.id) after = said.id;
        if (!said.event) continue;
        if (!waiting.length) setTimeout(hand, 50);
        waiting.push({ event: said.event, data: JSON.parse(said.data) });
      }
    } catch (error) {
      if (over.aborted || session.peek() === false) return;
      if (error instanceof Fault && error.status >= 400 && error.status < 500 && error.status !== 429) return; // the page's own reading says why
    }
    if (over.aborted) return;
    const wait = Math.min(30, 2 ** Math.min(tries, 5)) * 1000;
    reader.onLost(Date.now() + wait);
    await pause(wait, over);
  }
}

/**
 * The same for a component; returns when a lost stream is tried again, or 0.
 * @param {string} path "" = none
 * @param {(frames: Frame[]) => void} onFrames
 */
export function useFrames(path, onFrames) {
  const latest = useRef(onFrames), [lost, setLost] = useState(0);
  latest.current = onFrames;
  useEffect(() => {
    if (!path) return;
    const over = new AbortController();
    follow(path, { onFrames: (some) => latest.current(some), onLost: setLost }, over.signal);
    return () => over.abort();
  }, [path]);
  return lost;
}
