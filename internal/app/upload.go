package app

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"errand/client"
	"errand/internal/index"
)

// What one request brings at most: enough that requests are few, little enough
// that progress is seen and a lost one costs nothing.
const (
	batchFiles = 200
	batchBytes = 2 << 20
	listPage   = 1000 // the most that the server takes, and lists, at once
)

// upload brings the index of a server up to date with a directory.
type upload struct {
	p      *process
	api    *client.Client
	root   string // absolute
	single bool   // it is a file
	name   string
	forced bool // the name was given

	files   []string       // to be sent, relative, with slashes
	leftOut map[string]int // by kind
	known   map[string]string
	total   client.IndexChange
	batch   client.IndexBatch
	bytes   int
	shown   time.Time // when progress was last shown
	sent    int       // files that were looked at
}

func newUpload(p *process, api *client.Client, what, name string) (*upload, error) {
	given, err := filepath.Abs(what)
	if err != nil {
		return nil, err
	}
	root, err := filepath.EvalSymlinks(given) // what is named is meant, links within it are not
	if err != nil {
		return nil, err
	}
	u := &upload{p: p, api: api, root: root, name: name, forced: name != "", leftOut: map[string]int{}, known: map[string]string{}}
	if name == "" {
		u.name = slug(filepath.Base(given))
	}
	u.total.Refused = []client.IndexRefusal{}
	if err := u.find(); err != nil {
		return nil, err
	}
	if len(u.files) == 0 {
		return nil, fmt.Errorf("%s has no files that can be read: these are, %s", what, strings.Join(index.Extensions(), ", "))
	}
	return u, nil
}

// slug makes a name of a directory's.
func slug(name string) string {
	made := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(name))
	made = strings.Trim(made[:min(len(made), 63)], "._-")
	if made == "" {
		return "files"
	}
	return made
}

// find lists the files. Hidden ones and links stay out: they are mostly not meant
// to be read, or are somewhere else.
func (u *upload) find() error {
	return filepath.WalkDir(u.root, func(at string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case at != u.root && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		relative, err := filepath.Rel(u.root, at)
		if err != nil {
			return err
		}
		if at == u.root {
			relative, u.single = filepath.Base(at), true
		}
		kind := strings.ToLower(filepath.Ext(at))
		if !slices.Contains(index.Extensions(), kind) {
			if kind == "" {
				kind = "without an ending"
			}
			u.leftOut[kind]++
			return nil
		}
		u.files = append(u.files, filepath.ToSlash(relative))
		return nil
	})
}

// run sends what is new or has changed, and then removes what is gone.
func (u *upload) run(ctx context.Context) (client.IndexSource, error) {
	if err := u.learn(ctx); err != nil {
		return client.IndexSource{}, err
	}
	defer u.progress(true)
	for _, file := range u.files {
		u.take(file)
		delete(u.known, file)
		u.sent++
		u.progress(false)
		if len(u.batch.Files) >= batchFiles || u.bytes >= batchBytes {
			if _, err := u.flush(ctx); err != nil {
				return client.IndexSource{}, err
			}
		}
	}
	source, err := u.flush(ctx) // an empty one too: it says what is there
	for gone := range u.known {
		u.batch.Remove = append(u.batch.Remove, gone)
	}
	slices.Sort(u.batch.Remove)
	for all := u.batch.Remove; err == nil && len(all) > 0; all = all[min(len(all), listPage):] {
		u.batch.Remove = all[:min(len(all), listPage)]
		source, err = u.flush(ctx)
	}
	return source, err
}

// learn asks what the server has of this directory already.
func (u *upload) learn(ctx context.Context) error {
	source, err := u.api.Index.Get(ctx, u.name)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if source.Origin != u.root && !u.forced {
		return fmt.Errorf("the index has a directory %s already, from %s. Choose another name with --name; --name %s replaces that one", u.name, cmp.Or(source.Origin, "documents that were sent by the API"), u.name)
	}
	for after := ""; ; {
		page, err := u.api.Index.Documents(ctx, u.name, after, listPage)
		if err != nil {
			return err
		}
		for _, document := range page.Data {
			u.known[document.Path] = document.Digest
		}
		if after = page.Next; !page.HasMore {
			return nil
		}
	}
}

// take puts a file into the batch unless the server has it.
func (u *upload) take(file string) {
	refuse := func(why string) { u.total.Refused = append(u.total.Refused, client.IndexRefusal{Path: file, Why: why}) }
	at := filepath.Join(u.root, filepath.FromSlash(file))
	if u.single {
		at = u.root
	}
	info, err := os.Stat(at)
	if err == nil && info.Size() > index.MaxContent {
		refuse(fmt.Sprintf("it has more than %d MiB", index.MaxContent>>20))
		return
	}
	var content []byte
	if err == nil {
		content, err = os.ReadFile(at)
	}
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		refuse(err.Error())
		return
	}
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	if u.known[file] == digest {
		u.total.Unchanged++
		return
	}
	text, err := decode(content)
	if err != nil {
		refuse("it is not text")
		return
	}
	u.batch.Files = append(u.batch.Files, client.IndexFile{
		Path: file, Content: text, Digest: digest, Modified: info.ModTime().UTC().Format(time.DateOnly),
	})
	u.bytes += len(text)
}

// decode makes UTF-8 of a file that is something else: by its byte order mark, by
// what a page says of itself, or as Western text.
func decode(content []byte) (string, error) {
	if utf8.Valid(content) || len(content) == 0 {
		return string(content), nil
	}
	reader, err := charset.NewReader(bytes.NewReader(content), "")
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(reader)
	return string(text), err
}

// flush sends the batch.
func (u *upload) flush(ctx context.Context) (client.IndexSource, error) {
	u.batch.Name, u.batch.Origin = u.name, u.root
	source, err := u.api.Index.Put(ctx, u.batch)
	if err != nil {
		return source, err
	}
	if change := source.Change; change != nil {
		u.total.Added += change.Added
		u.total.Changed += change.Changed
		u.total.Unchanged += change.Unchanged
		u.total.Removed += change.Removed
		u.total.Refused = append(u.total.Refused, change.Refused...)
	}
	u.batch, u.bytes = client.IndexBatch{}, 0
	return source, nil
}

// often is how long a line of progress stands before the next: readable for a
// person, and lines of a log only for what takes long.
const (
	often  = 100 * time.Millisecond
	seldom = 5 * time.Second
)

// progress shows how far it is: in one line that changes on a terminal, else in
// a line every few seconds.
func (u *upload) progress(end bool) {
	live := u.p.Terminal || terminal(u.p.Err)
	now := u.p.now()
	pause := seldom
	if live {
		pause = often
	}
	switch {
	case end && live:
		u.p.note("\r\x1b[K")
	case end:
	case u.shown.IsZero() && !live:
		u.shown = now // the first line comes after a while
	case now.Sub(u.shown) < pause:
	case live:
		u.shown = now
		u.p.note("\r%s: %d of %d files\x1b[K", u.name, u.sent, len(u.files))
	default:
		u.shown = now
		u.p.note("%s: %d of %d files\n", u.name, u.sent, len(u.files))
	}
}
