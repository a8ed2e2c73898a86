// OpenAI's own SDK against /v1/chat/completions: what a program sees of saved
// agents, of models, and of errors.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const client = new OpenAI({ baseURL: `${process.env.ERRAND_URL}/v1`, apiKey: process.env.ERRAND_API_KEY, maxRetries: 0 });
const ask = (model, text, more = {}) => ({ model, messages: [{ role: "user", content: text }], ...more });
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
};
const told = {};

{
  const { data, response, request_id } = await client.chat.completions.create(ask("agent:guide", "capital:")).withResponse();
  told.created = {
    text: data.choices[0].message.content, finish: data.choices[0].finish_reason, model: data.model, status: data.status,
    ids: data.id.replace("chatcmpl-", "run_") === data.run_id && response.headers.get("x-errand-run") === data.run_id,
    request: request_id !== null && request_id === response.headers.get("x-request-id") && data._request_id === request_id,
    usage: data.usage.total_tokens,
  };
}
{
  const stream = await client.chat.completions.create(ask("guide", "capital:", { stream: true, stream_options: { include_usage: true } }));
  let text = "", last, usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.choices[0]?.finish_reason) last = chunk;
    usage = chunk.usage ?? usage;
  }
  told.streamed = { text, finish: last.choices[0].finish_reason, status: last.status, run: last.run_id.startsWith("run_"), usage: usage.total_tokens };
}
{
  const pieces = [];
  const stream = client.chat.completions.stream(ask("default", "tale:")).on("content.delta", ({ delta }) => pieces.push(delta));
  const whole = await stream.finalChatCompletion();
  told.helper = { text: whole.choices[0].message.content, same: pieces.join("") === (await stream.finalContent()), pieces: pieces.length > 1 };
}
{
  const whole = await client.chat.completions.stream(ask("default", "weather:", { tools: [weather] })).finalChatCompletion();
  const call = whole.choices[0].message.tool_calls[0];
  told.calls = { finish: whole.choices[0].finish_reason, name: call.function.name, arguments: call.function.arguments };
}
{
  const runner = client.chat.completions.runTools(ask("guide", "weather:", {
    tools: [{
      type: "function",
      function: { ...weather.function, parse: JSON.parse, function: ({ city }) => `31 C in ${city}` },
    }],
  }));
  told.ran = await runner.finalContent();
}
{
  const parsed = await client.chat.completions.parse(ask("default", "json:", { response_format: zodResponseFormat(z.object({ city: z.string() }), "city") }));
  told.parsed = parsed.choices[0].message.parsed;
}
{
  const halted = await client.chat.completions.create(ask("agent:careful", "mail:"));
  told.halted = { finish: halted.choices[0].finish_reason, status: halted.status, names: halted.choices[0].message.content.includes(halted.run_id) };
  told.halted_run = halted.run_id;
}

const failed = async (made) => {
  try {
    await made();
    return "nothing was thrown";
  } catch (e) {
    return { kind: e.constructor.name, status: e.status, code: e.code, param: e.param, type: e.type, request: typeof e.requestID, message: e.message };
  }
};
const other = new OpenAI({ baseURL: `${process.env.ERRAND_URL}/v1`, apiKey: "sk_wrong", maxRetries: 0 });
told.no_agent = await failed(() => client.chat.completions.create(ask("agent:nobody", "Hello")));
told.too_many = await failed(() => client.chat.completions.create(ask("default", "Hello", { n: 2 })));
told.no_key = await failed(() => other.chat.completions.create(ask("default", "Hello")));
told.broken = await failed(() => client.chat.completions.create(ask("default", "fail:")));
told.broken_stream = await failed(async () => {
  for await (const _ of await client.chat.completions.create(ask("default", "break:", { stream: true })));
});

const listed = [];
for await (const model of client.models.list()) listed.push(model);
told.models = { first: listed.slice(0, 2).map((m) => m.id).sort(), fields: listed.every((m) => m.object === "model" && typeof m.created === "number" && m.owned_by) };
told.model = [(await client.models.retrieve("agent:guide")).id, (await client.models.retrieve("openai/mock")).id];
told.plain = (await (await fetch(`${process.env.ERRAND_URL}/v1/models/openai/mock`, { headers: { authorization: `Bearer ${process.env.ERRAND_API_KEY}` } })).json()).id;

console.log(JSON.stringify(told));
