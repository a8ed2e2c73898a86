package yao

import (
	"time"

	"errand/internal/api/wire"
	"errand/internal/robot"
	"errand/internal/run"
)

// frame is one server-sent event of this API.
type frame struct {
	event string
	data  any
}

// write sends frames that belong to one moment. The id goes on the last of them: a
// reader who loses the connection in between gets all of them again.
func writeFrames(f *wire.Frames, id string, frames []frame) error {
	for i := range frames {
		own := ""
		if i == len(frames)-1 {
			own = id
		}
		if err := f.JSON(own, frames[i].event, frames[i].data); err != nil {
			return err
		}
	}
	return nil
}

// phaseFrame tells that the phase or the status has changed.
type phaseFrame struct {
	ExecutionID string `json:"execution_id"`
	Phase       string `json:"phase"`
	Status      string `json:"status"`
	Progress    string `json:"progress,omitempty"`
}

// taskFrame tells of a task that has begun, or is over.
type taskFrame struct {
	ExecutionID string        `json:"execution_id"`
	Task        robot.Task    `json:"task"`
	Progress    string        `json:"progress,omitempty"`
	Result      *robot.Result `json:"result,omitempty"`
}

// messageFrame is what was said: by the robot, or to it.
type messageFrame struct {
	ExecutionID string `json:"execution_id"`
	Role        string `json:"role"` // assistant, user
	Content     string `json:"content"`
	TaskID      string `json:"task_id,omitempty"`
	NeedInput   bool   `json:"need_input,omitempty"` // the task waits for a reply
}

type deliveryFrame struct {
	ExecutionID string         `json:"execution_id"`
	Delivery    robot.Delivery `json:"delivery"`
}

// endFrame is the last one: of a complete event, or of an error.
type endFrame struct {
	ExecutionID string     `json:"execution_id"`
	Status      string     `json:"status"`
	Error       string     `json:"error,omitempty"`
	EndTime     *time.Time `json:"end_time,omitempty"`
}

// tale turns a run's events into what readers of its execution are told: the
// difference that each event makes to what the execution looks like.
type tale struct {
	state run.State
	shown robot.Execution
}

// skip takes events that the reader knows.
func (t *tale) skip(id run.ID, events []run.Event) {
	t.state = run.Fold(id, events)
	if len(events) > 0 {
		t.shown = robot.Project(&t.state)
	}
}

// take tells what an event changes.
func (t *tale) take(e *run.Event) []frame {
	before := t.shown
	t.state.Take(e)
	t.shown = robot.Project(&t.state)
	now := &t.shown
	frames := spoken(now.ID, e)
	if now.Phase != before.Phase || now.Status != before.Status {
		frames = append(frames, frame{"phase", phaseFrame{now.ID, now.Phase, now.Status, progressOf(now)}})
	}
	frames = append(frames, taskFrames(&before, now)...)
	if now.Delivery != nil && before.Delivery == nil {
		frames = append(frames, frame{"delivery", deliveryFrame{now.ID, *now.Delivery}})
	}
	if e.Type == run.RunFinished {
		frames = append(frames, endOf(now))
	}
	return frames
}

// endOf is the frame after which nothing comes.
func endOf(e *robot.Execution) frame {
	end := endFrame{ExecutionID: e.ID, Status: e.Status, EndTime: e.EndTime, Error: e.Error}
	if e.Status == robot.ExecFailed {
		return frame{"error", end}
	}
	return frame{"complete", end}
}

func progressOf(e *robot.Execution) string {
	if e.Current == nil {
		return ""
	}
	return e.Current.Progress
}

// spoken is what an event has people or the robot say.
func spoken(id string, e *run.Event) []frame {
	switch {
	case e.Responded != nil && e.Responded.Reply.Text != "":
		return []frame{{"message", messageFrame{ExecutionID: id, Role: "assistant", Content: e.Responded.Reply.Text}}}
	case e.Message != nil:
		return []frame{{"message", messageFrame{ExecutionID: id, Role: "user", Content: e.Message.Text}}}
	}
	return nil
}

// taskFrames tell of the tasks that have moved on.
func taskFrames(before, now *robot.Execution) []frame {
	old := map[string]string{}
	for i := range before.Tasks {
		old[before.Tasks[i].ID] = before.Tasks[i].Status
	}
	var frames []frame
	for i := range now.Tasks {
		task := &now.Tasks[i]
		was := old[task.ID]
		if was == task.Status {
			continue
		}
		told := taskFrame{ExecutionID: now.ID, Task: *task, Progress: progressOf(now), Result: resultOf(now, task.ID)}
		begun := was == robot.TaskRunning || was == robot.TaskWaiting
		if !begun && task.StartTime != nil {
			start := told
			start.Result = nil
			frames = append(frames, frame{"task_start", start})
		}
		switch {
		case task.Done():
			frames = append(frames, frame{"task_complete", told})
		case task.Status == robot.TaskWaiting:
			question := messageFrame{ExecutionID: now.ID, Role: "assistant", TaskID: task.ID, NeedInput: true}
			if told.Result != nil {
				question.Content = told.Result.Question
			}
			frames = append(frames, frame{"message", question})
		}
	}
	return frames
}

// resultOf is what has come of a task so far, or nil.
func resultOf(e *robot.Execution, task string) *robot.Result {
	for i := range e.Results {
		if e.Results[i].TaskID == task {
			return &e.Results[i]
		}
	}
	return nil
}
