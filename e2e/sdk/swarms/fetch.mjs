// What a plain JavaScript client of the Swarms API does: fetch, and the line parser
// that the API's example scripts have.
const base = process.env.ERRAND_URL;
const headers = { "x-api-key": process.env.ERRAND_API_KEY, "Content-Type": "application/json" };

async function post(path, body) {
  return fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) });
}

const agent = { agent_name: "Clerk", model_name: "gpt-4.1", max_loops: 1, streaming_on: false, dynamic_temperature_enabled: true };
const task = (line) => `Do this.\n${line}`;

const completion = await (await post("/v1/agent/completions", { agent_config: agent, task: task("= Hello there.") })).json();
if (!completion.success || completion.usage.total_tokens !== 18) throw new Error(JSON.stringify(completion));

// The parser keeps the last event until the next one, as the example scripts do.
let event = null, streamed = "", last = "", order = [];
const answer = await post("/v1/agent/completions", { agent_config: { ...agent, streaming_on: true }, task: task("= Hello there.") });
if (!answer.headers.get("content-type").startsWith("text/event-stream")) throw new Error("no stream");
for (const line of (await answer.text()).split("\n")) {
  if (line.startsWith("event: ")) {
    event = line.slice(7);
    continue;
  }
  if (!line.startsWith("data: ")) continue;
  const data = JSON.parse(line.slice(6));
  const kind = event ?? data.type;
  if ("content" in data) streamed += data.content;
  if (order.at(-1) !== kind) order.push(kind);
  last = kind;
}

const weather = { type: "function", function: { name: "weather", description: "Tells it.", parameters: { type: "object", properties: { city: { type: "string" } } } } };
const called = await (await post("/v1/agent/completions", {
  agent_config: { ...agent, tools_list_dictionary: [weather] }, task: task('weather {"city": "Ulm"}'),
})).json();
const calls = called.outputs[0].content;
if (JSON.parse(calls[0].function.arguments).city !== "Ulm") throw new Error(JSON.stringify(called));

const batch = await (await post("/v1/agent/batch/completions", [
  { agent_config: agent, task: task("= One.") },
  { agent_config: { ...agent, model_name: "nobody/nothing" }, task: "x" },
  { agent_config: agent, task: task("= Two.") },
])).json();

const failure = await post("/v1/agent/completions", { agent_config: { ...agent, max_loops: 1000 }, task: "x" });

console.log(JSON.stringify({
  whole: completion.outputs[0].content, job: completion.job_id, streamed, last, order, calls,
  batch: batch.results.map((r) => (r.success ? r.outputs.at(-1).content : "failed")),
  failure: { status: failure.status, retry: failure.headers.get("x-should-retry"), detail: (await failure.json()).detail },
}));
