package anthropic

import (
	sdk "github.com/anthropics/anthropic-sdk-go"
)

// mark tells the provider where the beginning of the request that will come again
// ends: behind the tools, behind the instructions, and, in a conversation that
// goes on, behind what the call before had seen and behind all that there is.
// These are the four marks that the API allows. What is too short to be worth it
// is not kept, and costs nothing.
func mark(params *sdk.MessageNewParams) {
	cached := sdk.NewCacheControlEphemeralParam()
	if n := len(params.Tools); n > 0 {
		params.Tools[n-1].OfTool.CacheControl = cached
	}
	if n := len(params.System); n > 0 {
		params.System[n-1].CacheControl = cached
	}
	last := len(params.Messages) - 1
	if len(params.Tools) == 0 && last < 2 {
		return // one question and its answer: keeping it would cost a quarter more, for nobody
	}
	for i := last; i >= 0; i-- {
		if i == last || i+1 < last && params.Messages[i+1].Role == sdk.MessageParamRoleAssistant && params.Messages[i].Role == sdk.MessageParamRoleUser {
			markMessage(&params.Messages[i], cached)
			if i < last {
				return
			}
		}
	}
}

// markMessage marks the last block of a message that can be marked.
func markMessage(m *sdk.MessageParam, cached sdk.CacheControlEphemeralParam) {
	for i := len(m.Content) - 1; i >= 0; i-- {
		switch b := m.Content[i]; {
		case b.OfText != nil:
			b.OfText.CacheControl = cached
		case b.OfImage != nil:
			b.OfImage.CacheControl = cached
		case b.OfToolUse != nil:
			b.OfToolUse.CacheControl = cached
		case b.OfToolResult != nil:
			b.OfToolResult.CacheControl = cached
		default: // thinking can't be
			continue
		}
		return
	}
}
