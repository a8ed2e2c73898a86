package app

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"errand/client"
)

// FuzzRestore: an archive that errand backup has not made is refused, and writes
// nothing outside of the directory that it is unpacked into, no link and nothing that
// may be executed.
func FuzzRestore(f *testing.F) {
	archive := func(headers ...tar.Header) []byte {
		var made bytes.Buffer
		w := tar.NewWriter(&made)
		for i := range headers {
			body := []byte(`{"format":1,"files":[]}`)
			headers[i].Size, headers[i].Mode = int64(len(body)), 0o777
			if headers[i].Typeflag != tar.TypeReg {
				headers[i].Size, body = 0, nil
			}
			if err := w.WriteHeader(&headers[i]); err != nil {
				f.Fatal(err)
			}
			if _, err := w.Write(body); err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		return made.Bytes()
	}
	f.Add(archive(tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "../out", Typeflag: tar.TypeReg}, tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "/tmp/out", Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "files/a", Typeflag: tar.TypeReg}, tar.Header{Name: manifestName, Typeflag: tar.TypeReg}))
	f.Add(archive(tar.Header{Name: "link", Linkname: "../..", Typeflag: tar.TypeSymlink}, tar.Header{Name: "link/out", Typeflag: tar.TypeReg}))
	f.Add([]byte(`{"format":99}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		top := t.TempDir()
		dir, source := filepath.Join(top, "a", "data"), filepath.Join(top, "backup.tar")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(source, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = unpack(t.Context(), source, dir) // most are refused; what counts is what is left
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path == source {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if inside, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(inside) || !info.Mode().IsRegular() || info.Mode()&0o111 != 0 {
				t.Errorf("it left %s, %s", path, info.Mode())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzTrace shows what a server says of a run, whatever that is: nothing that reaches
// the terminal is anything but text, in whole characters.
func FuzzTrace(f *testing.F) {
	for _, seed := range [][2]string{
		{"run.created", `{"prompt":"Chase\u001b[2J","model":"m\u202e","metadata":{"a":"b"}}`}, {"model.responded", `{"step":1,"text":"Hi\u009b1m","calls":[{"action_id":"act_01\u0007","tool":"email\u001b.send","arguments":{"to\u001b":"a\u202eb"},"gated":true,"preview":"\u200b","refused":"\u001b","denied":"\u001bx"}],"usage":{"input_tokens":5},"ms":3}`},
		{"tool.finished", `{"action_id":"act_01","outcome":"ok","output":"{\"rows\":[1]}"}`}, {"tool.finished", `{"action_id":"\u001b","outcome":"\u001b","output":{"a":"\u001b"}}`}, {"approval.decided", `{"action_ids":["\u001b[1m"],"decision":"\u001b","by_name":"\u001b","why":"\u001b"}`},
		{"model.failed", `{"code":"\u001b","message":"\u001b","retry":true}`}, {"message.added", `{"content":"\u001b","text":"\u001b"}`}, {"deadline.passed", `{"which":"\u001b"}`}, {"run.finished", `{"status":"\u001b","why":"\u001b","code":"\u001b"}`}, {"run.driven", `{"epoch":2}`}, {"tool.started", `{"action_id":"\u001b","attempt":2}`}, {"delta", `{"step":1,"text":"\u001b]0;x\u0007"}`}, {"from.tomorrow", `[]`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		var shown bytes.Buffer
		tracer := newTracer(&process{Stdio: Stdio{Out: &shown, Err: &shown}})
		frames := []client.Frame{{Type: kind, Data: data}}
		if event, err := json.Marshal(client.Event{Seq: 1, Type: kind, Data: data}); err == nil {
			frames = append(frames, client.Frame{Type: kind, Data: event})
		}
		for _, frame := range frames {
			if err := tracer.frame(frame); err != nil {
				t.Fatal(err)
			}
		}
		if text := shown.String(); !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
			t.Errorf("%s %q is shown as %q", kind, data, text)
		}
	})
}

// FuzzPrintable holds what stands on a terminal to text: none of it moves, hides or
// turns around anything, and what is text already stays as it is.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"plain, é\u00a0", "\x1b[2J\x07\x7f\u009b1m", "\x9b1m", "evil\u202egpj.exe", "a\u2067b\u200b", "tag\U000e0041", "line\u2028line", "\xf0\x9f", "\ud7ff\ufffd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := printable(text)
		if !utf8.ValidString(shown) || strings.ContainsFunc(shown, unprintable) || printable(shown) != shown {
			t.Errorf("%q is shown as %q", text, shown)
		}
		if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) && shown != text {
			t.Errorf("%q is shown as %q", text, shown)
		}
	})
}

// FuzzExport reads exports of projects as they come in: what is written is what came,
// and only one that ends with its counts is said to be whole.
func FuzzExport(f *testing.F) {
	for _, seed := range []string{
		"{\"object\":\"export.manifest\"}\n{\"object\":\"export.end\",\"counts\":{\"run\":1}}\n", "{\"object\":\"export.end\"}", "{\"object\":\"export.end\"}\n{\"object\":\"run\"}\n", "{\"object\":\"export.end\"}\n\n", "{\"object\":\"export.end\",\"counts\":", "", "\n", "null\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var written bytes.Buffer
		_, err := copyExport(&written, iotest.OneByteReader(bytes.NewReader(text)))
		if !bytes.Equal(written.Bytes(), text) {
			t.Errorf("%q is written as %q", text, written.Bytes())
		}
		lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
		var last struct{ Object string }
		whole := json.Unmarshal(lines[len(lines)-1], &last) == nil && last.Object == "export.end"
		if err == nil && !whole {
			t.Errorf("%q is said to be whole", text)
		}
	})
}

// FuzzMoment reads the times that commands take: a day begins in UTC, and what is read
// is the moment that was written.
func FuzzMoment(f *testing.F) {
	for _, seed := range []string{"", "2026-06-01", "2026-06-01T08:00:00Z", "2026-06-01T08:00:00+02:00", "2026-02-30", "0000-01-01", "2026-06-01T24:00:00Z", "now", "2026-6-1", "2026-06-01T08:00:00.123456789012Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := momentOf(text)
		if err != nil {
			if !strings.Contains(err.Error(), "is no time such as") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again, err := momentOf(at.Format(time.RFC3339Nano)); text != "" && (err != nil || !again.Equal(at)) || text == "" && !at.IsZero() {
			t.Errorf("%q is %s, which is %s, %v", text, at, again, err)
		}
	})
}
