package tool

import (
	"errors"
	"math"
	"strconv"
)

// Whole is a whole number as JSON schema counts them: 2.0 and 2e3 are among them, and
// some models write all numbers so. What passes a schema must not fail behind it.
type Whole int

// UnmarshalJSON reads a number; null is what was there before.
func (w *Whole) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil || number != math.Trunc(number) || math.Abs(number) > 1<<53 { // beyond it a float is none
		return errors.New("must be a whole number")
	}
	*w = Whole(number)
	return nil
}
