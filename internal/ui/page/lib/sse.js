// Server-sent events over fetch: with Last-Event-ID on the first request, too, with
// errors that can be read, and an end that is told apart from a break.

/**
 * Reads the frames of an answer.
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{id: string, event: string, data: string}>} a comment is a frame without event and data
 */
export async function* frames(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true }).replaceAll("\r\n", "\n");
      let end;
      while ((end = rest.indexOf("\n\n")) >= 0) {
        yield frameOf(rest.slice(0, end));
        rest = rest.slice(end + 2);
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it has ended, or nobody reads it any more
  }
}

/** @param {string} text */
function frameOf(text) {
  const frame = { id: "", event: "", data: "" };
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    if (at <= 0) continue;
    const value = line.slice(line[at + 1] === " " ? at + 2 : at + 1);
    const name = line.slice(0, at);
    if (name === "data") frame.data += (frame.data ? "\n" : "") + value;
    else if (name === "id" || name === "event") frame[name] = value;
  }
  if (frame.data && !frame.event) frame.event = "message";
  return frame;
}

/**
 * Waits, unless it is called off.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
