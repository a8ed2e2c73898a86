package postgres

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// Who has a place in a lane is said by the lines of its runs: those with a driver, if it
// is a node's that has not been buried. So a place can't be lost: whatever takes a run
// from its driver, or buries its node, has given the place back. Nodes that want one in
// the same lane come one after the other; whoever gives one back waits for nobody.

// laneLock is the first half of the key of a lane's advisory lock: "Errl".
const laneLock = 0x4572726c

// What is counted of the lane k.project, k.name. The conditions are those of the index
// runs_lane.
const (
	ofLane     = "FROM runs r WHERE r.project = k.project AND r.lane = k.name AND r.lane <> '' "
	workingSQL = "(SELECT count(*) " + ofLane + "AND r.driver > '' AND r.driver <> '' AND EXISTS (SELECT FROM nodes WHERE nodes.id = r.driver))"
	waitingSQL = "(SELECT count(*) " + ofLane + "AND r.driver = '' AND r.live)"
	nextSQL    = "ARRAY(SELECT r.id " + ofLane + "AND r.driver = '' AND r.live ORDER BY r.id LIMIT $3)"
)

// lockLanes has this transaction alone give places in the lanes in which the group wants
// some, and counts them: behind the lock, so that nothing that others have given is
// missed.
func (t *transaction) lockLanes(batch *pgx.Batch) {
	var waits bool
	for _, it := range t.group {
		for i := range it.commit.Runs {
			a := &it.commit.Runs[i]
			if a.Bound == nil {
				continue
			}
			if t.lanes == nil {
				t.lanes = map[run.LaneID]*run.Places{}
			}
			lane, _, _ := laneOf(&a.Summary)
			t.lanes[lane] = &run.Places{}
			waits = waits || a.Bound.Queue > 0
		}
	}
	if t.lanes == nil {
		return
	}
	lanes := sorted(t.lanes, func(a, b run.LaneID) int {
		return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Name, b.Name))
	})
	keys := make([]int32, len(lanes))
	for i, lane := range lanes {
		keys[i] = lockKey(lane)
	}
	slices.Sort(keys) // as all nodes do, for two lanes may have the same
	batch.Queue("SELECT pg_advisory_xact_lock($1, key) FROM unnest($2::int[]) AS key", int32(laneLock), slices.Compact(keys))
	batch.Queue("SELECT id FROM nodes").Query(func(rows pgx.Rows) error {
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		t.nodes = make(map[string]bool, len(names))
		for _, name := range names {
			t.nodes[name] = true
		}
		return err
	})
	waiting := "0::bigint"
	if waits {
		waiting = waitingSQL
	}
	projects, names := apart(lanes)
	batch.Queue("SELECT k.project, k.name, "+workingSQL+", "+waiting+fromLanes(), projects, names).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var lane run.LaneID
			var there run.Places
			if err := rows.Scan(&lane.Project, &lane.Name, &there.Working, &there.Waiting); err != nil {
				return err
			}
			*t.lanes[lane] = there
		}
		return rows.Err()
	})
}

func fromLanes() string { return " FROM " + unnest("text", "text") + " AS k (project, name)" }

func apart(lanes []run.LaneID) (projects, names []string) {
	for _, lane := range lanes {
		projects, names = append(projects, lane.Project), append(names, lane.Name)
	}
	return projects, names
}

// laneOf is store.Lane, by the names that the database has.
func laneOf(line *run.Summary) (lane run.LaneID, works, waits bool) {
	lane, works, waits = store.Lane(line)
	lane.Project, lane.Name = store.Text(lane.Project), store.Text(lane.Name)
	return lane, works, waits
}

func lockKey(lane run.LaneID) int32 {
	sum := fnv.New32a()
	fmt.Fprintf(sum, "%d:%s%s", len(lane.Project), lane.Project, lane.Name)
	return int32(sum.Sum32())
}

// others are the places in the lane of a run but its own, as the group so far leaves
// them; after is the run's line as an append would leave it.
func (t *transaction) others(h *head, after *run.Summary) run.Places {
	lane, _, _ := laneOf(after)
	there := *t.lanes[lane]
	if h.exists {
		t.count(&there, lane, &h.line, -1)
	}
	return there
}

// move changes what is known of a run's line, and of the places in its lane.
func (t *transaction) move(h *head, to run.Summary, exists bool) {
	if t.lanes != nil {
		t.recount(h, -1)
	}
	h.line, h.exists = to, exists
	if t.lanes != nil {
		t.recount(h, 1)
	}
}

func (t *transaction) recount(h *head, by int) {
	lane, _, _ := laneOf(&h.line)
	if there := t.lanes[lane]; there != nil && h.exists {
		t.count(there, lane, &h.line, by)
	}
}

// count adds a line to the places of a lane, if it is in it.
func (t *transaction) count(there *run.Places, lane run.LaneID, line *run.Summary, by int) {
	switch its, works, waits := laneOf(line); {
	case its != lane:
	case works && t.nodes[line.Driver]:
		there.Working += by
	case waits:
		there.Waiting += by
	}
}

// Places tells of lanes how many of their runs have a driver, how many wait, and which of
// those go first.
func (s *Store) Places(ctx context.Context, lanes []run.LaneID) (map[run.LaneID]run.Places, error) {
	found := make(map[run.LaneID]run.Places, len(lanes))
	projects, names := apart(lanes)
	err := s.query(ctx, func(rows pgx.Rows) error {
		var lane run.LaneID
		var there run.Places
		var next [][16]byte
		err := rows.Scan(&lane.Project, &lane.Name, &there.Working, &there.Waiting, &next)
		for _, id := range next {
			there.Next = append(there.Next, id)
		}
		found[lane] = there
		return err
	}, "SELECT k.project, k.name, "+workingSQL+", "+waitingSQL+", "+nextSQL+fromLanes(), projects, names, store.NextInLane)
	if err != nil {
		return nil, fmt.Errorf("counting who is in %d lanes: %w", len(lanes), err)
	}
	return found, nil
}

// Waiting tells how many runs without a lane wait for a driver, by project.
func (s *Store) Waiting(ctx context.Context) (map[string]int, error) {
	found := map[string]int{}
	err := s.query(ctx, countInto(found), "SELECT project, count(*) FROM runs WHERE live AND driver = '' AND lane = '' GROUP BY project")
	if err != nil {
		return nil, fmt.Errorf("counting the runs that wait: %w", err)
	}
	return found, nil
}
