package agent

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"errand/internal/problem"
)

// Faults collects what is wrong with a request: a message by field path. The
// first message about a field stays, because later ones are mostly its echo.
type Faults map[string]string

// Add records a fault; an empty message is none.
func (f Faults) Add(field, message string) {
	if _, told := f[field]; message != "" && !told {
		f[field] = message
	}
}

// Under reports whether field, or something inside it, is already faulty.
func (f Faults) Under(field string) bool {
	for told := range f {
		if told == field || strings.HasPrefix(told, field+".") || strings.HasPrefix(told, field+"[") {
			return true
		}
	}
	return false
}

// Problem returns all faults as one invalid_request, or nil when there are none.
func (f Faults) Problem() error {
	if len(f) == 0 {
		return nil
	}
	return problem.InvalidFields(f)
}

func checkNumbers(d *Definition, faults Faults) {
	limits := d.Limits
	faults.Add("limits.max_tokens", natural(int64(limits.MaxTokens), math.MaxInt32))
	faults.Add("limits.max_tool_calls", natural(int64(limits.MaxToolCalls), math.MaxInt32))
	faults.Add("limits.timeout_s", natural(int64(limits.Timeout), maxWallTime))
	if limits.MaxCost < 0 {
		faults.Add("limits.max_cost_usd", "must be above 0.")
	}
	faults.Add("params.max_tokens", natural(int64(d.Params.MaxTokens), math.MaxInt32))
	if t := d.Params.Temperature; t != nil && (*t < 0 || *t > 2) {
		faults.Add("params.temperature", "must be a number from 0 to 2.")
	}
	if p := d.Params.TopP; p != nil && (*p < 0 || *p > 1) {
		faults.Add("params.top_p", "must be a number from 0 to 1.")
	}
	switch d.Params.Effort {
	case "", "none", "minimal", "low", "medium", "high", "xhigh":
	default:
		faults.Add("params.reasoning_effort", "must be none, minimal, low, medium, high or xhigh.")
	}
}

// natural checks an optional limit, which is zero when it is not set.
func natural(n, highest int64) string {
	if n < 0 || n > highest {
		return fmt.Sprintf("must be a whole number from 1 to %d.", highest)
	}
	return ""
}

// CheckMetadata holds metadata to the native API document's 16 pairs.
func CheckMetadata(metadata map[string]string, faults Faults) {
	if len(metadata) > maxMetadata {
		faults.Add("metadata", fmt.Sprintf("has %d pairs: at most %d.", len(metadata), maxMetadata))
	}
	for key, text := range metadata {
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxMetadataKey:
			faults.Add("metadata", fmt.Sprintf("has a key that is empty or longer than %d characters.", maxMetadataKey))
		case utf8.RuneCountInString(text) > maxMetadataText:
			faults.Add("metadata."+key, fmt.Sprintf("is too long: at most %d characters.", maxMetadataText))
		}
	}
}
