// The graphs that make bench-peers measures the dev server of LangGraph.js with: the
// agent with which LangChain's documents begin, once for each model, and one with a
// person before its tool. The server itself keeps threads and runs.
import { tool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { createAgent, humanInTheLoopMiddleware } from 'langchain'
import { z } from 'zod'

const lookup = tool(
  async (input) => {
    const answer = await fetch(process.env.BENCH_TOOL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
    })
    return await answer.text()
  },
  { name: 'lookup', description: 'Finds invoices by their status.', schema: z.object({ status: z.string() }) },
)

// BENCH_AGENTS is name=model,…; the name of a model says how it answers.
const models = Object.fromEntries(process.env.BENCH_AGENTS.split(',').map((pair) => pair.split('=')))

const of = (name, ...middleware) => createAgent({
  model: new ChatOpenAI({ model: models[name], apiKey: 'none', configuration: { baseURL: process.env.BENCH_MOCK + '/v1' } }),
  tools: [lookup],
  systemPrompt: process.env.BENCH_INSTRUCTIONS,
  middleware,
})

export const answer = of('answer')
export const look = of('look')
export const paced = of('paced')
export const press = of('press')
export const gated = of('gated', humanInTheLoopMiddleware({ interruptOn: { lookup: true } }))
