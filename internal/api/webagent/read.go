package webagent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/workflow"
)

// bodyIn is the body of the requests that make a run or change a task. Its values
// are read one by one, because each has errors of its own.
type bodyIn struct {
	Prompt      json.RawMessage `json:"prompt"`
	Model       json.RawMessage `json:"model"`
	Provider    json.RawMessage `json:"provider"`
	Wait        json.RawMessage `json:"wait_for_completion"`
	Webhook     json.RawMessage `json:"webhook_url"`
	Format      json.RawMessage `json:"response_format"`
	Schema      json.RawMessage `json:"json_schema"`
	UseWorkflow json.RawMessage `json:"use_cached_workflow"`
	Workflow    json.RawMessage `json:"cached_workflow"`
	Parameters  json.RawMessage `json:"parameters"` // of the cached workflow: values by name

	// Of the API's hosted sibling.
	InitialURL json.RawMessage `json:"initial_url"`
	Timeout    json.RawMessage `json:"session_timeout"` // seconds
	Context    json.RawMessage `json:"auth_context_id"`
}

// request is a body that has been understood. Nil is for what it does not say.
type request struct {
	Prompt, Model, Provider, Webhook, Format *string

	Wait        bool
	NoWebhook   bool // the one that the task has is taken away: ""
	NoSchema    bool // likewise
	Schema      json.RawMessage
	UseWorkflow *bool
	Workflow    *workflow.Template
	Parameters  map[string]workflow.Text
	InitialURL  string
	Timeout     int
}

// maxTimeout bounds session_timeout: a day.
const maxTimeout = 24 * 3600

// read understands a body. full says that it must have a prompt; one that need not
// may be missing altogether.
func (a *API) read(ctx context.Context, r *wire.Request, full bool) (request, error) {
	var body bodyIn
	var f faults
	switch {
	case len(r.Body) == 0 && full:
		f.add("missing", "Field required", nil, nil, "body")
		return request{}, f.problem()
	case len(r.Body) > 0:
		if err := decode(r, &body); err != nil {
			return request{}, err
		}
	}
	in := request{Wait: true, Prompt: readPrompt(body.Prompt, a.cfg.MaxPrompt, &f)}
	if full && isNull(body.Prompt) {
		if len(body.Prompt) == 0 {
			f.add("missing", "Field required", r.Body, nil, "body", "prompt")
		} else {
			f.add("string_type", "Input should be a valid string", body.Prompt, nil, "body", "prompt")
		}
	}
	in.Model = filled(readText(body.Model, &f, "model"))
	in.Provider = readProvider(body.Provider, &f)
	if wait := readBool(body.Wait, &f, "wait_for_completion"); wait != nil {
		in.Wait = *wait
	}
	in.Webhook = a.readWebhook(ctx, body.Webhook, &f)
	in.NoWebhook, in.NoSchema = string(body.Webhook) == `""`, string(body.Schema) == `""`
	in.Format = readEnum(body.Format, []string{"text", "json"}, &f, "response_format")
	in.Schema = a.readSchema(body.Schema, &f)
	in.UseWorkflow = readBool(body.UseWorkflow, &f, "use_cached_workflow")
	in.Workflow = readWorkflow(body.Workflow, &f)
	in.Parameters = readParameters(body.Parameters, &f)
	in.readSibling(&body, &f)
	return in, f.problem()
}

// decode reads an object. A text that is no sound JSON has no place to name.
func decode(r *wire.Request, into *bodyIn) error {
	err := r.Decode(into)
	if err == nil {
		return nil
	}
	if told := problem.From(err); told.Fields["body"] != "" && r.Body[0] != '{' && json.Valid(r.Body) {
		var f faults
		f.add("model_attributes_type", "Input should be a valid dictionary or object to extract fields from", r.Body, nil, "body")
		return f.problem()
	}
	return err
}

// filled takes an empty text for one that is not there.
func filled(text *string) *string {
	if text == nil || *text == "" {
		return nil
	}
	return text
}

func (a *API) readWebhook(ctx context.Context, text json.RawMessage, f *faults) *string {
	to := filled(readText(text, f, "webhook_url"))
	if to == nil {
		return nil
	}
	u, err := url.Parse(*to)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		f.add("url_parsing", "Input should be a valid URL that begins with https:// or http://", text, nil, "body", "webhook_url")
		return nil
	case a.cfg.Webhooks == nil:
		f.value("this server sends no webhooks: leave it out, and read the run with GET /api/runs/{id}", text, "webhook_url")
		return nil
	}
	if err := a.cfg.Webhooks.Check(ctx, *to); err != nil {
		f.value(problem.From(err).Detail, text, "webhook_url")
	}
	return to
}

// readSchema reads json_schema: an object, or the text of one.
func (a *API) readSchema(text json.RawMessage, f *faults) json.RawMessage {
	if isNull(text) {
		return nil
	}
	schema := text
	if text[0] == '"' {
		var inner string
		if json.Unmarshal(text, &inner) != nil {
			return nil
		}
		if inner == "" {
			return nil
		}
		var fault *json.SyntaxError
		var value json.RawMessage
		if err := json.Unmarshal([]byte(inner), &value); errors.As(err, &fault) {
			f.value("Invalid JSON string: "+fault.Error()+" at character "+itoa(int(fault.Offset)), text, "json_schema")
			return nil
		}
		schema = value
	}
	wrong := agent.Faults{}
	if a.cfg.Catalog.CheckOutput(schema, wrong); len(wrong) > 0 {
		f.value("Invalid JSON Schema: it "+wrong["output_schema"], text, "json_schema")
		return nil
	}
	return schema
}

func readWorkflow(text json.RawMessage, f *faults) *workflow.Template {
	if isNull(text) {
		return nil
	}
	if text[0] != '{' {
		f.add("dict_type", "Input should be a valid dictionary", text, nil, "body", "cached_workflow")
		return nil
	}
	t, err := workflow.Parse(text)
	if err != nil {
		f.value(err.Error(), text, "cached_workflow")
	}
	return t
}

func readParameters(text json.RawMessage, f *faults) map[string]workflow.Text {
	if isNull(text) {
		return nil
	}
	values := map[string]workflow.Text{}
	if json.Unmarshal(text, &values) != nil {
		f.add("dict_type", "Input should be a dictionary of strings, numbers and booleans", text, nil, "body", "parameters")
		return nil
	}
	return values
}

// readSibling reads what the API's hosted sibling knows.
func (in *request) readSibling(body *bodyIn, f *faults) {
	if from := filled(readText(body.InitialURL, f, "initial_url")); from != nil {
		u, err := url.Parse(*from)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			f.add("url_parsing", "Input should be a valid URL that begins with https:// or http://", body.InitialURL, nil, "body", "initial_url")
		}
		in.InitialURL = *from
	}
	if !isNull(body.Timeout) {
		seconds, err := strconv.Atoi(string(body.Timeout))
		if err != nil || seconds < 1 || seconds > maxTimeout {
			f.add("int_parsing", "Input should be a number of seconds from 1 to "+itoa(maxTimeout), body.Timeout, nil, "body", "session_timeout")
		}
		in.Timeout = seconds
	}
	if id := cmp.Or(string(body.Context), "null"); id != "null" && id != `""` {
		f.value("this server keeps no logins between runs: leave it out", body.Context, "auth_context_id")
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
