// Package clock is the tool time.now: what time it is, in the zone that the
// model names. It is always there, and safe.
//
// It promises an answer in RFC 3339 with weekday and offset, from a clock that it
// is given, and time zones on machines that have no zone files.
//
// To change what a model is told about the time, edit Call.
package clock

import (
	"context"
	"encoding/json"
	"time"
	_ "time/tzdata" // a static binary on a bare machine has no /usr/share/zoneinfo

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

const parameters = `{"type":"object","properties":{"timezone":{"type":"string","description":"IANA name such as Europe/Berlin; UTC when left out"}},"additionalProperties":false}`

// Clock is the tool.
type Clock struct{ now func() time.Time }

// New returns the tool over a clock.
func New(now func() time.Time) *Clock { return &Clock{now: now} }

// Describe is what a run knows of the tool.
func (c *Clock) Describe() run.Tool {
	const description = "Tells the current date and time, the weekday and the UTC offset in a time zone."
	return run.Tool{
		Name: "time.now", Description: description, Parameters: json.RawMessage(parameters),
		Class: run.Safe, Version: tool.Digest([]byte("time.now 1" + description + parameters)),
	}
}

// Call tells the time.
func (c *Clock) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	var arguments struct {
		Timezone string `json:"timezone"`
	}
	if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "time.now: the arguments are not a JSON object with timezone as a string.").Because(err)
	}
	zone := time.UTC
	if arguments.Timezone != "" && arguments.Timezone != "Local" { // Local would tell where this server stands
		var err error
		if zone, err = time.LoadLocation(arguments.Timezone); err != nil {
			return run.ToolResult{}, problem.New(problem.ToolFailed, "time.now: %q is no time zone; use an IANA name such as Europe/Berlin, or leave timezone out for UTC.", tool.Cut(arguments.Timezone, 64)).Because(err)
		}
	}
	now := c.now().In(zone)
	text, err := json.Marshal(struct {
		Time     string `json:"time"`
		Weekday  string `json:"weekday"`
		Timezone string `json:"timezone"`
		Unix     int64  `json:"unix"`
	}{now.Format(time.RFC3339), now.Weekday().String(), zone.String(), now.Unix()})
	if err != nil {
		return run.ToolResult{}, err
	}
	return run.ToolResult{Output: string(text)}, nil
}
