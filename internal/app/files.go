package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"errand/client"
)

type filesGroup struct {
	List   filesList   `cmd:"" help:"List files, newest first."`
	Put    filesPut    `cmd:"" help:"Send a file."`
	Get    filesGet    `cmd:"" help:"Get a file's content."`
	Remove filesRemove `cmd:"" name:"rm" help:"Delete a file; runs that were given it keep what they have of it."`
}

type filesList struct {
	remote
	paging
	Purpose string `help:"Only those for: context, attachment or screenshot." enum:",context,attachment,screenshot" default:"" placeholder:"PURPOSE"`
}

// Run lists files.
func (c *filesList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Files.List(ctx, c.Purpose, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "size", "type", "purpose", "created", "until", "name"}}
		for _, f := range page.Data {
			until := "-"
			if f.ExpiresAt != nil {
				until = f.ExpiresAt.Format(time.DateOnly)
			}
			rows = append(rows, []string{f.ID, size(f.Bytes), f.Type, f.Purpose, p.ago(f.CreatedAt), until, oneLine(f.Name, 60)})
		}
		p.table(rows)
		more(p, page)
	})
}

type filesPut struct {
	remote
	File     string            `arg:"" help:"File to send; - is the input."`
	Purpose  string            `help:"What it is for: context (runs read it) or attachment (they pass it on)." enum:"context,attachment" default:"context"`
	Name     string            `help:"What to call it; default: its own name." placeholder:"NAME"`
	Metadata map[string]string `help:"What to keep with it; repeat for more." placeholder:"KEY=VALUE"`
}

// Help is the command's longer help.
func (filesPut) Help() string {
	return `Examples:

  errand files put invoice.pdf
  errand files put photo.jpg --purpose attachment --metadata customer=acme
  make-report | errand files put - --name report.txt

PDF, PNG, JPEG, WAV, M4A and plain text of up to 100 MB are taken. What a file is, is read from
its bytes. Its id is printed: runs take it in the field files.`
}

// Run sends it.
func (c *filesPut) Run(ctx context.Context, p *process) error {
	wanted := client.NewFile{Name: c.Name, Purpose: c.Purpose, Metadata: c.Metadata, Content: p.In}
	if c.File == "-" && c.Name == "" {
		return usage(errors.New("--name: the input has no name; give it one, such as report.txt"))
	}
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer file.Close()
		if info, err := file.Stat(); err != nil || info.IsDir() {
			return cmp.Or(err, usage(fmt.Errorf("%s is a directory; files are sent one at a time", c.File)))
		}
		wanted.Name, wanted.Content = cmp.Or(c.Name, filepath.Base(c.File)), file
	}
	sent, err := c.client(p).Files.Upload(ctx, wanted)
	if err != nil {
		return err
	}
	return c.show(p, sent.Raw, func() { p.print("%s (%s, %s)\n", sent.ID, sent.Type, size(sent.Bytes)) })
}

type filesGet struct {
	remote
	ID     string `arg:"" name:"file-id" help:"Id of the file: file_…"`
	Output string `short:"o" help:"Write the content to this file, which must not be there yet; - is the output." placeholder:"FILE"`
}

// Help is the command's longer help.
func (filesGet) Help() string {
	return `Examples:

  errand files get file_01a2 -o invoice.pdf
  errand files get file_01a2 | wc -c
  errand files get file_01a2 --json        (what is known of it)

The content goes to the output, unless a person reads that: then it shows what is known of the
file. --output - sends the content there all the same.`
}

// Run gets it.
func (c *filesGet) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	if c.JSON || c.Output == "" && p.reads() {
		known, err := api.Files.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.show(p, known.Raw, func() {
			p.print("%s: %s, %s, for %s, %s\n", known.ID, known.Type, size(known.Bytes), known.Purpose, p.ago(known.CreatedAt))
			p.print("Content: errand files get %s -o %s\n", known.ID, quoted(printable(filepath.Base(known.Name))))
		})
	}
	content, err := api.Files.Content(ctx, c.ID)
	if err != nil {
		return err
	}
	defer content.Close()
	if c.Output == "" || c.Output == "-" {
		_, err := io.Copy(p.Out, content)
		return err
	}
	written, err := save(c.Output, content)
	if err != nil {
		return err
	}
	if p.reads() {
		p.print("%s: %s\n", c.Output, size(written))
	}
	return nil
}

// save writes a file that is not there yet. What did not come whole does not stay.
func save(path string, content io.Reader) (int64, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return 0, fmt.Errorf("--output: %s is there already: name another file, or remove it first", path)
	}
	if err != nil {
		return 0, err
	}
	written, err := io.Copy(file, content)
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(path))
	}
	return written, nil
}

type filesRemove struct {
	remote
	ID string `arg:"" name:"file-id" help:"Id of the file: file_…"`
}

// Run deletes it.
func (c *filesRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Files.Delete(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "deleted": true}, func() { p.print("Deleted %s.\n", c.ID) })
}
