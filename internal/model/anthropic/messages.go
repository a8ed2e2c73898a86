package anthropic

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// instructions are the system messages at the beginning, which this API takes
// apart from the conversation.
func instructions(messages []run.Message) (system []sdk.TextBlockParam, rest []run.Message) {
	for i := range messages {
		if messages[i].Role != run.System {
			return system, messages[i:]
		}
		if said(messages[i].Text) {
			system = append(system, sdk.TextBlockParam{Text: messages[i].Text})
		}
	}
	return system, nil
}

// said reports whether a text says anything: the API refuses blocks that don't.
func said(text string) bool { return strings.TrimSpace(text) != "" }

// conversation puts messages in the API's form: user and assistant take turns,
// results of calls stand at the beginning of the user's, all of them, and ids are
// legal and used once.
type conversation struct {
	model    string
	names    remote.Names
	messages []sdk.MessageParam
	taken    map[string]bool // ids of calls

	forgetful bool // leaves out what was thought
}

// leftOut stands for turns that were dropped: the user must speak first.
const leftOut = "[The beginning of this conversation is left out.]"

func (c *conversation) add(all []run.Message) {
	for i := 0; i < len(all); {
		m := &all[i]
		i++
		switch m.Role {
		case run.ToolRole:
			c.orphan(m)
		case run.Assistant:
			results := i
			for i < len(all) && all[i].Role == run.ToolRole {
				i++
			}
			c.turn(m, all[results:i])
		default: // a system message in the middle too: nobody else could say it
			c.say(sdk.MessageParamRoleUser, shown(m.Text, m.Images))
		}
	}
}

// say adds blocks to the speaker's message, or begins one.
func (c *conversation) say(who sdk.MessageParamRole, blocks []sdk.ContentBlockParamUnion) {
	if len(blocks) == 0 {
		return
	}
	if len(c.messages) == 0 && who == sdk.MessageParamRoleAssistant {
		c.say(sdk.MessageParamRoleUser, []sdk.ContentBlockParamUnion{sdk.NewTextBlock(leftOut)})
	}
	if last := len(c.messages) - 1; last >= 0 && c.messages[last].Role == who {
		c.messages[last].Content = append(c.messages[last].Content, blocks...)
		return
	}
	c.messages = append(c.messages, sdk.MessageParam{Role: who, Content: blocks})
}

// turn adds a reply and the results of all of its calls, in call order.
func (c *conversation) turn(m *run.Message, results []run.Message) {
	ids := make([]string, len(m.Calls))
	for i := range m.Calls {
		ids[i] = c.callID(m.Calls[i].ID)
	}
	c.say(sdk.MessageParamRoleAssistant, c.reply(m, ids))
	var blocks []sdk.ContentBlockParamUnion
	answered := make([]bool, len(results))
	for i := range m.Calls {
		block := sdk.NewToolResultBlock(ids[i], remote.Unanswered, true)
		for j := range results {
			if results[j].CallID == m.Calls[i].ID && !answered[j] {
				block, answered[j] = resultBlock(ids[i], &results[j]), true
				break
			}
		}
		blocks = append(blocks, block)
	}
	c.say(sdk.MessageParamRoleUser, blocks)
	for j := range results {
		if !answered[j] {
			c.orphan(&results[j])
		}
	}
}

// reply is a turn of the assistant: as it came, if the model has thought, else
// its text and its calls.
func (c *conversation) reply(m *run.Message, ids []string) []sdk.ContentBlockParamUnion {
	var order []block
	if !c.forgetful {
		order = kept(m, c.model)
	}
	if order == nil {
		order = append(order, block{Kind: textBlock, Bytes: len(m.Text)})
		for range m.Calls {
			order = append(order, block{Kind: callBlock})
		}
	}
	reasoning, text, call := m.Reasoning, m.Text, 0
	var blocks []sdk.ContentBlockParamUnion
	for _, b := range order {
		switch b.Kind {
		case thinkingBlock:
			blocks = append(blocks, sdk.NewThinkingBlock(b.Signature, reasoning[:b.Bytes]))
			reasoning = reasoning[b.Bytes:]
		case redactedBlock:
			blocks = append(blocks, sdk.NewRedactedThinkingBlock(b.Data))
		case textBlock:
			if piece := text[:b.Bytes]; said(piece) {
				blocks = append(blocks, sdk.NewTextBlock(piece))
			}
			text = text[b.Bytes:]
		case callBlock:
			one := &m.Calls[call]
			blocks = append(blocks, sdk.NewToolUseBlock(ids[call], input(one.Arguments), c.names.ToWire(one.Name)))
			call++
		}
	}
	return blocks
}

// input is a call's arguments, which must be an object.
func input(arguments string) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(arguments), &object) == nil && object != nil {
		return json.RawMessage(arguments)
	}
	quoted, err := json.Marshal(map[string]string{"unparsed": arguments})
	if err != nil {
		return json.RawMessage("{}")
	}
	return quoted
}

func resultBlock(id string, m *run.Message) sdk.ContentBlockParamUnion {
	result := &sdk.ToolResultBlockParam{ToolUseID: id}
	if m.Failed {
		result.IsError = sdk.Bool(true)
	}
	if said(m.Text) {
		result.Content = append(result.Content, sdk.ToolResultBlockParamContentUnion{OfText: &sdk.TextBlockParam{Text: m.Text}})
	}
	for _, image := range m.Images {
		result.Content = append(result.Content, sdk.ToolResultBlockParamContentUnion{OfImage: picture(image)})
	}
	return sdk.ContentBlockParamUnion{OfToolResult: result}
}

// orphan tells a result whose call is not there any more.
func (c *conversation) orphan(m *run.Message) {
	text := m.Text
	if m.Failed {
		text = "Error: " + text
	}
	c.say(sdk.MessageParamRoleUser, shown("Result of an earlier call of "+m.Tool+": "+text, m.Images))
}

// shown are pictures and the text about them, in the order that the provider's
// documents advise.
func shown(text string, images []run.Image) []sdk.ContentBlockParamUnion {
	var blocks []sdk.ContentBlockParamUnion
	for _, image := range images {
		blocks = append(blocks, sdk.ContentBlockParamUnion{OfImage: picture(image)})
	}
	if said(text) {
		blocks = append(blocks, sdk.NewTextBlock(text))
	}
	return blocks
}

// picture is an image by its address, or by its bytes where they are in the
// address.
func picture(image run.Image) *sdk.ImageBlockParam {
	var source sdk.ImageBlockParamSourceUnion
	head, data, ok := strings.Cut(strings.TrimPrefix(image.URL, "data:"), ",")
	kind, isBase64 := strings.CutSuffix(head, ";base64")
	if ok && isBase64 && strings.HasPrefix(image.URL, "data:") {
		if kind == "image/jpg" {
			kind = "image/jpeg"
		}
		source.OfBase64 = &sdk.Base64ImageSourceParam{Data: data, MediaType: sdk.Base64ImageSourceMediaType(kind)}
	} else {
		source.OfURL = &sdk.URLImageSourceParam{URL: image.URL}
	}
	return &sdk.ImageBlockParam{Source: source}
}

// callID is the id of a call as the API takes it: of letters, digits, _ and -,
// and used once in a conversation. Other providers' ids may be neither.
func (c *conversation) callID(id string) string {
	if !remote.Legal(id) || c.taken[id] {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", len(c.taken), id))
		id = "toolu_" + hex.EncodeToString(sum[:12])
	}
	c.taken[id] = true
	return id
}
