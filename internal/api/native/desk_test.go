package native_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"errand/internal/api/native"
	"errand/internal/egress"
	"errand/internal/file"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/webhook"
)

// fileRoom is how many bytes of files a project of a world may have.
const fileRoom = 1000

// desk is the real store of files and the real hub of webhooks, over the world's
// store. What the hub sends is heard by the world's ears.
type desk struct {
	*file.Store
	bells
}

// bells shows a hub to the API.
type bells struct{ hub *webhook.Hub }

func (w *world) openDesk() desk {
	w.t.Helper()
	files, err := file.Open(w.t.Context(), file.Config{Dir: w.t.TempDir(), Rows: w.store, Now: time.Now, Most: fileRoom})
	if err != nil {
		w.t.Fatal(err)
	}
	box, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		w.t.Fatal(err)
	}
	w.ears = &ears{}
	hub, err := webhook.NewHub(webhook.Config{
		Rows: w.store, Log: w.store, Box: box, Guard: egress.New(egress.Config{}), Now: time.Now,
		Client: func(bool) webhook.Poster { return w.ears },
		Render: func(_ context.Context, n webhook.Notice) ([]byte, error) {
			return native.Notice(n.ID, n.Type, n.At, n.State)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	jobs := local.New(local.Config{Store: w.store, Now: time.Now, Handlers: hub.Handlers()})
	jobs.Start()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		jobs.Close(ctx)
	})
	return desk{Store: files, bells: bells{hub}}
}

// ears are the receivers of all URLs. They answer with code, and remember.
type ears struct {
	mu    sync.Mutex
	code  int // 0 = 200
	heard []heard
}

type heard struct{ URL, ID, Body string }

func (e *ears) Do(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, heard{request.URL.String(), request.Header.Get("webhook-id"), string(body)})
	code := e.code
	if code == 0 {
		code = http.StatusOK
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

func (e *ears) answer(code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.code = code
}

func (e *ears) all() []heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]heard(nil), e.heard...)
}

func (d desk) Get(ctx context.Context, project, id string) (native.File, error) {
	f, err := d.Store.Get(ctx, project, id)
	return native.File(f), err
}

func (d desk) List(ctx context.Context, project, purpose, after string, limit int) ([]native.File, error) {
	found, err := d.Store.List(ctx, project, purpose, after, limit)
	return each(found, func(f *file.File) native.File { return native.File(*f) }), err
}

func (d desk) Open(ctx context.Context, project, id string) (native.File, io.ReadSeekCloser, error) {
	f, content, err := d.Store.Open(ctx, project, id)
	return native.File(f), content, err
}

func (d desk) Stage(from io.Reader) (native.StagedFile, error) {
	s, err := d.Store.Stage(from)
	if err != nil {
		return nil, err
	}
	return staged{s, d.Store}, nil
}

type staged struct {
	*file.Staged
	files *file.Store
}

func (s staged) Keep(ctx context.Context, project string, n native.NewFile, more func(*native.File) ([]run.RowWrite, error)) (native.File, error) {
	f, err := s.files.Keep(ctx, file.Info{Project: project, Name: n.Name, Purpose: n.Purpose, Metadata: n.Metadata}, s.Staged, func(f *file.File) ([]run.RowWrite, error) {
		shown := native.File(*f)
		return more(&shown)
	})
	return native.File(f), err
}

func (b bells) List(ctx context.Context, project, after string, limit int) ([]native.Webhook, error) {
	found, err := b.hub.Endpoints(ctx, project, after, limit)
	return each(found, func(e *webhook.Endpoint) native.Webhook { return bell(e, "") }), err
}

func (b bells) Get(ctx context.Context, project, id string) (native.Webhook, error) {
	if id == webhook.Own {
		e, secret, err := b.hub.Default(ctx, project)
		return bell(&e, secret), err
	}
	e, err := b.hub.Endpoint(ctx, project, id)
	return bell(&e, ""), err
}

func (b bells) Register(project string, n native.NewWebhook) (native.Webhook, run.Commit, error) {
	e, secret, c, err := b.hub.Register(project, webhook.New(n))
	return bell(&e, secret), c, err
}

func (b bells) Change(ctx context.Context, project, id string, change native.WebhookChange) (native.Webhook, run.Commit, error) {
	if change.Edit != nil {
		e, c, err := b.hub.Edit(ctx, project, id, func(before webhook.New) (webhook.New, error) {
			after, err := change.Edit(native.NewWebhook(before))
			return webhook.New(after), err
		}, map[native.WebhookAct]webhook.Status{native.EnableWebhook: webhook.Enabled, native.DisableWebhook: webhook.Disabled}[change.Act])
		return bell(&e, ""), c, err
	}
	if change.Act == native.RotateSecret {
		e, secret, c, err := b.hub.Rotate(ctx, project, id)
		return bell(&e, secret), c, err
	}
	alter := b.hub.Enable
	switch change.Act {
	case native.DisableWebhook:
		alter = b.hub.Disable
	case native.RemoveWebhook:
		alter = b.hub.Remove
	}
	e, c, err := alter(ctx, project, id)
	return bell(&e, ""), c, err
}

func (b bells) Deliveries(ctx context.Context, project, id string, p native.DeliveryPage) ([]native.Delivery, error) {
	found, err := b.hub.Deliveries(ctx, project, id, webhook.Page(p))
	return each(found, parcel), err
}

func (b bells) Redeliver(ctx context.Context, project, id, delivery string) (native.Delivery, run.Commit, error) {
	d, c, err := b.hub.Redeliver(ctx, project, id, delivery)
	return parcel(&d), c, err
}

func (b bells) CheckURL(text string) error { return b.hub.CheckURL(text) }

func bell(e *webhook.Endpoint, secret string) native.Webhook {
	return native.Webhook{
		ID: e.ID, URL: e.URL, Description: e.Description, Events: e.Events, Status: string(e.Status), Why: e.Why,
		Failures: e.Failures, Secret: secret, Created: e.Created,
	}
}

func parcel(d *webhook.Delivery) native.Delivery {
	return native.Delivery{
		ID: d.ID, Event: d.Event, EventID: d.EventID, URL: d.URL, Status: d.Status, Error: d.Error, Run: d.Run,
		Attempts: d.Attempts, Code: d.Code, Ms: d.Ms, Created: d.Created, At: d.At, Next: d.Next,
	}
}

func each[T, B any](found []T, show func(*T) B) []B {
	shown := make([]B, len(found))
	for i := range found {
		shown[i] = show(&found[i])
	}
	return shown
}
