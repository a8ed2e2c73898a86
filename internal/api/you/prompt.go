package you

import (
	"fmt"
	"strings"
)

// Everything that a model is told by this API stands in this file, and what goes
// with it: which model is asked, and how far a search or a piece of research goes.

// The models that are asked: aliases, so that the operator decides what they mean.
const (
	expressModel  = "y0-fast" // express is there to be quick
	advancedModel = "y0-agent"
)

// expressSteps is room for a search and an answer, and for a model that asks for
// searches again and again before it believes that there is one.
const expressSteps = 8

// How many calls one run may make.
const expressSearches = 1 // "max 1 web search"

// reach is how far research goes with an effort. It fits the default of ten steps
// because calls of one turn run together.
type reach struct {
	searches, pages, rounds int
}

func reachOf(effort string) reach {
	switch effort {
	case "low":
		return reach{searches: 2, pages: 4, rounds: 1}
	case "high":
		return reach{searches: 10, pages: 20, rounds: 4}
	}
	return reach{searches: 5, pages: 10, rounds: 2} // medium, and auto, which may stop earlier
}

const expressPrompt = `You answer questions, directly and briefly, in Markdown and in the language of the question. Begin with the answer itself.`

// How a model cites; the engine takes out what cites anything else.
const citing = `Cite what comes from a result right behind it as [[n]](url): n counts the results from 1, and url is exactly the result's. Cite nothing else. If the results do not answer the question, say so, and say what you know without them.`

// A call without words before it lets the answer's first words be shown at once.
const silently = `When you call a tool, write nothing before the call.`

func expressInstructions(search string, available bool) string {
	if !available {
		return expressPrompt + "\n\nYou can't search the web here. If the question needs facts that may have changed, say that the answer is from memory."
	}
	when := `You may search the web with web.search, once. Do so if the answer depends on facts that may have changed or that you are not sure of; otherwise answer at once.`
	switch search {
	case searchIntent:
		when = `Search the web with web.search, once, before you answer, unless there is plainly nothing to look up: a greeting, a calculation, a text to rewrite.`
	case searchForce:
		when = `Begin with a search of the web with web.search, exactly one, whatever the question is; answer when its results are there.`
	}
	return paragraphs(expressPrompt, when+" "+silently+" There is no second search.", citing)
}

const advancedPrompt = `You work on a task until it is done, and then write a complete answer in Markdown and in the language of the task. Begin with the result, then say how it came about.`

const computePrompt = `Calculate with the tool compute whatever has to be calculated, also what looks simple. Give the numbers that it returns.`

func advancedInstructions(o *order) string {
	parts := []string{advancedPrompt}
	if o.compute {
		parts = append(parts, computePrompt)
	}
	if o.research != nil {
		parts = append(parts, researchInstructions(o.research)...)
	}
	if o.compute || o.research != nil {
		parts = append(parts, fmt.Sprintf("You have %d turns in all. The last one is the answer: plan for it. %s", o.steps, silently))
	}
	switch o.verbosity {
	case "low":
		parts = append(parts, "Keep the answer short: the result and what is needed to trust it.")
	case "medium":
		parts = append(parts, "Give the answer a medium length: the result, the reasons, what it depends on.")
	case "high":
		parts = append(parts, "Make the answer thorough: every step, the alternatives, the limits, with headings.")
	}
	return paragraphs(parts...)
}

func researchInstructions(plan *researchPlan) []string {
	far := reachOf(plan.effort)
	rounds := fmt.Sprintf("Work in %d rounds at the most", far.rounds)
	switch {
	case far.rounds == 1:
		rounds = "Work in one round"
	case plan.effort == "auto":
		rounds = fmt.Sprintf("Work in as many rounds as the question needs, %d at the most", far.rounds)
	}
	length := map[string]string{
		"low":    "Keep the report to a few paragraphs.",
		"medium": "The report is about a page long: a summary, then the findings.",
		"high":   "The report is detailed: a summary, a section for each side of the question, figures and dates, what is disputed.",
	}[plan.verbosity]
	return []string{
		"Research the web before you answer. " + rounds + ". In a round, search with web.search from different sides, several calls at once; read the best pages with web.fetch, several at once; then decide what is still missing.",
		fmt.Sprintf("There are %d searches and %d pages for all of it.", far.searches, far.pages),
		"Then write a report. " + length + " Say where sources contradict each other and what could not be found. End with a section Sources that lists each cited result once, as [[n]](url) and its title.",
		citing,
	}
}

func paragraphs(parts ...string) string { return strings.Join(parts, "\n\n") }
