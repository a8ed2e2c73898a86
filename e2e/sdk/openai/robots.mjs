// OpenAI's own SDK with a robot: the goal is settled in conversation, confirmed, and
// handed over. Prints what came of it, as JSON.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.ERRAND_URL}/v1/agent/robots/my-robot`, apiKey: process.env.ERRAND_API_KEY, maxRetries: 0 });
const told = {};
const history = [{ role: "user", content: "Analyze our top 5 competitors" }];
const ask = (more = {}) => ({ model: "default", messages: history, ...more });

{
  const { data, response } = await client.chat.completions.create(ask()).withResponse();
  const message = data.choices[0].message;
  told.first = { text: message.content, status: data.status, execution: data.execution_id ?? null, chat: response.headers.get("x-chat-id") === data.chat_id };
  history.push({ role: "assistant", content: message.content }, { role: "user", content: "yes, but only three" });
}
{
  const pieces = [];
  const stream = client.chat.completions.stream(ask()).on("content.delta", ({ delta }) => pieces.push(delta));
  const whole = await stream.finalChatCompletion();
  told.changed = { text: whole.choices[0].message.content, same: pieces.join("") === whole.choices[0].message.content, execution: whole.execution_id ?? null };
  history.push({ role: "assistant", content: whole.choices[0].message.content }, { role: "user", content: "yes" });
}
{
  let text = "", last;
  for await (const chunk of await client.chat.completions.create(ask({ stream: true }))) {
    text += chunk.choices[0].delta.content ?? "";
    if (chunk.choices[0].finish_reason) last = chunk;
  }
  told.confirmed = { finish: last.choices[0].finish_reason, status: last.status, named: text.includes(last.execution_id) };
  told.execution = last.execution_id;
}
{
  const read = await client.get(`/executions/${told.execution}`);
  told.read = { id: read.id === told.execution, member: read.member_id, goals: read.goals.content };
}
{
  const { data, response } = await client.chat.completions.create(ask()).withResponse();
  told.again = { same: data.execution_id === told.execution, header: response.headers.get("x-execution-id") === told.execution };
}
{
  const whole = await client.chat.completions.stream(ask()).finalChatCompletion();
  told.helper = { same: whole.execution_id === told.execution, finish: whole.choices[0].finish_reason };
}
{
  const at = { body: { messages: [{ role: "user", content: "Count the chairs" }], metadata: { auto_confirm: true } } };
  const made = await client.post("/completions", at);
  told.at_once = { status: made.status, execution: made.execution_id?.startsWith("exec_") && made.execution_id !== told.execution };
}
const models = [];
for await (const model of client.models.list()) models.push(model.object);
told.models = models.length > 0 && models.every((object) => object === "model");

const failed = async (made) => {
  try {
    await made();
    return "nothing was thrown";
  } catch (e) {
    return { kind: e.constructor.name, status: e.status, code: e.code, param: e.param, request: typeof e.requestID };
  }
};
const nobody = new OpenAI({ baseURL: `${process.env.ERRAND_URL}/v1/agent/robots/nobody`, apiKey: process.env.ERRAND_API_KEY, maxRetries: 0 });
const thief = new OpenAI({ baseURL: client.baseURL, apiKey: "sk_wrong", maxRetries: 0 });
told.no_robot = await failed(() => nobody.chat.completions.create(ask()));
told.too_many = await failed(() => client.chat.completions.create(ask({ n: 2 })));
told.no_messages = await failed(() => client.chat.completions.create(ask({ messages: [] })));
told.no_key = await failed(() => thief.chat.completions.create(ask()));
told.broken = await failed(async () => {
  for await (const _ of await client.chat.completions.create(ask({ stream: true, messages: [{ role: "user", content: "break: now" }] })));
});
console.log(JSON.stringify(told));
