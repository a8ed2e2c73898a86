package ui

import (
	"fmt"
	"os"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestPlay keeps a server with the tests' data, for a person to look at: ERRAND_PLAY=1
// go test ./e2e/ui -run TestPlay -timeout 30m -v
func TestPlay(t *testing.T) {
	if os.Getenv("ERRAND_PLAY") == "" {
		t.Skip("for a person: ERRAND_PLAY=1")
	}
	s := seeded(t)
	fmt.Println(s.Server.URL+"/ui/ with the key", rig.AdminKey)
	rig.Pause(29 * time.Minute)
}
