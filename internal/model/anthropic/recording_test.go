package anthropic

import (
	"flag"
	"net/http"
	"testing"

	"errand/internal/model/modeltest"
)

var update = flag.Bool("update", false, "write the outcomes into the recordings")

func TestRecordings(t *testing.T) {
	modeltest.Recordings(t, "testdata", *update, func(t *testing.T, _ string, server http.Handler) modeltest.Model {
		return serving(t, server, nil)
	})
}
