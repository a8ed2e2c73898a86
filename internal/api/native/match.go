package native

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
)

// agentAnswer is an agent with the tag of its version.
func agentAnswer(a *agent.Agent) wire.Response {
	answer := wire.OK(showAgent(a))
	answer.Header = http.Header{"Etag": {agentTag(a)}}
	return answer
}

// agentTag names a version for If-Match. The id is in it because another agent may have
// the name by now. It is documented, so that whoever has read a list can make it.
func agentTag(a *agent.Agent) string { return fmt.Sprintf("\"%s/%d\"", a.ID, a.Version) }

// meant returns the agent in the path, if it still is as the request's If-Match says.
// Where somebody else saves between this and the commit, the commit fails by the row's
// version, and the one who saves asks here again.
func (a *API) meant(ctx context.Context, r *wire.Request) (agent.Agent, error) {
	found, err := a.book.Find(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return found, err
	}
	header, sent := r.Headers("If-Match")
	if !sent {
		return found, nil
	}
	matches, err := ifMatch(header, agentTag(&found))
	if err == nil && !matches {
		err = problem.New(problem.PreconditionFailed,
			"Agent %s is at version %d, saved by %s at %s, and that is not the one that If-Match names. Read it, put your change upon it and send its ETag; without If-Match it is saved over.",
			found.Name, found.Version, cmp.Or(found.UpdatedBy, "a key that is not known"), found.UpdatedAt.UTC().Format(time.RFC3339))
	}
	return found, err
}

// maxTags bounds a list of tags: one is what is meant.
const maxTags = 16

// ifMatch reports whether a header lets a change of what has this tag through. A tag that
// a proxy has made weak because it compressed the answer still names the version. An
// empty header names none: whoever sends it had a tag in mind.
func ifMatch(header, tag string) (bool, error) {
	header = strings.TrimSpace(header)
	if header == "*" {
		return true, nil
	}
	tags := strings.Split(header, ",")
	for _, one := range tags {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if len(tags) > maxTags || len(one) < 2 || one[0] != '"' || one[len(one)-1] != '"' {
			return false, problem.Invalid("If-Match", `must be the ETag of the agent as it was read, in its quotes, such as %s.`, tag)
		}
		if one == tag {
			return true, nil
		}
	}
	return false, nil
}
