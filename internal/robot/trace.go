package robot

import (
	"context"

	"errand/internal/problem"
	"errand/internal/run"
)

// Traces are what is about one execution alone: the record of what became of it, and
// the files that it has stored. What was learnt from it is the robot's, and stays for
// as long as that says.
func (c *Courier) Traces(ctx context.Context, s *run.State) (rows []run.Row, files []string, err error) {
	member := MemberOf(&s.Spec)
	if member == "" {
		return nil, nil, nil
	}
	id := recordID(member, s.ID)
	rec, err := c.record(ctx, s.Spec.Project, id)
	if problem.Is(err, problem.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, file := range rec.Files {
		if file != "" {
			files = append(files, file)
		}
	}
	return []run.Row{{Kind: recordKind, Project: s.Spec.Project, ID: id}}, files, nil
}
