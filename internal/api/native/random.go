package native

import "crypto/rand"

// random fills into with what nobody can guess.
func random(into []byte) error {
	_, err := rand.Read(into)
	return err
}
