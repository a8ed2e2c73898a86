// Everything that the vendor's SDK can ask for, with the validator that it was
// installed with. Argument: the package. Prints what came of each request, as JSON.
const name = process.argv[2];
const { You } = await import(name);
const errors = await import(`${name}/models/errors`);

const you = new You({ apiKeyAuth: process.env.ERRAND_API_KEY });
const at = { serverURL: process.env.ERRAND_URL };
const told = {};

async function batch(key, request) {
  const { agent, mode, input, output } = await you.agentsRuns(request, at);
  told[key] = {
    agent, mode, input,
    output: output.map(({ type, text, content }) => ({ type, text, urls: content?.map((c) => c.url) })),
  };
}

async function stream(key, request) {
  const events = [];
  for await (const { id, event, data } of await you.agentsRuns(request, at)) {
    if (String(data.seqId) !== id || data.type !== event) throw new Error(`frame ${id} ${event}: ${JSON.stringify(data)}`);
    events.push(data);
  }
  told[key] = {
    seq: events.every((e, i) => e.seqId === i),
    types: events.map((e) => e.type).filter((type, i, all) => type !== all[i - 1]),
    urls: events.flatMap((e) => e.response?.full ?? []).map((r) => r.url),
    text: events.map((e) => e.response?.delta ?? "").join(""),
    done: events.at(-1).response,
  };
  delete told[key].done.runTimeMs;
}

async function fails(key, request, client = you) {
  try {
    await client.agentsRuns(request, at);
    told[key] = "no error";
  } catch (e) {
    const kind = Object.keys(errors).find((name) => typeof errors[name] === "function" && e.constructor === errors[name]);
    told[key] = { kind, status: e.statusCode, detail: kind?.startsWith("AgentRuns") ? e.detail : JSON.parse(e.body).code };
  }
}

const input = "What is the capital of France?";
await batch("express", { agent: "express", input, stream: false });
await batch("express_search", { agent: "express", input: "search: " + input, stream: false, tools: [{ type: "web_search" }] });
await stream("express_stream", { agent: "express", input: "search: " + input, stream: true, tools: [{ type: "web_search" }] });
await batch("advanced", {
  agent: "advanced", input: "compute: six times seven", stream: false, tools: [{ type: "compute" }],
  verbosity: "medium", workflowConfig: { maxWorkflowSteps: 5 },
});
await stream("research", {
  agent: "advanced", input: "search: " + input, stream: true,
  tools: [{ type: "research", searchEffort: "low", reportVerbosity: "medium" }],
});
await batch("custom", { agent: "63773261-b4de-4d8f-9dfd-cff206a5cb51", input, stream: false });
await batch("custom_halts", { agent: "careful", input: "mail: Ada", stream: false });
await stream("custom_halts_stream", { agent: "careful", input: "mail: Ada", stream: true });
await stream("broken_stream", { agent: "express", input: "break: now", stream: true });
await fails("empty", { agent: "express", input: "", stream: false });
await fails("no_agent", { agent: "nobody", input, stream: false });
await fails("not_allowed", { agent: "express", input, stream: false }, new You({ apiKeyAuth: process.env.POOR_KEY }));
await fails("no_key", { agent: "express", input, stream: false }, new You({ apiKeyAuth: "nobody" }));
console.log(JSON.stringify(told));
