package egress

import (
	"net/netip"
	"strings"
	"testing"
)

// FuzzParseAllow holds a list of holes to what it writes, and each hole to what an
// operator can have meant by it.
func FuzzParseAllow(f *testing.F) {
	for _, seed := range []string{
		"127.0.0.0/8, 10.0.0.0/8:8080, 192.168.1.7:443, fd00::/8, [fd00::/8]:443", "", ",,", "::ffff:10.0.0.0/104", "::ffff:0:0/90", "10.0.0.1/8", "fe80::1%eth0", "[::1", "[::1]x", "10.0.0.0/8:0",
		"localhost", "*", "0.0.0.0/0,::/0", "1.2.3.4/32:65535", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/8:+80", "[]:1", "::/0:1", "１０.0.0.0/8",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		holes, err := ParseAllow(text)
		if err != nil {
			return
		}
		written := make([]string, len(holes))
		for i, hole := range holes {
			written[i] = hole.String()
			if !hole.Prefix.IsValid() || hole.Prefix.Masked() != hole.Prefix || hole.Prefix.Addr().Is4In6() {
				t.Errorf("%q has the hole %s", text, hole)
			}
		}
		again, err := ParseAllow(strings.Join(written, ","))
		if err != nil || len(again) != len(holes) {
			t.Fatalf("%q is written as %q: %v", text, written, err)
		}
		for i := range again {
			if again[i] != holes[i] {
				t.Errorf("%s became %s", holes[i], again[i])
			}
		}
	})
}

// FuzzHost holds the guard to one rule about literal addresses: however a host
// is spelt, if it means an address of this machine it is refused before it is
// dialled.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%lo", "64:ff9b::7f00:1", "example.com", "1.2.3.4", "", ".", "0x", "a.0x7f", "127.0.0.1.", "１２７.0.0.1", "2001:db8::1%",
	} {
		f.Add(seed)
	}
	guard := New(Config{})
	f.Fuzz(func(t *testing.T, host string) {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			if last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]; checkHost(host) == nil && numeric(strings.TrimSuffix(last, ".")) {
				t.Errorf("%q is a name", host)
			}
			return
		}
		if plain := addr.Unmap().WithZone(""); (plain.IsLoopback() || plain.IsPrivate() || plain.IsLinkLocalUnicast() || plain.IsUnspecified() || plain.IsMulticast()) && guard.check(netip.AddrPortFrom(addr, 80)) == nil {
			t.Errorf("%q may be called", host)
		}
	})
}

// FuzzCheckURL holds what is accepted as a URL to what the client would do with it.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/a?b=c", "http://user:pass@h/", "http://h/#f", "http:///x", "http://[::1", "javascript:alert(1)", "http://h:99999/", "http://h\\@i/", "http://h\x00/", " http://h/", "http://h/\r\nX: 1", "HTTP://H", "http://[fe80::1%25eth0]/", "//h", "http:h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := CheckURL(text)
		if err != nil {
			return
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(u.String(), "\r\n\x00") {
			t.Errorf("%q is accepted as %q", text, u)
		}
	})
}
