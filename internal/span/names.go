package span

import "go.opentelemetry.io/otel/attribute"

// These are the names of OpenTelemetry's semantic conventions for generative AI, as
// of version 1.41.0. They are in development: names change between versions, so
// they are nowhere but here.
const (
	operation       = attribute.Key("gen_ai.operation.name")
	provider        = attribute.Key("gen_ai.provider.name")
	requestModel    = attribute.Key("gen_ai.request.model")
	responseModel   = attribute.Key("gen_ai.response.model")
	finishReasons   = attribute.Key("gen_ai.response.finish_reasons")
	firstChunk      = attribute.Key("gen_ai.response.time_to_first_chunk") // seconds
	inputTokens     = attribute.Key("gen_ai.usage.input_tokens")
	outputTokens    = attribute.Key("gen_ai.usage.output_tokens")
	cachedTokens    = attribute.Key("gen_ai.usage.cache_read.input_tokens")
	writtenTokens   = attribute.Key("gen_ai.usage.cache_creation.input_tokens")
	reasoningTokens = attribute.Key("gen_ai.usage.reasoning.output_tokens")
	agentID         = attribute.Key("gen_ai.agent.id")
	agentName       = attribute.Key("gen_ai.agent.name")
	agentVersion    = attribute.Key("gen_ai.agent.version")
	toolName        = attribute.Key("gen_ai.tool.name")
	toolType        = attribute.Key("gen_ai.tool.type")
	toolCallID      = attribute.Key("gen_ai.tool.call.id")
	errorType       = attribute.Key("error.type")

	// What people and models have said: only if the operator asks for it.
	inputMessages  = attribute.Key("gen_ai.input.messages")
	outputMessages = attribute.Key("gen_ai.output.messages")
	instructions   = attribute.Key("gen_ai.system_instructions")
	toolArguments  = attribute.Key("gen_ai.tool.call.arguments")
	toolResult     = attribute.Key("gen_ai.tool.call.result")

	// Values of operation.
	invokeAgent = "invoke_agent"
	chat        = "chat"
	executeTool = "execute_tool"
)

// These are our own: no convention has them.
const (
	runID      = attribute.Key("errand.run.id")
	runStatus  = attribute.Key("errand.run.status")
	stopReason = attribute.Key("errand.run.stop_reason")
	dialect    = attribute.Key("errand.run.api")
	project    = attribute.Key("errand.project")
	step       = attribute.Key("errand.step")
	attempt    = attribute.Key("errand.attempt")
	action     = attribute.Key("errand.action.id")
	toolClass  = attribute.Key("errand.tool.class")
	outcome    = attribute.Key("errand.tool.outcome")
	childRun   = attribute.Key("errand.child.id")
	approved   = attribute.Key("errand.approval.approved")
	cost       = attribute.Key("errand.usage.cost") // US dollars
)
