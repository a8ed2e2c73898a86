package config

import (
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// checkFront checks what stands before the server: the base path and the proxies.
func (c *Config) checkFront() error {
	if base := c.BasePath; base != "" && (base != path.Clean(base) || base == "/" || base[0] != '/' || strings.ContainsAny(base, "%?#{} \\")) {
		return fmt.Errorf("base_path: %q must look like /errand: a slash before it, none behind it, and no special characters", base)
	}
	_, err := c.Proxies()
	return err
}

// Proxies are the networks of TrustedProxies. An address alone is a network of one.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if address, bad := netip.ParseAddr(text); bad == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %q is no network such as 10.0.0.0/8, and no address", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}
