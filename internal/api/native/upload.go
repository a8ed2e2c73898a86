package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// uploadBody is a file of 100 MB with what surrounds it; uploadField bounds each of
// its other fields.
const (
	uploadBody  = 101 << 20
	uploadField = 64 << 10
)

// upload is what a form has brought.
type upload struct {
	NewFile
	staged StagedFile
	faults agent.Faults
}

// createFile stores a file. The form is read as it arrives, the file goes to the
// disk on its way.
func (a *API) createFile(ctx context.Context, r *wire.Request, files Files) (wire.Response, error) {
	kind, params, err := mime.ParseMediaType(r.Header("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return wire.Response{}, problem.Invalid("Content-Type", "must be multipart/form-data: send the file in the field file, and what it is for in the field purpose.")
	}
	form := upload{faults: agent.Faults{}}
	defer func() {
		if form.staged != nil {
			form.staged.Discard()
		}
	}()
	if err := form.read(files, multipart.NewReader(r.Reader(), params["boundary"])); err != nil {
		return wire.Response{}, err
	}
	if form.staged == nil {
		form.faults.Add("file", "is required: send the file in a field of this name, with its filename.")
	}
	if !slices.Contains(filePurposes(), form.Purpose) {
		form.faults.Add("purpose", fmt.Sprintf("must be one of %s.", strings.Join(filePurposes(), ", ")))
	}
	agent.CheckMetadata(form.Metadata, form.faults)
	if invalid := form.faults.Problem(); invalid != nil {
		return wire.Response{}, invalid
	}
	var answer wire.Response
	_, err = form.staged.Keep(ctx, r.Caller.Project, form.NewFile, func(made *File) ([]run.RowWrite, error) {
		answer = wire.OK(showFile(made))
		return r.Remember(answer)
	})
	return answer, err
}

// read takes the form's parts in whatever order they come.
func (u *upload) read(files Files, form *multipart.Reader) error {
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return formFault(err)
		}
		if err := u.take(files, part); err != nil {
			return err
		}
	}
}

func (u *upload) take(files Files, part *multipart.Part) (err error) {
	name := part.FormName()
	if name == "file" {
		if u.staged != nil {
			return problem.Invalid("file", "is there twice: send one file at a time.")
		}
		u.Name = part.FileName()
		u.staged, err = files.Stage(body{part})
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body{part}, uploadField+1))
	if err != nil {
		return err
	}
	switch {
	case len(text) > uploadField:
		u.faults.Add(name, fmt.Sprintf("is longer than %d bytes.", uploadField))
	case name == "purpose":
		u.Purpose = string(text)
	case name == "metadata":
		if json.Unmarshal(text, &u.Metadata) != nil {
			u.faults.Add("metadata", "must be a JSON object whose values are texts.")
		}
	default:
		u.faults.Add(clip(name), "is unknown: a file comes with file, purpose and metadata.")
	}
	return nil
}

// clip bounds a name that a client made up.
func clip(name string) string { return name[:min(len(name), 64)] }

// body reads a part, and says in public words when the form around it is broken.
type body struct{ io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = formFault(err)
	}
	return n, err
}

func formFault(err error) error {
	var told *problem.Error
	if errors.As(err, &told) {
		return told
	}
	return problem.New(problem.InvalidRequest, "The form can't be read to its end: send multipart/form-data with the boundary that its Content-Type names.").Because(err)
}
