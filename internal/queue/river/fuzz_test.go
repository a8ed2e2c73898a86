package river

import (
	"encoding/json"
	"testing"

	"github.com/riverqueue/river/rivertype"

	"errand/internal/run"
)

// FuzzJob: arguments and metadata of a row that something else has written, or damaged,
// are a job or an error.
func FuzzJob(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"kind":"advance","run":"0192f3a4b5c6000112345678deadbeef"}`, `{}`}, {`{"kind":"deliver","data":"e30="}`, `{"failures":3}`}, {`{"data":"%"}`, `{"failures":"x"}`},
		{`null`, `null`}, {`[]`, `[]`}, {``, ``}, {`{"run":"x"}`, `{"failures":1e99}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, args, metadata []byte) {
		var read task
		if json.Unmarshal(args, &read) != nil {
			return
		}
		job, err := read.job(&rivertype.JobRow{ID: 7, Metadata: metadata})
		if err != nil {
			return
		}
		again, err := json.Marshal(task{Name: job.Kind, Run: job.Run, Data: job.Data})
		if err != nil {
			t.Fatal(err)
		}
		var kept task
		if err := json.Unmarshal(again, &kept); err != nil || kept.Name != read.Name || kept.Run != read.Run || string(kept.Data) != string(read.Data) || kept.Run == (run.ID{}) != (read.Run == run.ID{}) {
			t.Errorf("%q is %+v, written again %q: %v", args, read, again, err)
		}
	})
}
