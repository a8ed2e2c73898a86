package app

import (
	"os"
	"strings"
	"testing"
)

func TestReadMapping(t *testing.T) {
	for line, want := range map[string]mapping{
		"00400000-00fff000 r-xp 00000000 fe:00 7    /usr/bin/errand":    {0x400000, 0xfff000, "/usr/bin/errand", false},
		"00400000-00fff000 rw-p 00000000 fe:00 7    /usr/bin/my errand": {0x400000, 0xfff000, "/usr/bin/my errand", true},
		"7ffd1000-7ffd2000 r--p 00000000 00:00 0":                       {0x7ffd1000, 0x7ffd2000, "", false},
	} {
		if got, ok := readMapping(line); !ok || got != want {
			t.Errorf("%q: %+v, %v, want %+v", line, got, ok, want)
		}
	}
	for _, line := range []string{"Rss:                4 kB", "VmFlags: rd ex mr mw me", "", "x-y r-xp 0 0 0"} {
		if m, ok := readMapping(line); ok {
			t.Errorf("%q is taken for %+v", line, m)
		}
	}
}

// The program goes on as before, in less memory.
func TestForgetPages(t *testing.T) {
	before := resident(t)
	forgetPages()
	if after := resident(t); after >= before {
		t.Errorf("RssFile was %d kB and is %d kB", before, after)
	}
}

// resident is how much of this process's file-backed memory is present, in kB.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), "RssFile:")
	if !found {
		t.Skip("this system does not tell RssFile")
	}
	kB := 0
	for _, c := range strings.Fields(rest)[0] {
		kB = kB*10 + int(c-'0')
	}
	return kB
}
