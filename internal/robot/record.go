package robot

import (
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/run"
)

// recordKind is the kind of row that says what became of an execution after its
// end. Its id is that of the robot, a slash, and the run's.
const recordKind = "robot_delivery"

// record is what became of an execution after its end.
type record struct {
	Targets []target   `json:"targets,omitempty"`
	Files   []string   `json:"files,omitempty"`   // of each attachment; empty until it is stored
	Handed  run.Micros `json:"handed,omitempty"`  // what the agents cost that it has handed tasks to
	Learns  bool       `json:"learns,omitempty"`  // the robot learns from it
	Armed   bool       `json:"armed,omitempty"`   // what there was to store is stored, and each target has a job
	Fault   string     `json:"fault,omitempty"`   // an attachment that could not be stored
	SentAt  *time.Time `json:"sent_at,omitempty"` // when the last target was settled

	project string
	id      string
	created time.Time
	version int64
}

// target is one receiver, as it was when the execution ended.
type target struct {
	TargetResult
	To      []string          `json:"to,omitempty"` // of a mail
	Subject string            `json:"subject,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Name    string            `json:"name,omitempty"`  // of a file
	Round   int               `json:"round,omitempty"` // of the one job that may work on it
	Begun   bool              `json:"begun,omitempty"` // of a mail: it is being handed over, and nobody knows yet how that ends
	Since   time.Time         `json:"since"`
}

func recordID(robot string, id run.ID) string { return robot + "/" + id.String() }

func readRecord(row *run.Row) (*record, error) {
	rec := &record{project: row.Project, id: row.ID, created: row.Created, version: row.Version}
	if err := json.Unmarshal(row.Data, rec); err != nil {
		return nil, fmt.Errorf("reading the delivery %s: %w", row.ID, err)
	}
	return rec, nil
}

// settled reports whether nothing more will become of any target.
func (r *record) settled() bool {
	for i := range r.Targets {
		if r.Targets[i].Status == TargetPending {
			return false
		}
	}
	return true
}

// write is what stores the record in place of the version that was read; a new one
// has none.
func (r *record) write() (run.RowWrite, error) {
	data, err := json.Marshal(r)
	return run.RowWrite{
		Row:    run.Row{Kind: recordKind, Project: r.project, ID: r.id, Created: r.created, Data: data},
		Expect: r.version,
	}, err
}
