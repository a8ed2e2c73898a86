package wire

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	answerKind = "answer"       // of rows
	answerLife = 24 * time.Hour // as documented
	// maxKey bounds an Idempotency-Key: a UUID with a prefix is far shorter.
	maxKey = 255
	// sealPurpose keeps this use of a caller's sealing key apart from others.
	sealPurpose = "errand remembered answer"
)

// record is a remembered answer: what was asked, and what to say when it is asked
// again. Without a Status the answer is made from the run.
type record struct {
	Asked  string          `json:"asked"` // hash of query and body
	Run    run.ID          `json:"run,omitzero"`
	Status int             `json:"status,omitempty"`
	Header http.Header     `json:"header,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Sealed []byte          `json:"sealed,omitempty"` // Body, encrypted
}

// answerID is the id of the row that remembers the answer: per key and route. The
// Idempotency-Key itself is not stored, because sealed answers hang on it.
func (r *Request) answerID() string {
	hash := sha256.New()
	for _, part := range []string{r.Caller.KeyID, r.http.Method, r.http.URL.EscapedPath(), r.key} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// asked is what must be the same for a request to be the same: all of its body,
// and the query, which may change what is done.
func (r *Request) asked() string {
	if r.hash != "" {
		return r.hash
	}
	hash := sha256.New()
	fmt.Fprintf(hash, "%d:%s", len(r.http.URL.RawQuery), r.http.URL.RawQuery)
	hash.Write(r.Body)
	if r.Route.Raw { // not read yet: its length is all that there is of it
		fmt.Fprintf(hash, "%d", r.http.ContentLength)
	}
	r.hash = hex.EncodeToString(hash.Sum(nil)[:16])
	return r.hash
}

// Claim returns the rows that tie the request's Idempotency-Key to a run; they
// must be written in the transaction of run.created. Nil without a key.
func (r *Request) Claim(id run.ID) []run.RowWrite {
	if r.flight == nil {
		return nil
	}
	write, err := r.row(record{Asked: r.flight.asked, Run: id}, r.flight.expect)
	if err != nil {
		return nil // an id and a hash always encode
	}
	return []run.RowWrite{write}
}

// Remember returns the rows that hold this answer under the request's
// Idempotency-Key, for the commit that makes it true. Nil without a key. The
// handler must then return just this answer.
func (r *Request) Remember(answer Response) ([]run.RowWrite, error) {
	if r.flight == nil {
		return nil, nil
	}
	known, err := recordOf(r.flight.asked, answer)
	if err != nil {
		return nil, err
	}
	write, err := r.row(known, r.flight.expect)
	if err != nil {
		return nil, err
	}
	r.flight.stored = true
	return []run.RowWrite{write}, nil
}

func recordOf(asked string, answer Response) (record, error) {
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	body, err := encode(answer.Body)
	return record{Asked: asked, Status: answer.Status, Header: answer.Header, Body: body}, err
}

// row is the write that stores a record.
func (r *Request) row(known record, expect int64) (run.RowWrite, error) {
	if r.Route.Secret && known.Body != nil {
		box, err := r.box()
		if err != nil {
			return run.RowWrite{}, err
		}
		nonce := make([]byte, box.NonceSize())
		_, _ = rand.Read(nonce)
		known.Sealed = box.Seal(nonce, nonce, known.Body, []byte(r.flight.id))
		known.Body = nil
	}
	data, err := json.Marshal(known)
	if err != nil {
		return run.RowWrite{}, fmt.Errorf("remembering an answer: %w", err)
	}
	now := r.server.cfg.Now().UTC()
	return run.RowWrite{Expect: expect, Row: run.Row{
		Kind: answerKind, Project: r.Caller.Project, ID: r.flight.id, Created: now, Expires: now.Add(answerLife), Data: data,
	}}, nil
}

// box seals what only the holder of both the API key and the Idempotency-Key
// may read again.
func (r *Request) box() (cipher.AEAD, error) {
	key, err := r.Caller.SealingKey(sealPurpose, r.key)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sealing an answer: %w", err)
	}
	return cipher.NewGCM(block)
}

// recall reads the remembered answer, or nil and the version that a new row has
// to expect.
func (r *Request) recall(ctx context.Context, id string) (*record, int64, error) {
	row, err := r.server.cfg.Rows.Row(ctx, answerKind, r.Caller.Project, id)
	if problem.Is(err, problem.NotFound) {
		return nil, run.MustNotExist, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("recalling an answer: %w", err)
	}
	if !row.Expires.IsZero() && !r.server.cfg.Now().Before(row.Expires) {
		return nil, row.Version, nil
	}
	var known record
	if err := json.Unmarshal(row.Data, &known); err != nil {
		return nil, 0, fmt.Errorf("reading the remembered answer %s: %w", id, err)
	}
	if known.Sealed == nil {
		return &known, row.Version, nil
	}
	box, err := r.box()
	if err != nil {
		return nil, 0, err
	}
	size := min(box.NonceSize(), len(known.Sealed))
	if known.Body, err = box.Open(nil, known.Sealed[:size], known.Sealed[size:], []byte(id)); err != nil {
		// The API key has kept its id and changed its secret since. What the answer holds
		// is for whoever had the secret then, and a secret is often changed because
		// somebody else had it, too. Doing it again instead would do it twice.
		return nil, 0, problem.New(problem.IdempotencyMismatch,
			"This request was carried out, and its answer, which holds a secret, is sealed with an earlier secret of this API key: "+
				"repeat it with that secret as long as it works, or look for what it has made, and send a new Idempotency-Key only to have it done again.").Because(err)
	}
	return &known, row.Version, nil
}

// replay answers from a record, and says that it does.
func (r *Request) replay(ctx context.Context, known *record) (Response, error) {
	if known.Asked != r.asked() {
		return Response{}, problem.New(problem.IdempotencyMismatch,
			"This Idempotency-Key came with another body or query before: use a new key for a new request.")
	}
	if known.Status != 0 {
		answer := Response{Status: known.Status, Header: known.Header}
		if known.Body != nil {
			answer.Body = known.Body
		}
		return replayed(answer), nil
	}
	answer, err := r.Route.Answer(ctx, r, known.Run)
	return replayed(answer), err
}

func replayed(answer Response) Response {
	header := answer.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header["Idempotent-Replayed"] = []string{"true"}
	answer.Header = header
	return answer
}
