// LangChain against an API of OpenAI's kind: its base URL is the first argument, its
// model the second.
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";

const [base, name] = process.argv.slice(2);
const make = (more = {}) => new ChatOpenAI({
  model: name, apiKey: process.env.ERRAND_API_KEY, maxRetries: 0, streamUsage: true, configuration: { baseURL: process.env.ERRAND_URL + base }, ...more,
});
const model = make();
const told = {};
{
  const message = await model.invoke([["system", "Be brief."], ["human", "capital:"]]);
  told.invoked = { text: message.content, finish: message.response_metadata.finish_reason, total: message.usage_metadata.total_tokens };
}
{
  let text = "", total = 0;
  for await (const chunk of await model.stream("capital:")) {
    text += chunk.content;
    total += chunk.usage_metadata?.total_tokens ?? 0;
  }
  told.streamed = { text, total };
}
{
  const weather = tool(({ city }) => `31 C in ${city}`, { name: "weather", description: "The weather", schema: z.object({ city: z.string() }) });
  const bound = model.bindTools([weather]);
  const asked = new HumanMessage("weather:");
  const calls = await bound.invoke([asked]);
  const results = await Promise.all(calls.tool_calls.map(async (call) => new ToolMessage({ content: await weather.invoke(call.args), tool_call_id: call.id })));
  told.tools = { calls: calls.tool_calls.length, text: (await bound.invoke([asked, calls, ...results])).content };
}
told.structured = await model.withStructuredOutput(z.object({ city: z.string() }), { method: "jsonSchema", name: "city" }).invoke("json:");
try {
  await make({ model: "agent:nobody" }).invoke("Hello");
} catch (e) {
  told.failed = { status: e.status, code: e.code };
}
console.log(JSON.stringify(told));
