package hostile

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"errand/e2e/rig"
)

// private are addresses that a server must not call for a stranger, and public
// ones that it may: in the namespace this machine has them all.
func private() []string {
	return []string{
		"10.0.0.7", "172.16.0.7", "172.31.255.7", "192.168.1.7", "100.64.0.7", "169.254.169.254", "169.254.170.2", "198.18.0.7", "192.0.0.192",
		"192.0.2.7", "198.51.100.7", "203.0.113.7", "192.88.99.7", "240.0.0.7", "127.0.0.53", "fd00::7", "fd00:ec2::254", "fc00::7", "64:ff9b::a00:7",
		"2002:a00:7::7", "2001:db8::7", "2001::7", "100::7", "fec0::7", "4000::7",
	}
}

func public() []string { return []string{"93.184.215.14", "2606:4700::1111"} }

// TestEgressToEveryNetwork makes a network namespace, gives it the addresses of
// clouds, offices and carriers, and lets the server try to reach them.
func TestEgressToEveryNetwork(t *testing.T) {
	t.Parallel()
	rig.Namespace(t, "TestInsideNamespace")
}

func TestInsideNamespace(t *testing.T) {
	if !rig.Inside() {
		t.Skip("only in a namespace: TestEgressToEveryNetwork makes it")
	}
	ip(t, "link", "set", "lo", "up")
	for _, address := range append(private(), public()...) {
		if address != "127.0.0.53" { // loopback has it
			ip(t, "addr", "add", address, "dev", "lo")
		}
	}
	resolve(t)
	listener, err := net.Listen("tcp", "[::]:0") // both families
	if err != nil {
		t.Fatal(err)
	}
	there := newTarget(t, listener)
	w := rig.New(t)
	w.Env["GODEBUG"] = "netdns=go"
	t.Run("without holes", func(t *testing.T) { closed(t, w, there) })
	w.Kill()
	t.Run("with holes", func(t *testing.T) { open(t, w, there) })
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if said, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, said)
	}
}

// at is the target's URL at an address or name.
func (t *target) at(host string) string { return "http://" + net.JoinHostPort(host, t.port()) }

func closed(t *testing.T, w *rig.World, there *target) {
	delete(w.Env, "ERRAND_EGRESS_ALLOW")
	e := &entries{t: t, w: w, c: w.Start().Client()}
	for _, address := range private() {
		e.mustRefuse(there.at(address), there.at(public()[0]))
	}
	for _, host := range []string{"inner.example", "metadata.example", "loopback.example", "six.example"} {
		e.mustRefuse(there.at(host), there.at(public()[0]))
		if said, _ := e.fetch(there.at(host)); strings.Contains(said, "10.0.0.7") || strings.Contains(said, "169.254") || strings.Contains(said, "fd00") {
			t.Errorf("%s: it tells what the name leads to: %q", host, said)
		}
	}
	if said := e.run(there.at("metadata.example")); strings.Count(said, "ERRAND_EGRESS_ALLOW") < 2 {
		t.Errorf("in a run: %q", said)
	}
	for host := range there.taken() {
		if host != public()[0] {
			t.Errorf("a connection arrived at %s", host)
		}
	}
	// Public addresses are called, so that silence at the others means something.
	for _, address := range public() {
		if said, worked := e.fetch(there.at(address)); !worked || there.taken()[address] != 1 {
			t.Errorf("%s: %q", address, said)
		}
		if said, worked := e.tool(there.at(address)); !worked || there.taken()[address] != 1 {
			t.Errorf("%s: %q", address, said)
		}
	}
	rebind(t, e, there)
}

// rebind fetches from a name that leads to a public address at first and to a
// private one from then on: once more by a redirect, and once more by a new call.
func rebind(t *testing.T, e *entries, there *target) {
	t.Helper()
	said, worked := e.fetch(there.at("rebind.example") + "/to?url=" + there.at("rebind.example"))
	if worked || !strings.Contains(said, "ERRAND_EGRESS_ALLOW") {
		t.Errorf("a redirect to a name that leads elsewhere by then: %q", said)
	}
	if got := there.taken(); got[public()[0]] != 1 || len(got) != 1 {
		t.Errorf("connections: %v", got)
	}
	for range 3 {
		if said, worked := e.tool(there.at("rebind.example")); worked {
			t.Errorf("a tool's name that leads elsewhere by now: %q", said)
		}
	}
	// Of a name with addresses of both kinds only the public ones are called.
	for range 3 {
		e.fetch(there.at("mixed.example"))
	}
	for host := range there.taken() {
		if host != public()[0] {
			t.Errorf("a connection arrived at %s", host)
		}
	}
}

func open(t *testing.T, w *rig.World, there *target) {
	port := there.port()
	w.Env["ERRAND_EGRESS_ALLOW"] = "10.0.0.0/8:" + port + ",[fd00::/64]:" + port + ",192.168.1.0/24:1,172.16.0.7"
	e := &entries{t: t, w: w, c: w.Start().Client(), n: 1000} // behind the names of the first server
	for host, at := range map[string]string{
		"10.0.0.7": "10.0.0.7", "::ffff:10.0.0.7": "10.0.0.7", "fd00::7": "fd00::7", "172.16.0.7": "172.16.0.7", "inner.example": "10.0.0.7", "six.example": "fd00::7",
	} {
		if said, worked := e.fetch(there.at(host)); !worked || there.taken()[at] != 1 {
			t.Errorf("%s through the hole: %q", host, said)
		}
		if said, worked := e.tool(there.at(host)); !worked || there.taken()[at] != 1 {
			t.Errorf("%s through the hole: %q", host, said)
		}
	}
	for _, host := range []string{"192.168.1.7", "172.31.255.7", "169.254.169.254", "fd00:ec2::254", "100.64.0.7", "64:ff9b::a00:7", "metadata.example", "127.0.0.1"} {
		e.mustRefuse(there.at(host), there.at("10.0.0.7"))
	}
	for host := range there.taken() {
		if host != "10.0.0.7" {
			t.Errorf("a connection arrived at %s", host)
		}
	}
}

// resolve makes this namespace ask a server of the test's own for names.
func resolve(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver 127.0.0.1\noptions attempts:1 timeout:30\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skipf("this system does not let a namespace have mounts of its own: %v", err)
	}
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("/etc/resolv.conf can't be replaced: %v", err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string][][]string{ // each answer in turn, the last one for ever
		"inner.example.": {{"10.0.0.7"}}, "metadata.example.": {{"169.254.169.254"}}, "loopback.example.": {{"127.0.0.1"}}, "six.example.": {{"fd00::7"}},
		"rebind.example.": {{public()[0]}, {"10.0.0.7"}}, "mixed.example.": {{"10.0.0.7", public()[0]}},
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { conn.Close(); serving.Wait() })
	serving.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := answerTo(buffer[:n], names); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	})
}

func answerTo(question []byte, names map[string][][]string) []byte {
	var asked dnsmessage.Message
	if asked.Unpack(question) != nil || len(asked.Questions) == 0 {
		return nil
	}
	q := asked.Questions[0]
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: asked.ID, Response: true, RecursionAvailable: true}, Questions: asked.Questions[:1]}
	turns := names[q.Name.String()]
	if len(turns) == 0 {
		reply.RCode = dnsmessage.RCodeNameError
	} else {
		for _, text := range turns[0] {
			address := netip.MustParseAddr(text)
			header := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}
			switch {
			case q.Type == dnsmessage.TypeA && address.Is4():
				body := dnsmessage.AResource{}
				binary.BigEndian.PutUint32(body.A[:], binary.BigEndian.Uint32(address.AsSlice()))
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &body})
			case q.Type == dnsmessage.TypeAAAA && address.Is6():
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: address.As16()}})
			}
		}
		if len(turns) > 1 && q.Type == dnsmessage.TypeA {
			names[q.Name.String()] = turns[1:]
		}
	}
	packed, err := reply.Pack()
	if err != nil {
		return nil
	}
	return packed
}
