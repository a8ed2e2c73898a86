// What make bench-peers measures VoltAgent with: agents with conversations kept by
// LibSQL, one of them with a person before its tool, and each as the step of a workflow
// too, because VoltAgent's documents say that workflows can be started again after a crash.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Agent, createTool, createWorkflowChain, Memory, VoltAgent, WorkflowRegistry } from '@voltagent/core'
import { LibSQLMemoryAdapter } from '@voltagent/libsql'
import { createPinoLogger } from '@voltagent/logger'
import { honoServer } from '@voltagent/server-hono'
import { z } from 'zod'

const provider = createOpenAICompatible({ name: 'mock', baseURL: process.env.BENCH_MOCK + '/v1', apiKey: 'none', includeUsage: true })
const memory = new Memory({ storage: new LibSQLMemoryAdapter({ url: 'file:' + process.env.BENCH_DATA + '/voltagent.db' }) })

const tool = (needsApproval) => createTool({
  name: 'lookup',
  description: 'Finds invoices by their status.',
  parameters: z.object({ status: z.string() }),
  needsApproval,
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
const workflows = {}
for (const [name, model] of process.env.BENCH_AGENTS.split(',').map((pair) => pair.split('='))) {
  const agent = new Agent({
    id: name,
    name,
    instructions: process.env.BENCH_INSTRUCTIONS,
    model: provider(model),
    tools: [tool(name === 'gated')],
    memory,
  })
  agents[name] = agent
  workflows['workflow-' + name] = createWorkflowChain({
    id: 'workflow-' + name,
    name: 'workflow-' + name,
    input: z.object({ prompt: z.string() }),
    result: z.object({ text: z.string() }),
    memory,
  }).andThen({
    id: 'answer',
    execute: async ({ data }) => ({ text: (await agent.generateText(data.prompt)).text }),
  })
}

new VoltAgent({
  agents,
  workflows,
  server: honoServer({ port: Number(process.env.PORT), hostname: '127.0.0.1', enableSwaggerUI: false }),
  logger: createPinoLogger({ name: 'bench', level: 'error' }),
})

// The documents give this call, for a start after a crash. The server does not wait for it.
WorkflowRegistry.getInstance().restartAllActiveWorkflowRuns()
