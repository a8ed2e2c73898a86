package egress

import (
	"strings"
	"testing"
)

func TestParseAllow(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		" , ":                                 "",
		"127.0.0.0/8":                         "127.0.0.0/8",
		"127.0.0.1":                           "127.0.0.1/32",
		"10.0.0.0/8:8080, [fd00::/8]:443":     "10.0.0.0/8:8080 [fd00::/8]:443",
		"fd00::/8,::1":                        "fd00::/8 ::1/128",
		"[::1]:8080":                          "[::1/128]:8080",
		"[fd00::/8]":                          "fd00::/8",
		"::ffff:10.0.0.0/104":                 "10.0.0.0/8",
		"::ffff:10.0.0.7":                     "10.0.0.7/32",
		"192.168.1.7:443":                     "192.168.1.7/32:443",
		"0.0.0.0/0, ::/0":                     "0.0.0.0/0 ::/0",
		"127.0.0.0/8:1\t,\n127.0.0.0/8:65535": "127.0.0.0/8:1 127.0.0.0/8:65535",
	} {
		holes, err := ParseAllow(text)
		if err != nil {
			t.Errorf("ParseAllow(%q): %v", text, err)
			continue
		}
		var got []string
		for _, hole := range holes {
			got = append(got, hole.String())
		}
		if joined := strings.Join(got, " "); joined != want {
			t.Errorf("ParseAllow(%q) = %s, want %s", text, joined, want)
		}
		if again, err := ParseAllow(strings.Join(got, ",")); err != nil || len(again) != len(holes) {
			t.Errorf("what String wrote, %q, does not read back: %v", got, err)
		}
	}
}

func TestParseAllowNamesTheWrongEntry(t *testing.T) {
	for _, entry := range []string{
		"localhost", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:http", "10.0.0.0/8:",
		"[fd00::/8:443", "[fd00::/8]443", "fd00::1/8", "fe80::1%eth0", "::ffff:0:0/90", "/8", "10/8", "*", "[]:80",
	} {
		_, err := ParseAllow("127.0.0.0/8, " + entry)
		if err == nil {
			t.Errorf("entry %q was accepted", entry)
		} else if !strings.Contains(err.Error(), `"`+entry+`"`) || !strings.Contains(err.Error(), "ERRAND_EGRESS_ALLOW") {
			t.Errorf("entry %q: the error does not name it: %v", entry, err)
		}
	}
}
