// Other SDKs with a robot: each settles a goal and confirms it. Prints what each has
// seen of the execution, as JSON.
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Agent, run, setDefaultOpenAIClient, setOpenAIAPI, setTracingDisabled } from "@openai/agents";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const baseURL = `${process.env.ERRAND_URL}/v1/agent/robots/my-robot`, apiKey = process.env.ERRAND_API_KEY;
const execution = /exec_[0-9a-f]{32}/;
const told = {};
{
  const model = createOpenAICompatible({ name: "errand", baseURL, apiKey })("default");
  const messages = [{ role: "user", content: "Sweep the floor" }];
  const first = await generateText({ model, messages });
  messages.push({ role: "assistant", content: first.text }, { role: "user", content: "yes" });
  let id;
  const stream = streamText({ model, messages, includeRawChunks: true });
  for await (const part of stream.fullStream) if (part.type === "raw" && part.rawValue.execution_id) id = part.rawValue.execution_id;
  const again = await generateText({ model, messages });
  told.ai = { asked: first.text, finish: await stream.finishReason, named: execution.exec(await stream.text)?.[0] === id, same: again.response.headers["x-execution-id"] === id };
}
{
  const model = new ChatOpenAI({ model: "default", apiKey, maxRetries: 0, configuration: { baseURL } });
  const messages = [new HumanMessage("Wash the windows")];
  const first = await model.invoke(messages);
  messages.push(new AIMessage(first.content), new HumanMessage("yes"));
  let text = "";
  for await (const chunk of await model.stream(messages)) text += chunk.content;
  told.langchain = { asked: first.content, named: execution.test(text) };
}
{
  setDefaultOpenAIClient(new OpenAI({ baseURL, apiKey, maxRetries: 0 }));
  setOpenAIAPI("chat_completions");
  setTracingDisabled(true);
  const agent = new Agent({ name: "Robot", model: "default" });
  const first = await run(agent, "Water the plants");
  const second = await run(agent, [...first.history, { role: "user", content: "yes" }]);
  told.agents = { asked: first.finalOutput, named: execution.test(second.finalOutput) };
}
console.log(JSON.stringify(told));
