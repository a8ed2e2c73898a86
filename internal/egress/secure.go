package egress

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
)

// CheckSecure is CheckURL for what must not travel in the open: https, or http to
// an address that the operator has allowed. What can be said of the address
// without asking the DNS is said here; where a name leads is checked when it is
// called, by a client with Options.Holes for http. An error is a sentence without
// its field, or an egress_denied problem.
func (g *Guard) CheckSecure(text string) (*url.URL, error) {
	u, err := CheckURL(text)
	if err != nil {
		return nil, err
	}
	if err := checkHost(u.Hostname()); err != nil {
		return nil, err
	}
	door := g
	if u.Scheme == "http" {
		door = g.within()
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil { // a name
		if u.Scheme == "http" && len(g.allow) == 0 {
			return nil, denied(u.Hostname(), &refusal{kind: public})
		}
		return u, nil
	}
	var refused *refusal
	if errors.As(door.check(netip.AddrPortFrom(addr, port(u))), &refused) {
		return nil, denied(u.Hostname(), refused)
	}
	return u, nil
}

// port is where a URL leads by its own word, or by its scheme's.
func port(u *url.URL) uint16 {
	number, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err == nil:
		return uint16(number)
	case u.Scheme == "https":
		return 443
	}
	return 80
}
