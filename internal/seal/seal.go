// Package seal encrypts the credentials that a server has to keep: tokens of the
// servers whose tools a run calls. A backup, a copied database file or a dump
// gives none of them away without the key, which is in no database.
//
// What it promises: what Open returns is exactly what Seal was given, with the
// same key and the same context; anything else is an error. The context says
// what a sealed value belongs to, so that one can't be moved to another place and
// opened there. Sealing the same value twice gives different bytes.
//
// The key is the file seal.key in the data directory, made at the first start and
// readable by its owner alone. Several servers that share runs need the same key:
// New takes one from wherever the operator keeps it.
//
// To change where the key comes from, edit key.go; how a value is sealed, this
// file.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes: AES-256.
const KeySize = 32

// format is the first byte of every sealed value. Another algorithm gets another
// one, and what was sealed before can still be opened.
const format = 1

// ErrSealed says that a value can't be opened: another key or context has sealed
// it, or it was changed.
var ErrSealed = errors.New("this value was sealed with another key or for another place, or it is damaged")

// Box seals and opens. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// New returns a box with a key of KeySize random bytes.
func New(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a sealing key has %d bytes, this one has %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making the cipher: %w", err)
	}
	return &Box{aead: aead}, nil
}

// Seal returns plain encrypted, to be opened with the same context. A random
// nonce of 96 bits is good for 2^32 values under one key: a thousand a day for
// ten thousand years.
func (b *Box) Seal(plain []byte, context string) []byte {
	sealed := make([]byte, 1, 1+len(plain)+b.aead.Overhead())
	sealed[0] = format
	return b.aead.Seal(sealed, nil, plain, additional(context))
}

// Open returns what was sealed with this context, or ErrSealed.
func (b *Box) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != format {
		return nil, ErrSealed
	}
	plain, err := b.aead.Open(nil, nil, sealed[1:], additional(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// additional binds the format as well: it can't be changed either.
func additional(context string) []byte { return append([]byte{format}, context...) }
