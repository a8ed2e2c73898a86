package yao

import (
	"context"
	"slices"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
)

// modelNotFound is the code of a model that a robot does not have.
const modelNotFound problem.Code = "model_not_found"

// modelBody is a model as clients of OpenAI's kind list it.
type modelBody struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

type modelsBody struct {
	Object string      `json:"object"`
	Data   []modelBody `json:"data"`
}

// modelsOf are the names under which a robot answers: a robot has one model, and a
// request can't choose another.
func modelsOf(r *robot.Robot) []modelBody {
	ids := []string{"default"}
	if r.LanguageModel != "" && r.LanguageModel != "default" {
		ids = append(ids, r.LanguageModel)
	}
	shown := make([]modelBody, len(ids))
	for i, id := range ids {
		shown[i] = modelBody{ID: id, Object: "model", Created: r.CreatedAt.Unix(), OwnedBy: r.ID}
	}
	return shown
}

func (a *API) listModels(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(modelsBody{Object: "list", Data: modelsOf(&found)}), nil
}

func (a *API) getModel(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	all, name := modelsOf(&found), r.Path("model")
	at := slices.IndexFunc(all, func(m modelBody) bool { return m.ID == name })
	if at < 0 {
		return wire.Response{}, problem.New(modelNotFound, "This robot does not answer with %.80q: use default.", name)
	}
	return wire.OK(all[at]), nil
}
