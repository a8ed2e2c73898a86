package cluster

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/e2e/rig"
)

// cable is a wire between the namespace of the test, which was made for it, and one in
// which a node lives. Its addresses are for documentation, and are nobody's.
type cable struct{ name, here, there string }

var (
	toDatabase = cable{"errand-db", "192.0.2.1", "192.0.2.2"}
	toWorld    = cable{"errand-world", "198.51.100.1", "198.51.100.2"}
)

// TestCable: see TestCableIsCut.
func TestCable(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt-get install iproute2 util-linux", program)
		}
	}
	rig.Namespace(t, "TestCableIsCut")
}

// TestCableIsCut: a node in a network namespace of its own loses the wire to its
// database for 8 s, while all else that it talks with stays: whatever is sent is dropped
// by the kernel, and no end is told. Others go on with its runs; it appends nothing and
// starts no tool, and comes back under another name.
func TestCableIsCut(t *testing.T) {
	if !rig.Inside() {
		t.Skip("TestCable runs this in a network namespace of its own")
	}
	home := newHome(t)
	f := newFleet(t, 0)
	f.Env["ERRAND_EGRESS_ALLOW"] = "127.0.0.0/8," + toWorld.here + "/32"
	f.Tools.URL = "http://" + newLink(t, toWorld.here, host(t, f.Tools.URL)).address() // for both nodes
	a := f.place(map[string]string{"OPENAI_BASE_URL": "http://" + newLink(t, toWorld.here, host(t, f.Model.URL)).address() + "/v1"})
	a.link = newLink(t, toDatabase.here, f.database())
	a.program, a.arguments = home.door(f.Dir), []string{"--addr", toWorld.there + ":0"}
	a.start()
	f.join(nil)
	goAway(f, away{
		leave: func(*member) { home.ip("link", "set", toDatabase.name, "down") },
		back:  func(*member) { home.ip("link", "set", toDatabase.name, "up") },
	}, 8*time.Second)
}

func host(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

// home is a network namespace in which a node can live. It is there for as long as a
// process that does nothing.
type home struct {
	t   *testing.T
	pid int
}

func newHome(t *testing.T) *home {
	t.Helper()
	keeper := exec.Command("cat")
	keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	hold, err := keeper.StdinPipe()
	if err == nil {
		err = keeper.Start()
	}
	if err != nil {
		t.Skipf("this system makes no namespaces: %v", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(hold.Close(), keeper.Wait()); err != nil {
			t.Error(err)
		}
	})
	h := &home{t: t, pid: keeper.Process.Pid}
	h.ip("link", "set", "lo", "up")
	h.inside("ip", "link", "set", "lo", "up")
	for _, c := range []cable{toDatabase, toWorld} {
		if said, err := exec.Command("ip", "link", "add", c.name, "type", "veth", "peer", "name", c.name, "netns", fmt.Sprint(h.pid)).CombinedOutput(); err != nil {
			t.Skipf("this system has no wires between namespaces: %v\n%s", err, said)
		}
		h.ip("address", "add", c.here+"/30", "dev", c.name)
		h.ip("link", "set", c.name, "up")
		h.inside("ip", "address", "add", c.there+"/30", "dev", c.name)
		h.inside("ip", "link", "set", c.name, "up")
	}
	return h
}

// ip changes the network of the test's own namespace.
func (h *home) ip(arguments ...string) {
	h.t.Helper()
	if said, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		h.t.Fatalf("ip %v: %v\n%s", arguments, err, said)
	}
}

func (h *home) enter() []string {
	return []string{"nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", h.pid)}
}

// inside runs a program in the home.
func (h *home) inside(command ...string) {
	h.t.Helper()
	all := append(h.enter(), command...)
	if said, err := exec.Command(all[0], all[1:]...).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %v\n%s", all, err, said)
	}
}

// door writes a program that starts the server in the home, as the same process.
func (h *home) door(dir string) string {
	h.t.Helper()
	path := filepath.Join(dir, "door")
	text := fmt.Sprintf("#!/bin/sh\nexec %s '%s' \"$@\"\n", strings.Join(h.enter(), " "), rig.Binary())
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		h.t.Fatal(err)
	}
	return path
}
