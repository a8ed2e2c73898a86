package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is an endpoint's client that says where it is and what it was asked for.
type place struct {
	*script.Model
	at     Endpoint
	has    []string
	closed *int
}

func (p place) List(context.Context) ([]string, error) {
	if p.has == nil {
		return nil, errors.New("down")
	}
	return slices.Clone(p.has), nil
}

func (p place) Close() { *p.closed++ }

// house is a router whose endpoints echo, and how many clients it has closed.
type house struct {
	*Router
	closed int
}

func newHouse(t *testing.T, cfg Config, has map[string][]string) *house {
	t.Helper()
	h := &house{}
	echo := func(where string) *script.Model {
		return script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
			if req.Model == "no-such" {
				return script.Line{}, problem.New(problem.ModelRefused, "no such model.")
			}
			line := script.Say(where + ":" + req.Model)
			line.Reply.Usage = run.Usage{Input: 1000, Cached: 400, Output: 100}
			line.Reply.Model = where + "/" + req.Model
			return line, nil
		})
	}
	cfg.Offline = echo("offline")
	cfg.Connect = func(e Endpoint) (Model, error) {
		if e.BaseURL == "bad" {
			return nil, errors.New("bad URL")
		}
		return place{Model: echo(e.Name), at: e, has: has[e.Name], closed: &h.closed}, nil
	}
	if cfg.Random == nil {
		cfg.Random = func() float64 { return 0 }
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Router = r
	return h
}

func endpoints(names ...string) []Endpoint {
	var all []Endpoint
	for _, name := range names {
		all = append(all, Endpoint{Name: name})
	}
	return all
}

func TestNames(t *testing.T) {
	own := []Endpoint{{Name: "openai", BaseURL: "http://localhost:1/v1"}}
	for _, c := range []struct {
		cfg  Config
		name string
		want string // who answers; or, after "!", what the refusal says
	}{
		{Config{}, "y0-agent", "offline:offline"},
		{Config{}, "gpt-4o", "offline:offline"},
		{Config{}, "", "offline:offline"},
		{Config{}, "offline", "offline:offline"},
		{Config{}, "groq/llama", "!GROQ_API_KEY"},
		{Config{}, "nope/x", "!OPENAI_BASE_URL"},
		{Config{Endpoints: own}, "anything", "openai:anything"},
		{Config{Endpoints: own}, "openai/org/name", "openai:org/name"},
		{Config{Endpoints: own}, "openai/", "!Choices"},
		{Config{Endpoints: own}, "org/name", "!openai/org/name"},
		{Config{Endpoints: own}, "offline", "offline:offline"},
		{Config{Endpoints: own}, "y0-agent", "openai:y0-agent"},
		{Config{Endpoints: own, Default: "gpt-x"}, "y0-agent", "openai:gpt-x"},
		{Config{Endpoints: own, Default: "gpt-x"}, "y0-agent-2026-06-01", "openai:gpt-x"},
		{Config{Endpoints: own, Default: "gpt-x"}, "y0-text-fast", "openai:gpt-x"},
		{Config{Endpoints: own, Default: "openai/gpt-x", Aliases: map[string]string{"y0-deep": "big"}}, "y0-deep", "openai:big"},
		{Config{Endpoints: own, Default: "openai/gpt-x", Aliases: map[string]string{"y0-deep": "big"}}, "y0-fast", "openai:gpt-x"},
		{Config{Endpoints: own, Default: "offline"}, "auto", "offline:offline"},
		{Config{Endpoints: own, Default: "auto"}, "auto", "openai:auto"},
		{Config{Endpoints: own, Default: "groq/x"}, "auto", "!GROQ_API_KEY"},
		{Config{Endpoints: endpoints("openai"), Default: "y0-fast"}, "auto", "openai:gpt-5-mini"},
		{Config{Endpoints: endpoints("openai")}, "default", "openai:gpt-5-mini"},
		{Config{Endpoints: endpoints("google")}, "gemini/gemini-2.5-pro", "google:gemini-2.5-pro"},
		{Config{Endpoints: endpoints("openai", "groq")}, "gpt-4o", "openai:gpt-4o"},
		{Config{Endpoints: endpoints("openai", "groq")}, "gpt-4o-2024-08-06", "openai:gpt-4o-2024-08-06"},
		{Config{Endpoints: endpoints("openai", "groq")}, "mystery", "!endpoint/mystery"},
		{Config{Endpoints: append(endpoints("groq"), Endpoint{Name: "shed", BaseURL: "http://h/v1"})}, "shed/x", "shed:x"},
	} {
		t.Run(fmt.Sprintf("%s with %d endpoints, default %q", c.name, len(c.cfg.Endpoints), c.cfg.Default), func(t *testing.T) {
			h := newHouse(t, c.cfg, nil)
			reply, err := h.Reply(t.Context(), &run.Request{Model: c.name, Step: 1}, nil)
			says, refused := strings.CutPrefix(c.want, "!")
			if !refused {
				if err != nil || reply.Text != says || h.Check(c.name) != nil {
					t.Errorf("%q, %v, check %v; want %q", reply.Text, err, h.Check(c.name), says)
				}
				return
			}
			if !problem.Is(err, problem.ModelUnknown) {
				t.Errorf("Reply: %q, %v; want model_unknown", reply.Text, err)
			}
			refusal := problem.From(h.Check(c.name))
			if refusal.Code != problem.InvalidRequest || !strings.Contains(refusal.Fields["model"], says) || !strings.Contains(refusal.Detail, "y0-agent") {
				t.Errorf("Check: %v; want an invalid model that says %q and lists the choices", refusal, says)
			}
		})
	}
}

// A name that no database could keep as a part of a key is refused where it comes in,
// whatever it would mean.
func TestALongNameMeansNothing(t *testing.T) {
	h := newHouse(t, Config{Endpoints: endpoints("openai")}, nil)
	for _, name := range []string{"openai/", "offline/", ""} {
		long := name + strings.Repeat("x", longestName-len(name))
		if err := h.Check(long); err != nil {
			t.Errorf("%.20s of %d bytes: %v", long, len(long), err)
		}
		if err := h.Check(long + "x"); !problem.Is(err, problem.InvalidRequest) {
			t.Errorf("%.20s of %d bytes: %v", long, len(long)+1, err)
		}
	}
}

func TestAGuessedModelThatIsRefusedSaysWhatToSet(t *testing.T) {
	h := newHouse(t, Config{Endpoints: []Endpoint{{Name: "vllm", BaseURL: "http://h/v1"}}}, nil)
	h.endpoints[0].model = script.Queue(script.Line{Err: problem.New(problem.ModelRefused, "no such model.")})
	_, err := h.Reply(t.Context(), &run.Request{Model: "y0-agent", Step: 1}, nil)
	if !problem.Is(err, problem.ModelRefused) || !strings.Contains(problem.From(err).Detail, "ERRAND_MODEL") {
		t.Errorf("error = %v", err)
	}
}

func TestPrices(t *testing.T) {
	half, more := 0.5, 1.25
	cfg := Config{
		Endpoints: append(endpoints("openai", "ollama", "groq"), Endpoint{Name: "shed", BaseURL: "http://h/v1"}, Endpoint{Name: "proxy", BaseURL: "http://p/v1"}),
		Facts: map[string]Facts{
			"shed/*": {Tariff: Tariff{Input: 1, Cached: &half, Output: 2}}, "shed/big": {Tariff: Tariff{Input: 10, Output: 20}, Window: 9000},
			"shed/kept":     {Tariff: Tariff{Input: 1, Cached: &half, Written: &more, Output: 2}},
			"shed/long":     {Tariff: Tariff{Input: 1, Output: 2}, Above: &Above{Tokens: 999, Tariff: Tariff{Input: 3, Output: 4}}},
			"shed/short":    {Tariff: Tariff{Input: 1, Output: 2}, Above: &Above{Tokens: 1000, Tariff: Tariff{Input: 3, Output: 4}}},
			"openai/gpt-4o": {Tariff: Tariff{Input: 1, Output: 1}, Origin: "ours.yaml", AsOf: "2026-01-02"},
		},
	}
	h := newHouse(t, cfg, nil)
	for name, want := range map[string]run.Usage{ // of 600 fresh, 400 cached and 100 output tokens
		"openai/gpt-4o-mini":            {Cost: 600*15/100 + 400*75/1000 + 100*6/10},
		"openai/gpt-4o-mini-2024-07-18": {Cost: 90 + 30 + 60},
		"openai/gpt-4o":                 {Cost: 1100},
		"openai/unheard-of":             {Unpriced: true},
		"groq/llama-3.1-8b-instant":     {Cost: 58}, // 0.05 for all input, 0.08 for output
		"ollama/anything":               {},
		"shed/small":                    {Cost: 600 + 200 + 200},
		"shed/big":                      {Cost: 12000},
		"shed/long":                     {Cost: 3000 + 400},
		"shed/short":                    {Cost: 1000 + 200},
		"proxy/gpt-4o-mini":             {Unpriced: true},
		"offline":                       {},
	} {
		want.Input, want.Cached, want.Output = 1000, 400, 100
		reply, err := h.Reply(t.Context(), &run.Request{Model: name, Step: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, reply.Usage); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if h.Priced(name) == want.Unpriced {
			t.Errorf("Priced(%s) = %t", name, want.Unpriced)
		}
	}
	to := h.endpoints[3].target("kept")
	kept := h.priced(&to, run.Usage{Input: 1000, Cached: 400, Written: 200, Output: 100})
	if kept.Cost != 400+200+250+200 {
		t.Errorf("with input that is kept in a cache it costs %d", kept.Cost)
	}
	moved := newHouse(t, Config{Endpoints: []Endpoint{{Name: "openai", BaseURL: "http://localhost:1/v1"}}}, nil)
	if reply, err := moved.Reply(t.Context(), &run.Request{Model: "gpt-4o-mini", Step: 1}, nil); err != nil || !reply.Usage.Unpriced || reply.Usage.Cost != 0 {
		t.Errorf("another server under the name openai has OpenAI's prices: %+v, %v", reply.Usage, err)
	}
	if err := moved.Add(Endpoint{Name: "openai"}); err != nil {
		t.Fatal(err)
	}
	if !moved.Priced("gpt-4o-mini") {
		t.Error("the endpoint has moved home, and its prices are still not known")
	}
	for name, want := range map[string]int{"openai/gpt-4o": 128000, "shed/big": 9000, "shed/small": 0, "proxy/openai/gpt-4.1": 1047576, "offline": 0, "nope/x": 0} {
		if got := h.Window(name); got != want {
			t.Errorf("Window(%s) = %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"openai/gpt-4o-mini": "https://developers.openai.com/api/docs/pricing", "openai/gpt-4o": "ours.yaml 2026-01-02", "ollama/x": Builtin, "offline": Builtin,
	} {
		to, _ := h.resolve(name)
		if known, _ := h.factsOf(to); !strings.HasPrefix(known.Origin+" "+known.AsOf, want) {
			t.Errorf("the price of %s is from %q, %q", name, known.Origin, known.AsOf)
		}
	}
}

// Each price of the embedded list has a page and a day, and none of them is a slip:
// what is read from a cache is not dearer than what is not, a long request not cheaper
// than a short one.
func TestTheListOfPrices(t *testing.T) {
	all, err := readFacts()
	if err != nil {
		t.Fatal(err)
	}
	r := &Router{providers: providers()}
	for name, known := range all {
		provider, _, _ := strings.Cut(name, "/")
		if r.provider(provider).name != provider {
			t.Errorf("%s: there is no provider %s", name, provider)
		}
		if provider == "ollama" {
			continue
		}
		if _, err := time.Parse(time.DateOnly, known.AsOf); err != nil || !strings.HasPrefix(known.Origin, "https://") {
			t.Errorf("%s is from %q, of %q", name, known.Origin, known.AsOf)
		}
		if known.Window == 0 || known.Image == 0 || known.Input <= 0 || known.Output < known.Input {
			t.Errorf("%s: %+v", name, known)
		}
		if known.Cached != nil && *known.Cached >= known.Input || known.Written != nil && *known.Written < known.Input {
			t.Errorf("%s: the cache costs %v and %v", name, known.Cached, known.Written)
		}
		if long := known.Above; long != nil && (long.Tokens < 1 || long.Input < known.Input || long.Output < known.Output) {
			t.Errorf("%s: long requests cost %+v", name, long)
		}
	}
}

// TestFindingsAreBounded: whoever makes up names fills nothing.
func TestFindingsAreBounded(t *testing.T) {
	h := newHouse(t, Config{Endpoints: endpoints("openai")}, nil)
	for n := range 2*maxFindings + 10 {
		if h.Window(fmt.Sprint("openai/made-up-", n)) != 0 || h.Window("openai/gpt-4o-2024-08-06") != 128000 {
			t.Fatalf("window of model %d", n)
		}
	}
	if known := len(h.found.known); known == 0 || known > maxFindings {
		t.Errorf("%d findings are kept", known)
	}
}

func TestCutDate(t *testing.T) {
	for name, want := range map[string]string{
		"y0-agent-2026-06-01": "y0-agent", "a-2026-06-01": "a", "-2026-06-01": "", "2026-06-01": "",
		"a-2026-6-01": "", "a-2026-06-0x": "", "a 2026-06-01": "", "": "", "a-2026-06-01-": "",
	} {
		if got, dated := cutDate(name); dated != (want != "") || dated && got != want {
			t.Errorf("%q: %q, %t", name, got, dated)
		}
	}
}

func TestModels(t *testing.T) {
	cfg := Config{Endpoints: append(endpoints("groq"), Endpoint{Name: "shed", BaseURL: "http://h/v1"}), Default: "shed/b"}
	h := newHouse(t, cfg, map[string][]string{"shed": {"b", "a", "a"}})
	got := map[string]string{}
	for _, line := range h.Models(t.Context()) {
		if _, twice := got[line.ID]; twice {
			t.Errorf("%s is listed twice", line.ID)
		}
		got[line.ID] = line.Means
	}
	want := map[string]string{"offline": "", "shed/a": "", "shed/b": "", "groq/llama-3.3-70b-versatile": "", "groq/llama-3.1-8b-instant": "", "groq/openai/gpt-oss-120b": "", "groq/openai/gpt-oss-20b": ""}
	for _, alias := range aliases() {
		want[alias] = "shed/b"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}

func TestProbeAddsWhatAnswers(t *testing.T) {
	h := newHouse(t, Config{}, map[string][]string{"ollama": {"llama3", "phi"}})
	if err := h.Probe(t.Context(), Endpoint{Name: "vllm", BaseURL: "http://h/v1"}); err == nil {
		t.Error("an endpoint that is down was added")
	}
	if full, err := h.Resolve("y0-agent"); err != nil || full != "offline" {
		t.Errorf("before: %s, %v", full, err)
	}
	if err := h.Probe(t.Context(), Ollama()); err != nil {
		t.Fatal(err)
	}
	if full, err := h.Resolve("y0-agent"); err != nil || full != "ollama/llama3" {
		t.Errorf("after: %s, %v", full, err)
	}
	h.Close()
	if h.closed != 3 { // two probes, one endpoint
		t.Errorf("%d clients were closed, want 3", h.closed)
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	connect := func(Endpoint) (Model, error) { return nil, errors.New("bad URL") }
	for name, cfg := range map[string]Config{
		"nothing":       {},
		"no base URL":   {Endpoints: endpoints("shed")},
		"a bad name":    {Endpoints: []Endpoint{{Name: "a/b", BaseURL: "http://h"}}},
		"offline":       {Endpoints: []Endpoint{{Name: "offline", BaseURL: "http://h"}}},
		"an alias":      {Endpoints: []Endpoint{{Name: "auto", BaseURL: "http://h"}}},
		"no connection": {Endpoints: endpoints("groq")},
		"no such kind":  {Endpoints: []Endpoint{{Name: "shed", BaseURL: "http://h", Kind: "opnai"}}},
		"no such limit": {Endpoints: []Endpoint{{Name: "shed", BaseURL: "http://h", AtOnce: -1}}},
		"a wrong alias": {Aliases: map[string]string{"y1": "x"}},
	} {
		if name != "nothing" {
			cfg.Connect, cfg.Offline = connect, script.Steps()
		}
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDiscover(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want []Endpoint
	}{
		{nil, nil},
		{map[string]string{"OPENAI_API_KEY": " k "}, []Endpoint{{Name: "openai", BaseURL: "https://api.openai.com/v1", Key: "k"}}},
		{map[string]string{"OPENAI_BASE_URL": "http://h/v1"}, []Endpoint{{Name: "openai", BaseURL: "http://h/v1"}}},
		{map[string]string{"GOOGLE_API_KEY": "g", "GROQ_API_KEY": "q"}, []Endpoint{
			{Name: "google", BaseURL: "https://generativelanguage.googleapis.com/v1beta/openai", Key: "g"}, {Name: "groq", BaseURL: "https://api.groq.com/openai/v1", Key: "q"}}},
		{map[string]string{"OLLAMA_HOST": "0.0.0.0"}, []Endpoint{{Name: "ollama", BaseURL: "http://127.0.0.1:11434/v1"}}},
		{map[string]string{"OLLAMA_HOST": "https://box:443/"}, []Endpoint{{Name: "ollama", BaseURL: "https://box:443/v1"}}},
		{map[string]string{"ERRAND_MODEL": "ollama/phi"}, []Endpoint{{Name: "ollama", BaseURL: ollamaURL}}},
		{map[string]string{"VLLM_BASE_URL": "http://v/v1"}, []Endpoint{{Name: "vllm", BaseURL: "http://v/v1"}}},
		{map[string]string{"ANTHROPIC_API_KEY": "a"}, []Endpoint{{Name: "anthropic", BaseURL: "https://api.anthropic.com", Key: "a"}}},
		{map[string]string{"ANTHROPIC_BASE_URL": "http://c"}, []Endpoint{{Name: "anthropic", BaseURL: "http://c"}}},
	} {
		got := Discover(func(name string) string { return c.env[name] })
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.env, diff)
		}
	}
}
