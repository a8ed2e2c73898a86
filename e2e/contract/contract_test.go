package contract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"errand/api"
	"errand/e2e/contract"
)

// TestContract: it is valid OpenAPI, examples included.
func TestContract(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.YAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOperations(t *testing.T) {
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for path, item := range c.Document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.OperationID == "" || ids[operation.OperationID] {
				t.Errorf("%s %s needs an operationId of its own, not %q", method, path, operation.OperationID)
			}
			ids[operation.OperationID] = true
			if operation.Summary == "" || len(operation.Tags) == 0 {
				t.Errorf("%s %s needs a summary and a tag", method, path)
			}
		}
	}
}

// TestCheck shows that the check can fail, once for each reason.
func TestCheck(t *testing.T) {
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	page := `{"object":"list","data":[],"has_more":false,"next_cursor":null}`
	for name, test := range map[string]struct {
		status             int
		method, path, body string
		wrong              string
	}{
		"fits":           {200, "GET", "/v1/runs", page, ""},
		"status":         {418, "GET", "/v1/runs", page, "status 418"},
		"missing key":    {200, "GET", "/v1/runs", `{"object":"list","data":[],"has_more":false}`, "next_cursor"},
		"unknown key":    {200, "GET", "/v1/runs", strings.Replace(page, "{", `{"more":1,`, 1), "more"},
		"type":           {200, "GET", "/v1/runs", strings.Replace(page, "false", `"no"`, 1), "has_more"},
		"error":          {404, "GET", "/v1/runs/run_1", `{"error":{"code":"x"}}`, "code"},
		"literal first":  {405, "GET", "/v1/agents/a/runs/b", `{}`, "error"},
		"no JSON at all": {200, "GET", "/v1/runs", "oops", "JSON"},
	} {
		answer := &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}}}
		err := c.Check(test.method, test.path, answer, []byte(test.body))
		if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: got %v, want %q", name, err, test.wrong)
		}
	}
}
