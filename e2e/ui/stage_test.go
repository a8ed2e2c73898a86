package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// scriptTime bounds one script: four visits of a page on a machine that does other
// things besides, and of which a page's wait that is in vain takes a minute.
const scriptTime = 5 * rig.Patience

// stage is a server with something to look at.
type stage struct {
	*rig.World
	t      *testing.T
	Server *rig.Server
	seed   map[string]any // what the scripts know: ids by a name
	small  int            // runs of no interest
}

// newStage starts a server with nothing on it. env are further settings, as NAME=value.
func newStage(t *testing.T, env ...string) *stage {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no Chromium here: scripts/setup.sh chromium")
	}
	rig.NodePath(t)
	s := &stage{World: rig.New(t), t: t, seed: map[string]any{}, small: 12}
	prices := filepath.Join(s.Dir, "prices.yaml") // the endpoint is not the provider whose list the server knows
	if err := os.WriteFile(prices, []byte("prices:\n  openai/gpt-5-mini: {input: 90, output: 400}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Env["ERRAND_PRICES"] = prices
	for _, one := range env {
		name, value, _ := strings.Cut(one, "=")
		s.Env[name] = value
	}
	s.start()
	return s
}

func (s *stage) start() {
	s.Server = s.Start()
}

// ask makes a request as a program does, and reads the answer, which must be good. The
// contract is other tests' business: these look at the page.
func (s *stage) ask(method, path string, body, into any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.Server.URL+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+rig.AdminKey)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	} else {
		request.Body, request.ContentLength = nil, 0
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: rig.Patience}
	answer, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode > 299 {
		s.t.Fatalf("%s %s: %d, %v: %s", method, path, answer.StatusCode, err, said)
	}
	if into != nil {
		if err := json.Unmarshal(said, into); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, said)
		}
	}
}

func (s *stage) post(path string, body, into any) { s.t.Helper(); s.ask("POST", path, body, into) }

// knows tells the scripts an id.
func (s *stage) knows(name string, value any) { s.seed[name] = value }

// drives runs a script, "home" for e2e/sdk/ui/home.mjs, and fails with what it says.
// What it prints comes back.
func (s *stage) drives(script string, args ...string) string {
	s.t.Helper()
	seed, err := json.Marshal(s.seed)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), scriptTime)
	defer cancel()
	command := exec.CommandContext(ctx, rig.NodePath(s.t), append([]string{filepath.Join(rig.SDK(s.t), "ui", script+".mjs")}, args...)...)
	command.Dir = s.Dir
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "TMPDIR=" + s.Dir, "NO_COLOR=1",
		"ERRAND_URL=" + s.Server.URL, "ERRAND_API_KEY=" + rig.AdminKey, "ERRAND_SEED=" + string(seed),
		"ERRAND_SHOTS=" + os.Getenv("ERRAND_SHOTS"), "ERRAND_ONLY=" + os.Getenv("ERRAND_ONLY"), "ERRAND_ALL=" + os.Getenv("ERRAND_ALL"),
	}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		s.t.Fatalf("%s.mjs: %v\n%s\n%s", script, err, errs.String(), out.String())
	}
	return out.String()
}

// object is JSON.
type object = map[string]any

// id makes something and returns its id.
func (s *stage) id(path string, body object) string {
	s.t.Helper()
	var made struct {
		ID string `json:"id"`
	}
	s.post(path, body, &made)
	return made.ID
}

// until waits for a run to have one of these statuses.
func (s *stage) until(id string, statuses ...string) {
	s.t.Helper()
	var r struct{ Status string }
	s.Eventually(id+" to be "+statuses[0], func() bool {
		s.ask("GET", "/v1/runs/"+id+"?include_trace=false", nil, &r)
		return slices.Contains(statuses, r.Status)
	})
}
