package egress

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Hole is a block of addresses that the operator lets this server call although
// it is not public.
type Hole struct {
	Prefix netip.Prefix
	Port   uint16 // 0 = any
}

// String is the form that ParseAllow reads.
func (h Hole) String() string {
	if h.Port == 0 {
		return h.Prefix.String()
	}
	if h.Prefix.Addr().Is6() {
		return fmt.Sprintf("[%s]:%d", h.Prefix, h.Port)
	}
	return fmt.Sprintf("%s:%d", h.Prefix, h.Port)
}

// covers reports whether the hole lets a canonical address through.
func (h Hole) covers(addr netip.Addr, port uint16) bool {
	return h.Prefix.Contains(addr) && (h.Port == 0 || h.Port == port)
}

// ParseAllow reads the value of ERRAND_EGRESS_ALLOW: blocks of addresses with an
// optional port, separated by commas. An address without a length means itself.
// IPv6 with a port goes in brackets:
//
//	127.0.0.0/8, 10.0.0.0/8:8080, 192.168.1.7:443, fd00::/8, [fd00::/8]:443
//
// The error names the entry that cannot be read.
func ParseAllow(text string) ([]Hole, error) {
	var holes []Hole
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		hole, err := parseHole(entry)
		if err != nil {
			return nil, fmt.Errorf("ERRAND_EGRESS_ALLOW: entry %q: %w", entry, err)
		}
		holes = append(holes, hole)
	}
	return holes, nil
}

func parseHole(entry string) (Hole, error) {
	block, port, hasPort := entry, "", false
	if rest, bracketed := strings.CutPrefix(entry, "["); bracketed {
		var closed bool
		if block, port, closed = strings.Cut(rest, "]"); !closed {
			return Hole{}, fmt.Errorf("the bracket is not closed: want [fd00::/8]:443")
		}
		if port, hasPort = strings.CutPrefix(port, ":"); !hasPort && port != "" {
			return Hole{}, fmt.Errorf("only :port may follow the bracket: want [fd00::/8]:443")
		}
	} else if strings.Count(entry, ":") == 1 { // more of them are IPv6
		block, port, hasPort = strings.Cut(entry, ":")
	}
	prefix, err := parsePrefix(block)
	if err != nil {
		return Hole{}, err
	}
	hole := Hole{Prefix: prefix}
	if hasPort {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return Hole{}, fmt.Errorf("%q is no port: want a number from 1 to 65535", port)
		}
		hole.Port = uint16(number)
	}
	return hole, nil
}

func parsePrefix(block string) (netip.Prefix, error) {
	if !strings.Contains(block, "/") {
		addr, err := netip.ParseAddr(block)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is no address: want a block such as 10.0.0.0/8, or 10.0.0.0/8:8080; names are not accepted", block)
		}
		addr = canonical(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no block of addresses: want one such as 10.0.0.0/8 or fd00::/8", block)
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%q cuts through the IPv4-mapped addresses: write the IPv4 block", block)
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length: did you mean %s?", block, masked)
	}
	return prefix, nil
}
