// The OpenAI SDK on the part of the API that Swarms shares with it.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.ERRAND_URL + "/v1", apiKey: process.env.ERRAND_API_KEY });
const names = [];
for await (const model of client.models.list()) names.push(model.id);
console.log(JSON.stringify(names));
