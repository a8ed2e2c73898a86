package yao

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
)

// chatPlatforms are the integrations that the API names. Robots here talk through
// the API and deliver by e-mail, webhook and file: none of these is spoken.
func chatPlatforms() []string {
	return []string{"telegram", "feishu", "dingtalk", "discord", "weixin"}
}

type verifyIn struct {
	Provider *string         `json:"provider"`
	Config   json.RawMessage `json:"config"`
}

// verifyBody says whether credentials of an integration work. An answer that they
// do not is a 200: the question has been answered.
type verifyBody struct {
	Valid bool   `json:"valid"`
	Error string `json:"error,omitempty"`
}

func (a *API) verifyIntegration(_ context.Context, r *wire.Request) (wire.Response, error) {
	var in verifyIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	faults := agent.Faults{}
	known := strings.Join(chatPlatforms(), ", ")
	switch {
	case in.Provider == nil || *in.Provider == "":
		faults.Add("provider", "is required: one of "+known+".")
	case !slices.Contains(chatPlatforms(), *in.Provider):
		faults.Add("provider", fmt.Sprintf("%.80q is no integration: choose from %s.", *in.Provider, known))
	}
	if config := strings.TrimSpace(string(in.Config)); config != "" && config != "null" && config[0] != '{' {
		faults.Add("config", "must be an object.")
	}
	if err := faults.Problem(); err != nil {
		return wire.Response{}, err
	}
	return wire.OK(verifyBody{Error: fmt.Sprintf(
		"This server does not speak to %s: reach the robot by its API, and let it deliver by webhook, e-mail or file (robot_config.delivery).", *in.Provider)}), nil
}
