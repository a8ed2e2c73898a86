// Clients without an SDK: fetch with the document's bodies, and an EventSource that
// posts. Prints what they got, as JSON.
import { EventSource } from "eventsource";

const url = process.env.ERRAND_URL + "/v1/agents/runs";
const headers = { Authorization: `Bearer ${process.env.ERRAND_API_KEY}`, "Content-Type": "application/json" };
const request = { agent: "express", input: "What is the capital of France?" };

const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(request) });
const { output } = await answer.json();
const refused = await fetch(url, { method: "POST", headers, body: JSON.stringify({ ...request, tools: ["web_search"] }) });

const frames = [];
await new Promise((resolve, reject) => {
  const source = new EventSource(url, {
    fetch: (to, init) => fetch(to, { ...init, method: "POST", headers: { ...init.headers, ...headers }, body: JSON.stringify({ ...request, stream: "true" }) }),
  });
  for (const type of ["created", "starting", "output_item.added", "output_content.full", "output_text.delta", "output_item.done", "done"]) {
    source.addEventListener("response." + type, (event) => {
      frames.push({ id: event.lastEventId, type: event.type, data: JSON.parse(event.data) });
      if (type === "done") {
        source.close();
        resolve();
      }
    });
  }
  source.onerror = reject;
});

console.log(JSON.stringify({
  // Each of these is how some program in the wild finds the answer.
  text: output.find((o) => o.type === "message.answer" || o.type === "chat_node.answer")?.text,
  last: output.at(-1).text,
  refused: { status: refused.status, type: refused.headers.get("content-type"), ...(await refused.json()), request_id: undefined },
  gapless: frames.every((f, i) => f.id === String(i) && f.data.seq_id === i && f.data.type === f.type),
  streamed: frames.map((f) => f.data.response?.delta ?? "").join(""),
  finished: frames.at(-1).data.response.finished,
}));
