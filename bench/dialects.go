package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What is compared: the plain work, and the same work, two model calls and one
// call of a safe tool over HTTP, that another API has asked for.
const (
	isPlain   = "plain"
	isExpress = "express"
	isBatch   = "batch"
)

// batchOf is how many completions a batch has, which is the most that it may have.
const batchOf = 10

// batchClients keep about as many runs under way as 32 clients with one run each.
const batchClients = 4

// searching is the work with a search in place of the lookup.
func searching() behaviour { return behaviour{search: true, turns: 1, tokens: 20} }

// shape is a way to ask for the work.
type shape struct {
	ask     asking
	clients int
	runs    float64 // that one request makes
}

func shapes() map[string]shape {
	return map[string]shape{
		isPlain:   {work().once, clients, 1},
		isExpress: {askExpress, clients, 1},
		isBatch:   {askBatch, batchClients, batchOf},
	}
}

// dialects measures what a run costs that another API has asked for, beside the
// plain run. All are made by one process, in short rounds that alternate.
func dialects(ctx context.Context, b *bench) error {
	s, err := b.launch(isErrand, b.newDir(), "ERRAND_SEARXNG_URL="+b.mock.url, "ERRAND_MODEL=openai/"+searching().String())
	if err != nil {
		return err
	}
	if err := b.open(ctx, s, work()); err != nil {
		return err
	}
	defer s.stop()
	order := []string{isPlain, isExpress, isBatch}
	for _, kind := range order {
		if _, err := press(ctx, s, shapes()[kind].ask, shapes()[kind].clients, warmup); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	rate, cpu := map[string][]float64{}, map[string][]float64{}
	err = b.alternate(3*b.rounds, order, func(kind string) error {
		how := shapes()[kind]
		l, err := press(ctx, s, how.ask, how.clients, b.quickly(2*time.Second, time.Second))
		if err != nil {
			return err
		}
		l.runs *= how.runs
		progress("%-7s %5.0f runs/s  %.3f ms CPU, clients, model and tool %.3f ms  p50 %.1f ms", kind, l.perSecond(), l.cpuMillis(), 1000*l.own/l.runs, median(l.waits))
		rate[kind], cpu[kind] = append(rate[kind], l.perSecond()), append(cpu[kind], l.cpuMillis())
		return nil
	})
	if err != nil {
		return err
	}
	b.beside("express run, with a search", isExpress, rate, cpu)
	b.beside(fmt.Sprintf("run in a batch of %d, each with a search", batchOf), isBatch, rate, cpu)
	return nil
}

// beside adds the rows of a kind of run, whose ratios are to the plain run.
func (b *bench) beside(what, kind string, rate, cpu map[string][]float64) {
	b.add(row{
		figure: "durable runs a second: " + what, errand: fmt.Sprintf("%.0f", median(rate[kind])),
		note: fmt.Sprintf("%.2f x the plain run, of which the same process made %.0f", median(ratios(rate[kind], rate[isPlain])), median(rate[isPlain])),
	})
	r := median(ratios(cpu[kind], cpu[isPlain]))
	b.add(row{
		figure: "server CPU: " + what, hold: "<= 1.5 x the plain run", errand: fmt.Sprintf("%.3f ms", median(cpu[kind])),
		held: r <= 1.5, note: fmt.Sprintf("%.2f x the plain run, which took %.3f ms in the same process", r, median(cpu[isPlain])),
	})
}

// askExpress makes an express run in You.com's dialect.
func askExpress(ctx context.Context, s *server) error {
	body := fmt.Appendf(nil, `{"agent":"express","input":%q,"tools":[{"type":"web_search"}]}`, prompt)
	text, err := s.do(ctx, http.MethodPost, "/v1/agents/runs", body)
	if err != nil {
		return err
	}
	return checkExpress(text)
}

// checkExpress wants the results first, and behind them an answer that cites one.
func checkExpress(text []byte) error {
	var answer struct {
		Output []struct {
			Type    string `json:"type"`
			Text    string `json:"text"`
			Content []struct {
				URL string `json:"url"`
			} `json:"content"`
		} `json:"output"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%w: %s", errWrong, text)
	}
	out := answer.Output
	if len(out) != 2 || out[0].Type != "web_search.results" || len(out[0].Content) < 3 || out[0].Content[2].URL != cited ||
		out[1].Type != "message.answer" || !answered(out[1].Text) {
		return fmt.Errorf("%w: %s", errWrong, text)
	}
	return nil
}

// answered reports whether a text is the model's answer, with its citation.
func answered(text string) bool {
	return strings.Contains(text, citation) && strings.HasSuffix(text, lastWord)
}

// askBatch has a batch of agents work in Swarms' dialect. Each is made for its
// request alone and has the search of this server.
func askBatch(ctx context.Context, s *server) error {
	var all []string
	for i := range batchOf {
		all = append(all, fmt.Sprintf(`{"agent_config":{"agent_name":"Clerk %d","system_prompt":%q,"model_name":"openai/%s"},"task":%q,"tools_enabled":["auto_search"]}`,
			i, instructions, searching(), prompt))
	}
	text, err := s.do(ctx, http.MethodPost, "/v1/agent/batch/completions", []byte("["+strings.Join(all, ",")+"]"))
	if err != nil {
		return err
	}
	return checkBatch(text)
}

// checkBatch wants ten results, each of which ends with the answer of the agent
// whose turn it is.
func checkBatch(text []byte) error {
	var answer struct {
		Results []struct {
			Success bool   `json:"success"`
			Name    string `json:"name"`
			Outputs []struct {
				Content string `json:"content"`
			} `json:"outputs"`
		} `json:"results"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Results) != batchOf {
		return fmt.Errorf("%w: %s", errWrong, text)
	}
	for i, each := range answer.Results {
		last := len(each.Outputs) - 1
		if !each.Success || each.Name != fmt.Sprintf("Clerk %d", i) || last < 1 ||
			!strings.Contains(each.Outputs[0].Content, cited) || !answered(each.Outputs[last].Content) {
			return fmt.Errorf("%w: item %d of %s", errWrong, i, text)
		}
	}
	return nil
}
