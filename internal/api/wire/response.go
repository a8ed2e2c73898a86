package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// Response is what a handler gives back: a value, or a stream.
type Response struct {
	Status int         // 0 = 200; 204 has no body
	Header http.Header // beside wire's own; may be nil
	Body   any         // encoded as JSON; nil slices are [], omitempty as everywhere; json.RawMessage goes as it is
	Stream *Stream     // instead of Body
	File   *File       // instead of Body
	// Flow writes the answer as it goes, instead of Body: one that is too large to be
	// made before it is sent. Header says what it is.
	Flow func(ctx context.Context, to io.Writer) error
}

// File is a stored file as an answer, whole or in the ranges that were asked for.
// It is closed when it has been sent.
type File struct {
	io.ReadSeekCloser
	Modified time.Time
}

// sendFile writes a file. It is for a reader that has been told what it is and
// must not guess: Content-Type and Content-Disposition are the answer's.
func (r *Request) sendFile(answer Response) error {
	header := r.writer.Header()
	r.familyHeaders(header)
	for name, values := range answer.Header {
		header[name] = values
	}
	http.ServeContent(&recorder{ResponseWriter: r.writer, sent: &r.sent}, r.http, "", answer.File.Modified, answer.File)
	if err := answer.File.Close(); err != nil {
		return fmt.Errorf("closing a file that was sent: %w", err)
	}
	return nil
}

// OK is a 200 with a JSON body.
func OK(body any) Response { return Response{Status: http.StatusOK, Body: body} }

// JSON is a body as an answer would have it, for what leaves the server otherwise.
func JSON(body any) (json.RawMessage, error) { return encode(body) }

// encode returns a body's JSON. What a model or a tool wrote may hold bytes that
// are no UTF-8, which become U+FFFD, and keys that are there twice, which stay:
// failing would hide the rest.
func encode(body any) (json.RawMessage, error) {
	if raw, ok := body.(json.RawMessage); ok {
		return raw, nil
	}
	text, err := jsonv2.Marshal(body, encodingOptions())
	if err != nil {
		return nil, fmt.Errorf("encoding an answer: %w", err)
	}
	return text, nil
}

// encodeTo is encode for a body that is part of something larger.
func encodeTo(w io.Writer, body any) error {
	if err := jsonv2.MarshalWrite(w, body, encodingOptions()); err != nil {
		return fmt.Errorf("encoding a frame: %w", err)
	}
	return nil
}

func encodingOptions() jsonv2.Options {
	return jsonv2.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsonv2.Deterministic(true), jsonv1.OmitEmptyWithLegacySemantics(true))
}

// send writes an answer that is no stream.
func (r *Request) send(answer Response) error {
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	var body json.RawMessage
	if answer.Status != http.StatusNoContent {
		var err error
		if body, err = encode(answer.Body); err != nil {
			return err
		}
	}
	header := r.writer.Header()
	r.familyHeaders(header)
	for name, values := range answer.Header {
		header[name] = values
	}
	if answer.Status != http.StatusNoContent {
		header["Content-Type"] = jsonType
		header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	r.sent.status = answer.Status
	r.writer.WriteHeader(answer.Status)
	if len(body) > 0 && r.http.Method != http.MethodHead {
		n, err := r.writer.Write(body)
		r.sent.bytes += int64(n)
		r.sent.failed = err != nil
	}
	return nil
}

// familyHeaders adds what every answer of the request's family carries.
func (r *Request) familyHeaders(header http.Header) {
	if r.family.Headers == nil {
		return
	}
	for name, values := range r.family.Headers(r.server.cfg.Now(), r.standing) {
		header[name] = values
	}
}
