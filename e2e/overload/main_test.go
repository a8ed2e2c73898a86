// Package overload asks the real program for more than it can give: more runs,
// more connections, less memory, and everything at once for a long time.
//
// It promises that the figures of each test are in its log, and that its bounds
// leave room for a busy machine and the race detector; what a quiet machine
// measures is in docs/reliability.md. ERRAND_SOAK_MINUTES makes the long test run.
//
// To change the load, edit load_test.go; a bound, the test that holds it.
package overload

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// p99 is the value that one in a hundred is above.
func p99(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)*99-1)/100]
}

// figures reads what the server says of itself, without labels.
func figures(t testing.TB, s *rig.Server) map[string]float64 {
	t.Helper()
	got, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && !strings.ContainsAny(name, "#{") {
			found[name] = n
		}
	}
	return found
}

// resident is a line of the process's memory in /proc, in bytes.
func resident(t testing.TB, s *rig.Server, line string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID()) + "/status")
	if err != nil {
		t.Skip("there is no /proc here to read a process's memory from")
	}
	found := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no %s in %s", line, status)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
