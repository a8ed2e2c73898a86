package docs

// mends says what to do about each code.
var mends = map[string]string{
	"invalid_request":      "Change the fields that `errors` names. Do not repeat the request as it is.",
	"unauthenticated":      "Send a key that is there: `errand keys list`.",
	"scope_denied":         "Use a key with the scope that the message names, or have one made.",
	"cross_origin":         "Send the request from a page of this server, or with a key in place of the cookie.",
	"not_found":            "Check the id and the key's project.",
	"method_not_allowed":   "Use a method that `Allow` names.",
	"conflict":             "Read the object; it is in another state than the request needs.",
	"precondition_failed":  "Read the object again, put your change upon it, and name that version in `If-Match`.",
	"idempotency_mismatch": "Use a new `Idempotency-Key` for a new request.",
	"too_large":            "Send less, or send a file and name it.",
	"rate_limited":         "Wait as long as `Retry-After` says.",
	"overloaded":           "Wait as long as `Retry-After` says, then send the same request again.",
	"storage_full":         "Make space on the server's disk; nothing has to be restarted.",
	"quota_exceeded":       "Delete files or documents of the project, or have its bound raised.",
	"not_available":        "Nothing: this version does not have it.",
	"internal":             "Look into the server's log under the `request_id`. With an `Idempotency-Key` the request can be repeated.",
	"model_auth":           "Check the endpoint's key: `errand models test`.",
	"model_refused":        "Change what the provider refuses: it is in the message.",
	"model_rate_limited":   "Nothing within a run: it waits. Bound calls with `max_concurrent`, or raise the provider's limit.",
	"model_unavailable":    "Do the run again later, or name a fallback: `ERRAND_FALLBACK`.",
	"model_timeout":        "Do the run again, or name a faster model.",
	"model_garbled":        "Do the run again. If it lasts, look whether the endpoint speaks the format that it is configured for.",
	"model_unknown":        "Name a model that `errand models` lists.",
	"tool_failed":          "The model is told and goes on. Look at the tool's side.",
	"tool_changed":         "Decide about the call as it is now.",
	"tool_unknown":         "Look at the tool's side whether it has happened, then approve to repeat it or reject.",
	"egress_denied":        "Use a public address, or have the address allowed: `ERRAND_EGRESS_ALLOW`.",
}

// ends says which status a run has that ended for a reason, and what the reason means.
var ends = map[string][2]string{
	"answered":           {"completed", "The model has answered."},
	"rejected":           {"completed", "A person has rejected an action, and the agent does not say `on_reject: continue`."},
	"step_limit":         {"failed", "It took as many model turns as it may: `max_steps`."},
	"budget_exhausted":   {"failed", "A limit of its own (tokens, money, tool calls) or a budget has no room for the next call."},
	"timeout":            {"failed", "It worked as long as it may (`limits.timeout_s`). Waiting for people does not count."},
	"cancelled":          {"cancelled", "Somebody has cancelled it, or nobody read an answer that only its reader could use."},
	"model_error":        {"failed", "The model could not be called, after all attempts: `error.code` says why."},
	"tool_error":         {"failed", "A tool broke off in a way that the run can't go on from."},
	"schema_unsatisfied": {"failed", "The answer did not satisfy the schema, also after it was mended twice."},
	"scope_denied":       {"failed", "The key of the run lacks a scope that one of its calls needs."},
}
