package you

import (
	"strconv"

	"errand/internal/problem"
)

// writer takes frames. *wire.Frames is one.
type writer interface {
	JSON(id, event string, value any) error
}

// frames writes this API's frames, numbered from 0 without gaps. The first error
// stays.
type frames struct {
	to  writer
	seq *int
	err error
}

// frame is the data of every frame, on one line.
type frame struct {
	SeqID    int    `json:"seq_id"`
	Type     string `json:"type"`
	Response any    `json:"response,omitempty"`
}

type itemResponse struct {
	OutputIndex int `json:"output_index"`
}

type deltaResponse struct {
	OutputIndex int    `json:"output_index"`
	Type        string `json:"type"`
	Delta       string `json:"delta"`
}

type fullResponse struct {
	OutputIndex int          `json:"output_index"`
	Type        string       `json:"type"`
	Full        []resultBody `json:"full"`
}

type doneResponse struct {
	RunTimeMs string      `json:"run_time_ms"` // a number as text, as in the document
	Finished  bool        `json:"finished"`
	Error     *briefFault `json:"error,omitempty"`
}

func (f *frames) write(kind string, response any) {
	if f.err == nil {
		f.err = f.to.JSON(strconv.Itoa(*f.seq), kind, frame{SeqID: *f.seq, Type: kind, Response: response})
		*f.seq++
	}
}

func (f *frames) plain(kind string) { f.write(kind, nil) }

func (f *frames) item(kind string, index int) { f.write(kind, itemResponse{OutputIndex: index}) }

// delta is a piece of the answer. Its type is the documented one whatever the
// operator has chosen for JSON: clients of the first generation had no streams.
func (f *frames) delta(index int, text string) {
	f.write(deltaFrame, deltaResponse{OutputIndex: index, Type: AnswerType, Delta: text})
}

func (f *frames) full(index int, list []resultBody) {
	f.write(fullFrame, fullResponse{OutputIndex: index, Type: resultsType, Full: list})
}

// end is the last frame of a run that has ended, or that waits for a person.
func (f *frames) end(elapsed string, finished bool) error {
	f.write(doneFrame, doneResponse{RunTimeMs: elapsed, Finished: finished})
	return f.err
}

// done is the last frame of a run that has failed.
func (f *frames) done(elapsed string, e *problem.Error) error {
	why := brief(e)
	f.write(doneFrame, doneResponse{RunTimeMs: elapsed, Error: &why})
	return f.err
}
