package memory_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/store/memory"
	"errand/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{Open: func(t *testing.T, now func() time.Time) storetest.Store {
		s := memory.New(memory.Config{Now: now})
		t.Cleanup(func() { s.Close() })
		return s
	}, Shared: true})
}
