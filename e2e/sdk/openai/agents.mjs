// OpenAI's Agents SDK against an API of OpenAI's kind: its base URL is the first
// argument, its model the second.
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const [base, model] = process.argv.slice(2);
setDefaultOpenAIClient(new OpenAI({ baseURL: process.env.ERRAND_URL + base, apiKey: process.env.ERRAND_API_KEY, maxRetries: 0 }));
setOpenAIAPI("chat_completions");
setTracingDisabled(true);

const weather = tool({
  name: "weather", description: "The weather", parameters: z.object({ city: z.string() }), execute: async ({ city }) => `31 C in ${city}`,
});
const told = {};
told.plain = (await run(new Agent({ name: "Guide", instructions: "Be brief.", model }), "capital:")).finalOutput;
told.tools = (await run(new Agent({ name: "Guide", instructions: "Be brief.", model, tools: [weather] }), "weather:")).finalOutput;
told.typed = (await run(new Agent({ name: "Guide", instructions: "Be brief.", model, outputType: z.object({ city: z.string() }) }), "json:")).finalOutput;
{
  const streamed = await run(new Agent({ name: "Guide", instructions: "Be brief.", model, tools: [weather] }), "weather:", { stream: true });
  let text = "";
  for await (const event of streamed) {
    if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta") text += event.data.delta;
  }
  await streamed.completed;
  told.streamed = { text, final: streamed.finalOutput };
}
console.log(JSON.stringify(told));
