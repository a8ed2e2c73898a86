package offline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// cutTasks makes a task of each sentence and each line of a list. What only changes
// others is none.
func cutTasks(goals string) []string {
	var tasks []string
	for line := range strings.Lines(goals) {
		line = itemPattern.ReplaceAllString(strings.TrimSpace(line), "")
		change, changes := strings.CutPrefix(line, changeMark)
		if changes && !furthers(change) || strings.HasPrefix(line, "#") {
			continue
		}
		line = change
		tasks = append(tasks, cutSentences(line)...)
	}
	if len(tasks) > maxTasks {
		rest := strings.Join(tasks[maxTasks-1:], " ")
		tasks = append(tasks[:maxTasks-1:maxTasks-1], rest)
	}
	if len(tasks) == 0 {
		tasks = append(tasks, oneLine(goals))
	}
	return tasks
}

// maxTasks bounds a plan; what goes beyond is one task, the last.
const maxTasks = 20

// furthers reports whether a text asks for more, and does not change what is asked
// for already.
func furthers(text string) bool {
	words := split(text)
	return len(words) > 0 && anyOf([]string{words[0].stem}, "also", "additionally", "then", "plus", "besides", "furthermore", "moreover", "afterwards", "finally", "next")
}

// plan writes tasks down, each with the tool that its words name.
func (w *work) plan(texts []string) []any {
	var tasks []any
	for _, text := range texts {
		one := map[string]any{"description": text}
		sub := w.sub(&task{text: text})
		named := append(sub.reading(&sub.wishes[0]), sub.acting(&sub.wishes[0])...)
		if len(named) == 1 {
			one["executor_type"], one["executor_id"] = "mcp", named[0].Name
			if named[0].Handoff != "" {
				one["executor_type"], one["executor_id"] = "assistant", named[0].Handoff
			}
			one["expected_output"] = "What " + named[0].Name + " returns."
		}
		tasks = append(tasks, one)
	}
	return tasks
}

// portrait is what the instructions say that the one who works is.
func (t *turn) portrait() string {
	_, portrait, _ := strings.Cut("\n"+t.orders, "\n# What you are\n")
	portrait, _, _ = strings.Cut(portrait, "\n\n# ")
	return strings.TrimSpace(portrait)
}

// duties are the goals of an execution that starts by itself: what its instructions
// list as duties, else what they say that it is.
func (t *turn) duties() string {
	portrait, _, _ := strings.Cut(t.portrait(), "\n\nRules:\n")
	if _, duties, ok := strings.Cut("\n"+portrait, "\nDuties:\n"); ok {
		return strings.TrimSpace(duties)
	}
	return cmp.Or(portrait, t.wishes[0].text)
}

// sub is a task as a turn of its own: with the tools that do something, and with
// what the run has done so far.
func (w *work) sub(k *task) *turn {
	asked := newWish(strings.Join(slices.Concat([]string{k.text}, k.changes, w.changes), "\n"), w.lex)
	asked.evidence = newEvidence(strings.Join(append([]string{asked.text, w.data}, k.answers...), "\n"))
	one := &turn{mind: w.mind, req: w.req, orders: w.portrait(), calls: w.done, wishes: []wish{asked}}
	one.earlier = append(slices.Clone(w.earlier), w.done[:min(k.first, len(w.done))]...)
	one.standing = newWish(one.orders, w.lex)
	one.standing.emails = nil
	for i := range w.tools {
		if !strings.HasPrefix(w.tools[i].Name, pipelinePrefix) {
			one.tools = append(one.tools, w.tools[i])
		}
	}
	return one
}

// advance makes the next calls of a task, or says what has come of it.
func (w *work) advance(k *task) (move, bool) {
	if w.stopped || k.unwanted {
		return w.say(skipTool, map[string]any{"task": k.id, "reason": "A person wants no more of it."})
	}
	one := w.sub(k)
	for _, next := range []func(*turn) (move, bool){read, act} {
		if m, ok := next(one); ok {
			return m, true
		}
	}
	p := one.plan()
	one.calls = slices.DeleteFunc(slices.Clone(one.calls), func(f fact) bool {
		return !slices.ContainsFunc(slices.Concat(p.reads, p.acts), func(c planned) bool { return c.key == f.key })
	})
	if question := one.question(); question != "" && !k.asked && w.tool(askTool) != nil {
		return w.say(askTool, map[string]any{"task": k.id, "question": "“" + clip(k.text, 200) + "”: " + question})
	}
	return w.say(reportTool, one.verdict(k))
}

// question asks for the value without which nothing of the task can be done, or is
// empty.
func (t *turn) question() string {
	for _, note := range t.made.notes {
		name, _, _ := strings.Cut(note, " ")
		if len(t.made.reads)+len(t.made.acts) == 0 && t.effects(name) && wanting.MatchString(note) {
			return note + ". What should it be?"
		}
	}
	return ""
}

// verdict is the report on a task. What did not pass once does not pass the second
// time: the rules can't mend it.
func (t *turn) verdict(k *task) map[string]any {
	output, good := t.account(), 0
	issues := slices.Clone(t.made.notes)
	for i := range t.calls {
		if f := &t.calls[i]; f.outcome == succeeded {
			good++
		} else {
			issues = append(issues, f.call.Name+": "+f.fate())
		}
	}
	if strings.TrimSpace(output) == "" {
		output = "No tool here does this."
		issues = append(issues, output)
	}
	success := good > 0 && good == len(t.calls) && k.tries == 0
	score := 0.0
	if len(t.calls) > 0 && k.tries == 0 {
		score = float64(good) / float64(len(t.calls))
	}
	return map[string]any{"task": k.id, "output": output, "success": success,
		"validation": map[string]any{"passed": success, "score": score, "issues": anys(issues[:min(len(issues), maxListed)])}}
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i := range texts {
		all[i] = texts[i]
	}
	return all
}

// delivery is the result of the whole work.
func (w *work) delivery() map[string]any {
	good, all := 0, 0
	var body strings.Builder
	for i := range w.tasks {
		k := &w.tasks[i]
		if k.dropped {
			continue
		}
		if all++; k.good {
			good++
		}
		fmt.Fprintf(&body, "## %s\n\n%s\n\n", oneLine(k.text), k.output)
	}
	for _, change := range w.changes {
		fmt.Fprintf(&body, "This was to hold for every task: %s\n\n", change)
	}
	body.WriteString(w.disclaimer())
	return map[string]any{
		"summary": fmt.Sprintf("%d of %s done. %s", good, count(all, "task"), w.disclaimer()),
		"body":    body.String(),
	}
}
