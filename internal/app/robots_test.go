package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/robot"
	"errand/internal/tool/email/sink"
)

// TestARobotDelivers: an execution of a whole server, from its order to the three
// kinds of targets.
func TestARobotDelivers(t *testing.T) {
	told := make(chan *http.Request, 4)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		told <- r
	}))
	defer receiver.Close()
	mails, err := sink.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer mails.Close()
	s := newWorld(t).with("ERRAND_EGRESS_ALLOW=127.0.0.0/8", "ERRAND_SMTP_URL="+mails.URL(), "ERRAND_SMTP_FROM=errand@example.com").serve()

	var made struct{ RobotStatus string }
	s.asks("POST", "/v1/agent/robots", `{"member_id":"my-robot","display_name":"Clerk","robot_config":{"resources":{"tools":["time.now"]},"delivery":{
		"webhook":{"enabled":true,"targets":[{"url":"`+receiver.URL+`/in","secret":"open sesame"}]},
		"email":{"enabled":true,"targets":[{"to":["ann@example.com"],"subject":"The time"}]},
		"file":{"enabled":true,"targets":[{"name":"time.md"}]}}}}`, &made)
	var begun struct {
		ID string `json:"execution_id"`
	}
	s.asks("POST", "/v1/agent/robots/my-robot/execute", `{"goals":"What time is it?"}`, &begun)

	var e robot.Execution
	for range 1200 { // a minute
		s.asks("GET", "/v1/agent/robots/my-robot/executions/"+begun.ID, "", &e)
		if e.Delivery != nil && len(e.Delivery.Results) == 3 && e.Delivery.SentAt != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if e.Status != robot.ExecCompleted || e.Delivery == nil || !e.Delivery.Success || e.Current.Progress != "1/1 tasks" {
		t.Fatalf("the execution is %s in %s, and has delivered %+v", e.Status, e.Phase, e.Delivery)
	}
	var text string
	s.asks("GET", "/v1/files/"+e.Delivery.Results[0].Target+"/content", "", &text)
	if !strings.Contains(text, "What time is it?") {
		t.Errorf("the file says %q", text)
	}
	request := <-told
	var notice struct {
		Event       string `json:"event"`
		ExecutionID string `json:"execution_id"`
	}
	if err := json.NewDecoder(request.Body).Decode(&notice); err != nil || notice.Event != robot.DeliveryEvent || notice.ExecutionID != begun.ID {
		t.Errorf("the webhook heard %+v, %v", notice, err)
	}
	if request.Header.Get("Webhook-Signature") == "" || request.Header.Get("Mynd-Signature") == "" {
		t.Errorf("it is not signed: %v", request.Header)
	}
	got := mails.Messages()
	if len(got) != 1 {
		t.Fatalf("%d mails were sent", len(got))
	}
	if raw := string(got[0].Raw); !strings.Contains(raw, "Subject: The time") || got[0].To[0] != "ann@example.com" || !strings.Contains(got[0].Body, "What time is it?") {
		t.Errorf("the mail is\n%s", raw)
	}
}

// asks makes a request and reads its answer, as JSON or, into a string, as it is.
func (s *served) asks(method, path, body string, into any) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s %v", method, path, response.Status, text, err)
	}
	if plain, ok := into.(*string); ok {
		*plain = string(text)
	} else if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatal(err)
	}
}
