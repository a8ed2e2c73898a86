package rig

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"errand/e2e/contract"
	"errand/examples"
)

// AdminKey opens every server of a rig.
const AdminKey = "an-admin-key-for-the-tests"

// World is what surrounds a server, and outlives it.
type World struct {
	T     testing.TB
	Dir   string // of the settings and of the invoices; the data is in Dir/data
	Model *Model
	Tools *Tools
	Mail  *Mail
	// Env is the environment of what is started here, by name. Nothing of the
	// test's own environment is in it but PATH.
	Env map[string]string
	// Program is what is launched as a server; empty = the one that the tests are about.
	Program string

	agreement *contract.Contract
	transport *http.Transport
	mu        sync.Mutex
	servers   []*Server
}

// New makes a world with a model's endpoint, an owner of tools and a mail server,
// and the invoices of the example in a real database.
func New(t testing.TB) *World {
	t.Helper()
	agreement, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	w := &World{
		T: t, Dir: t.TempDir(), agreement: agreement,
		transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
	}
	w.Model, w.Tools, w.Mail = newModel(t), newTools(t), newMail(t)
	w.unpack()
	w.Env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": w.Dir, "TMPDIR": w.Dir,
		"GORACE":           "atexit_sleep_ms=0", // the race detector's second at the end is not the program's
		"ERRAND_ADMIN_KEY": AdminKey, "ERRAND_DATA": w.Data(), "ERRAND_CONFIG": filepath.Join(w.Dir, "errand.yaml"),
		"ERRAND_LOG_LEVEL": "warn", "ERRAND_EGRESS_ALLOW": "127.0.0.0/8",
		"ERRAND_SMTP_URL": w.Mail.URL(), "ERRAND_SMTP_FROM": "Billing <billing@example.com>",
		"OPENAI_BASE_URL": w.Model.URL + "/v1", "OPENAI_API_KEY": "sk-of-the-tests", "ERRAND_MODEL": "openai/mock",
	}
	w.useStore(t)
	t.Cleanup(func() {
		w.Kill()
		w.transport.CloseIdleConnections()
	})
	return w
}

// Data is the data directory.
func (w *World) Data() string { return filepath.Join(w.Dir, "data") }

// Offline lets the offline model answer instead of the endpoint.
func (w *World) Offline() {
	delete(w.Env, "OPENAI_BASE_URL")
	delete(w.Env, "OPENAI_API_KEY")
	w.Env["ERRAND_MODEL"] = "offline"
}

func (w *World) unpack() {
	w.T.Helper()
	err := fs.WalkDir(examples.InvoiceChaser, "invoice-chaser", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := examples.InvoiceChaser.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(w.Dir, entry.Name()), text, 0o600)
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

func (w *World) environment() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		env = append(env, name+"="+w.Env[name])
	}
	return env
}

// Missing lists the operations with these tags of which no successful answer was
// held against the contract.
func (w *World) Missing(tags ...string) []string { return w.agreement.Missing(tags...) }

// Patience is how long to wait for what comes anyway: it says nothing about how fast
// it should be, so it is far more than a machine takes that has much else to do, and
// costs nothing where it comes early.
const Patience = 2 * time.Minute

// Eventually fails the test unless the condition holds within Patience.
func (w *World) Eventually(what string, holds func() bool) {
	w.T.Helper()
	w.Within(Patience, what, holds)
}

// Within is Eventually for what is much work.
func (w *World) Within(limit time.Duration, what string, holds func() bool) {
	w.T.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			w.T.Fatalf("waited in vain for %s", what)
		}
		Pause(10 * time.Millisecond)
	}
}

// Pause waits for something that happens in another process.
func Pause(d time.Duration) { <-time.After(d) }
