package egress

import "net/netip"

// span is a block of addresses that is not the public Internet.
type span struct {
	prefix netip.Prefix
	kind   string // as an operator would call it, for the refusal
}

// reserved4 is what the IANA special-purpose registry for IPv4 keeps from public
// use, with multicast and the reserved class E.
var reserved4 = []span{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-grade NAT"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local or cloud metadata"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignment"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT relay"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

// reserved6 names the blocks of IPv6 that people meet; global6 decides about the
// rest. Forms that carry an IPv4 address (compatible, NAT64, 6to4, Teredo) are
// refused whatever address they carry: what a gateway makes of them is unknown.
var reserved6 = []span{
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible"},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "IPv4-translated"},
	{netip.MustParsePrefix("64:ff9b::/96"), "NAT64"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "NAT64"},
	{netip.MustParsePrefix("100::/64"), "discard-only"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignment"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("fc00::/7"), "private or cloud metadata"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// global6 is all of IPv6 that is given out as public addresses.
var global6 = netip.MustParsePrefix("2000::/3")

// nonPublic returns what kind of address this is if it is not a public one. The
// address must be canonical.
func nonPublic(addr netip.Addr) (kind string, yes bool) {
	list := reserved6
	if addr.Is4() {
		list = reserved4
	}
	for _, s := range list {
		if s.prefix.Contains(addr) {
			return s.kind, true
		}
	}
	if addr.Is6() && !global6.Contains(addr) {
		return "unassigned", true
	}
	return "", !addr.IsValid()
}

// canonical makes one form of the many that mean the same address: an
// IPv4-mapped one becomes IPv4, and a zone, against which no prefix matches, goes.
func canonical(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }
