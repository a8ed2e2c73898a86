package egress

import (
	"net/http"
	"testing"

	"errand/internal/problem"
)

func TestCheckSecure(t *testing.T) {
	holes, err := ParseAllow("10.0.0.0/8:8080, fd00::/8")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]struct{ closed, open bool }{
		"https://example.com/x":         {true, true},
		"https://93.184.216.34/":        {true, true},
		"https://10.1.2.3:8080/":        {false, true},
		"https://10.1.2.3/":             {false, false},
		"http://10.1.2.3:8080/":         {false, true},
		"http://10.1.2.3/":              {false, false},
		"http://[fd00::1]/":             {false, true},
		"http://[::ffff:10.1.2.3]:8080": {false, true},
		"http://93.184.216.34/":         {false, false},
		"http://inside.test/":           {false, true}, // where it leads is seen when it is called
		"https://127.0.0.1/":            {false, false},
		"https://127.1/":                {false, false},
		"https://[fe80::1%25eth0]/":     {false, false},
		"ftp://example.com/":            {false, false},
		"https://u@example.com/":        {false, false},
		"":                              {false, false},
	} {
		if _, err := New(Config{}).CheckSecure(address); (err == nil) != want.closed {
			t.Errorf("without holes, %s: %v", address, err)
		}
		if _, err := New(Config{Allow: holes}).CheckSecure(address); (err == nil) != want.open {
			t.Errorf("with holes, %s: %v", address, err)
		}
	}
}

// A client for holes calls nothing else, not even what is public.
func TestHolesAlone(t *testing.T) {
	server, reached := counting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	client := open(t).Client(Options{Holes: true})
	if _, err := get(t, client, server.URL); err != nil || reached.Load() != 1 {
		t.Errorf("through the hole: %v", err)
	}
	if _, err := get(t, client, "http://192.0.2.1/"); !problem.Is(err, problem.EgressDenied) {
		t.Errorf("an address that is reserved: %v", err)
	}
	if _, err := get(t, client, "http://93.184.216.34/"); !problem.Is(err, problem.EgressDenied) {
		t.Errorf("a public address: %v", err)
	}
}
