package native

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// What files may add to a run. They become a part of what the model is asked, and
// so of the run's log: these bounds are above what models take in one message.
const (
	mostFiles     = 10
	mostFileBytes = 8 << 20 // of all of a run's files
)

// attach adds files to what a run is asked: images as images, text after the
// prompt. Others are refused, because no model here could read them.
func (a *API) attach(ctx context.Context, r *wire.Request, raw json.RawMessage, input *run.Message, faults agent.Faults) error {
	if len(raw) == 0 || blank(raw) {
		return nil
	}
	files, err := a.files()
	if err != nil {
		return err
	}
	if err := auth.Allow(r.Caller, "files:read"); err != nil {
		return err
	}
	var ids []string
	if json.Unmarshal(raw, &ids) != nil {
		faults.Add("files", "must be a list of file ids, as POST /v1/files answers them.")
		return nil
	}
	if len(ids) > mostFiles {
		faults.Add("files", fmt.Sprintf("has %d files: at most %d go with a run.", len(ids), mostFiles))
		return nil
	}
	left := int64(mostFileBytes)
	for i, id := range ids {
		fault, err := attachOne(ctx, files, r.Caller.Project, id, func(f *File, content io.Reader) (string, error) {
			if left -= f.Size; left < 0 {
				return fmt.Sprintf("makes the files larger than %d bytes together, which is as much as goes with a run.", mostFileBytes), nil
			}
			return join(f, content, input)
		})
		if err != nil {
			return err
		}
		faults.Add(fmt.Sprintf("files[%d]", i), fault)
	}
	return nil
}

func attachOne(ctx context.Context, files Files, project, id string, use func(*File, io.Reader) (string, error)) (fault string, err error) {
	f, content, err := files.Open(ctx, project, id)
	if problem.Is(err, problem.NotFound) {
		return fmt.Sprintf("there is no file %q in this project.", id), nil
	}
	if err != nil {
		return "", err
	}
	defer content.Close()
	return use(&f, content)
}

// join adds one file to the message.
func join(f *File, content io.Reader, input *run.Message) (fault string, err error) {
	image, text := strings.HasPrefix(f.Type, "image/"), strings.HasPrefix(f.Type, "text/")
	if !image && !text {
		return fmt.Sprintf("%s is of type %s, which models here can't read: send PNG, JPEG or text.", f.Name, f.Type), nil
	}
	read, err := io.ReadAll(io.LimitReader(content, f.Size))
	if err != nil {
		return "", fmt.Errorf("reading file %s: %w", f.ID, err)
	}
	if image {
		input.Images = append(input.Images, run.Image{URL: "data:" + f.Type + ";base64," + base64.StdEncoding.EncodeToString(read)})
		return "", nil
	}
	input.Text += fmt.Sprintf("\n\n[File %s]\n%s", f.Name, read)
	return "", nil
}
