package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// The parts of a secret: sk_live_<32 random>_<6 checksum>. The fixed beginning
// and the checksum let a scanner find a leaked key and be sure of it without
// asking this server.
const (
	secretStart    = "sk_live_"
	secretRandom   = 32 // base62 characters: 190 bits
	secretChecksum = 6  // base62 characters: a CRC-32
	prefixLength   = len(secretStart) + 4
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newSecret makes a secret. The random source of the operating system does not
// fail.
func newSecret() string {
	body := make([]byte, 0, secretRandom)
	var pool [64]byte
	for len(body) < secretRandom {
		_, _ = rand.Read(pool[:])
		for _, b := range pool {
			// 248 is the largest multiple of 62 in a byte: what lies above would
			// make the first letters likelier.
			if b < 248 && len(body) < secretRandom {
				body = append(body, base62[b%62])
			}
		}
	}
	start := secretStart + string(body)
	return start + "_" + checksum(start)
}

// checksum is the CRC-32 of the text before it in base 62.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var digits [secretChecksum]byte
	for i := secretChecksum - 1; i >= 0; i-- {
		digits[i] = base62[sum%62]
		sum /= 62
	}
	return string(digits[:])
}

// LooksIssued reports whether the text has the form and the checksum of a secret
// that a server of this kind made, so that logs and scanners can recognise one.
func LooksIssued(text string) bool {
	cut := len(secretStart) + secretRandom
	return len(text) == cut+1+secretChecksum && strings.HasPrefix(text, secretStart) &&
		text[cut] == '_' && text[cut+1:] == checksum(text[:cut])
}

// prefixOf is what lists show of a secret. Of one that an operator made up they
// show nothing, because it may be short.
func prefixOf(secret string) string {
	if LooksIssued(secret) {
		return secret[:prefixLength]
	}
	return ""
}

// fingerprint is the stored form of a secret. A plain SHA-256 is enough: there
// are no short or guessable secrets to slow an attacker down for.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
