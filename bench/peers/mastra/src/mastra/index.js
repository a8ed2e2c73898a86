// The agents that make bench-peers measures Mastra with. Each is there twice: plain, with
// conversations kept by LibSQL as a new project has it, and durable, whose runs Mastra's
// documents say can be recovered after a crash with recovery.durableAgents: 'auto'.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Agent } from '@mastra/core/agent'
import { createDurableAgent } from '@mastra/core/agent/durable'
import { Mastra } from '@mastra/core/mastra'
import { createTool } from '@mastra/core/tools'
import { LibSQLStore } from '@mastra/libsql'
import { Memory } from '@mastra/memory'
import { z } from 'zod'

const provider = createOpenAICompatible({ name: 'mock', baseURL: process.env.BENCH_MOCK + '/v1', apiKey: 'none', includeUsage: true })

const tool = (requireApproval) => createTool({
  id: 'lookup',
  description: 'Finds invoices by their status.',
  inputSchema: z.object({ status: z.string() }),
  requireApproval,
  execute: async (input) => {
    const answer = await fetch(process.env.BENCH_TOOL, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
    })
    return await answer.json()
  },
})

// BENCH_AGENTS is name=model,…; the name of a model says how it answers.
const agents = {}
for (const [name, model] of process.env.BENCH_AGENTS.split(',').map((pair) => pair.split('='))) {
  const of = (id) => new Agent({
    id,
    name: id,
    instructions: process.env.BENCH_INSTRUCTIONS,
    model: provider(model),
    tools: { lookup: tool(name === 'gated') },
    memory: new Memory(),
  })
  agents[name] = of(name)
  agents['durable-' + name] = createDurableAgent({ agent: of('durable-' + name) })
}

export const mastra = new Mastra({
  agents,
  storage: new LibSQLStore({ id: 'storage', url: 'file:' + process.env.BENCH_DATA + '/mastra.db' }),
  recovery: { durableAgents: 'auto' },
  logger: false,
})

// The server of mastra dev does this when it starts, that of mastra build does not; the
// documents give the call, as manual recovery. The server does not wait for it.
mastra.recoverAllDurableAgents()
