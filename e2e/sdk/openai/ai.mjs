// The Vercel AI SDK against an API of OpenAI's kind: its base URL is the first
// argument, its model the second.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";

const [base, name] = process.argv.slice(2);
const errand = createOpenAICompatible({
  name: "errand", baseURL: process.env.ERRAND_URL + base, apiKey: process.env.ERRAND_API_KEY, includeUsage: true, supportsStructuredOutputs: true,
});
const model = errand(name);
const told = {};
{
  const { text, finishReason, usage, response } = await generateText({ model, prompt: "capital:" });
  told.generated = { text, finishReason, total: usage.totalTokens, run: response.headers["x-errand-run"].startsWith("run_") };
}
{
  const stream = streamText({ model, prompt: "capital:", includeRawChunks: true });
  let text = "", run;
  for await (const part of stream.fullStream) {
    if (part.type === "text-delta") text += part.text;
    if (part.type === "raw" && part.rawValue.run_id) run = part.rawValue.run_id;
  }
  told.streamed = { text, finishReason: await stream.finishReason, total: (await stream.usage).totalTokens, run: run?.startsWith("run_") };
}
{
  const weather = tool({
    description: "The weather", execute: async ({ city }) => `31 C in ${city}`,
    inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
  });
  const { text, steps } = await generateText({ model, prompt: "weather:", tools: { weather }, stopWhen: stepCountIs(3) });
  told.tools = { text, steps: steps.length };
}
{
  const schema = jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false });
  const { output } = await generateText({ model, prompt: "json:", output: Output.object({ schema }) });
  told.object = output;
}
try {
  await generateText({ model: errand("agent:nobody"), prompt: "Hello", maxRetries: 0 });
} catch (e) {
  told.failed = { status: e.statusCode, message: e.message, retryable: e.isRetryable };
}
{
  const stream = streamText({ model, prompt: "break:", maxRetries: 0, onError() {} });
  for await (const _ of stream.fullStream);
  told.broken = await stream.finishReason;
}
console.log(JSON.stringify(told));
