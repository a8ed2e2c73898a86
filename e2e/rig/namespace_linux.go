package rig

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// insideVariable tells a test's process that it has a network namespace of its own.
const insideVariable = "ERRAND_TEST_NAMESPACE"

// Inside reports whether this process has a network namespace of its own, made by
// Namespace.
func Inside() bool { return os.Getenv(insideVariable) != "" }

// Namespace runs the test with this name in a process and a network namespace of its
// own, in which nothing is up yet, and fails as it does. It skips where the system
// makes none; the named test has to skip unless Inside.
func Namespace(t *testing.T, name string) {
	t.Helper()
	if Inside() {
		t.Skip("this is the inner test's process")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("iproute2 is not installed")
	}
	if os.Getuid() != 0 {
		t.Skip("only root makes network namespaces")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inner := exec.Command(self, "-test.run=^"+name+"$", "-test.v")
	inner.Env = append(os.Environ(), insideVariable+"=1")
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	said, err := inner.CombinedOutput()
	switch {
	case strings.Contains(string(said), "--- SKIP"):
		t.Skipf("not here:\n%s", said)
	case err != nil && inner.Process == nil:
		t.Skipf("this system makes no namespaces: %v", err)
	case err != nil || !strings.Contains(string(said), "--- PASS"):
		t.Errorf("%v\n%s", err, said)
	}
}
