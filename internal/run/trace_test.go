package run

import "testing"

func TestTraceParent(t *testing.T) {
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	p, ok := ParseTraceParent(good)
	if !ok || p.String() != good || p.Flags != 1 || p.Span[7] != 0xb7 {
		t.Errorf("%s is read as %v, %v", good, p, ok)
	}
	if later, ok := ParseTraceParent("cc" + good[2:] + "-what-may-come"); !ok || later != p {
		t.Errorf("a later version is read as %v, %v", later, ok)
	}
	for _, bad := range []string{
		"", "00", good + "-more", good + "x", "ff" + good[2:], "cc" + good[2:] + ".x",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
		"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		if p, ok := ParseTraceParent(bad); ok || p != (TraceParent{}) {
			t.Errorf("%q is read as %v", bad, p)
		}
	}
}
