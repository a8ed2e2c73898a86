package router

import (
	"net"
	"strings"
)

// provider is a service whose address is known. All but Anthropic speak the
// chat-completions wire format, each with turns of its own.
type provider struct {
	name     string
	baseURL  string
	setting  string   // what configures it, in words
	keys     []string // environment variables that may hold its key
	standard string   // the model that the aliases mean there
}

func providers() []provider {
	return []provider{
		{"openai", "https://api.openai.com/v1", "OPENAI_API_KEY (and OPENAI_BASE_URL for a server that speaks its API)", []string{"OPENAI_API_KEY"}, "gpt-5-mini"},
		{"anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY (and ANTHROPIC_BASE_URL for a server that speaks its API)", []string{"ANTHROPIC_API_KEY"}, "claude-sonnet-5-5"},
		{"google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY or GOOGLE_API_KEY", []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"}, "gemini-2.5-flash"},
		{"deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", []string{"DEEPSEEK_API_KEY"}, "deepseek-v4-flash"},
		{"groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", []string{"GROQ_API_KEY"}, "llama-3.3-70b-versatile"},
		{"mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", []string{"MISTRAL_API_KEY"}, "mistral-small-latest"},
		{"together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", []string{"TOGETHER_API_KEY"}, "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
		{"ollama", ollamaURL, "OLLAMA_HOST, or start Ollama on its usual port 11434 before this server", nil, ""},
		{"vllm", "", "VLLM_BASE_URL", nil, ""},
	}
}

// ollamaURL is where Ollama listens unless it is told otherwise.
const ollamaURL = "http://127.0.0.1:11434/v1"

// provider returns the provider with this name, or an empty one. Google's models
// go by two names.
func (r *Router) provider(name string) provider {
	if name == "gemini" {
		name = "google"
	}
	for _, p := range r.providers {
		if p.name == name {
			return p
		}
	}
	return provider{}
}

// Known reports whether a provider of this name is known, so that an endpoint of
// the name needs no address.
func Known(name string) bool {
	return (&Router{providers: providers()}).provider(name).baseURL != ""
}

// kinds are the names of all providers.
func (r *Router) kinds() []string {
	var names []string
	for _, p := range r.providers {
		names = append(names, p.name)
	}
	return names
}

// Ollama is the local endpoint to look for when nothing names it: see Probe.
func Ollama() Endpoint { return Endpoint{Name: "ollama", BaseURL: ollamaURL} }

// Discover returns the endpoints that the environment configures: a key in its
// provider's variable, OPENAI_BASE_URL, ANTHROPIC_BASE_URL, OLLAMA_HOST,
// VLLM_BASE_URL. The order is that of the providers; the first one's default is
// what the aliases mean.
func Discover(getenv func(string) string) []Endpoint {
	var found []Endpoint
	for _, p := range providers() {
		e := Endpoint{Name: p.name, BaseURL: p.baseURL}
		for _, variable := range p.keys {
			if e.Key == "" {
				e.Key = strings.TrimSpace(getenv(variable))
			}
		}
		present := e.Key != ""
		switch p.name {
		case "openai":
			if base := strings.TrimSpace(getenv("OPENAI_BASE_URL")); base != "" {
				e.BaseURL, present = base, true
			}
		case "anthropic":
			if base := strings.TrimSpace(getenv("ANTHROPIC_BASE_URL")); base != "" {
				e.BaseURL, present = base, true
			}
		case "ollama":
			host := strings.TrimSpace(getenv("OLLAMA_HOST"))
			present = host != "" || strings.HasPrefix(getenv("ERRAND_MODEL"), "ollama/")
			if host != "" {
				e.BaseURL = ollamaAt(host)
			}
		case "vllm":
			e.BaseURL = strings.TrimSpace(getenv("VLLM_BASE_URL"))
			present = e.BaseURL != ""
		}
		if present {
			found = append(found, e)
		}
	}
	return found
}

// ollamaAt reads OLLAMA_HOST as Ollama does: a URL, a host, or host:port. The
// address that it listens on may be all interfaces; one calls the loopback then.
func ollamaAt(host string) string {
	scheme, address, hasScheme := strings.Cut(host, "://")
	if !hasScheme {
		scheme, address = "http", host
	}
	address = strings.TrimRight(address, "/")
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		name, port = strings.Trim(address, "[]"), "11434"
	}
	if name == "" || name == "0.0.0.0" || name == "::" {
		name = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(name, port) + "/v1"
}
