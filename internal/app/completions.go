package app

import "errand/internal/api/openai"

// newOpenAI makes the API of chat completions.
func (a *assembly) newOpenAI() (*openai.API, error) {
	return openai.New(openai.Config{
		Engine: a.engine, Rows: a.store, Catalog: a.catalog(), MaxPrompt: a.cfg.Limits.PromptRunes,
	})
}
