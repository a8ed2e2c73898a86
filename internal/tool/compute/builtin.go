package compute

import (
	"fmt"
	"math"
	"math/big"

	"go.starlark.net/lib/json"
	starmath "go.starlark.net/lib/math"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// maxBits bounds the whole numbers that pow makes: 30,000 decimal digits. What
// multiplication makes is bounded by the limits of the process.
const maxBits = 100_000

// builtins are the names that a program finds beside Starlark's own.
func builtins() starlark.StringDict {
	return starlark.StringDict{
		"math":  starmath.Module,
		"json":  json.Module,
		"pow":   starlark.NewBuiltin("pow", pow),
		"round": starlark.NewBuiltin("round", round),
		"sum":   starlark.NewBuiltin("sum", sum),
	}
}

// pow is Python's: pow(base, exponent[, modulus]).
func pow(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var base, exponent starlark.Value
	var modulus starlark.Value = starlark.None
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "base", &base, "exp", &exponent, "mod?", &modulus); err != nil {
		return nil, err
	}
	x, wholeBase := base.(starlark.Int)
	y, wholeExponent := exponent.(starlark.Int)
	if wholeBase && wholeExponent && (y.Sign() >= 0 || modulus != starlark.None) {
		return powInt(x.BigInt(), y.BigInt(), modulus)
	}
	if modulus != starlark.None {
		return nil, fmt.Errorf("pow: with a modulus all three must be whole numbers")
	}
	f, ok := starlark.AsFloat(base)
	g, okay := starlark.AsFloat(exponent)
	if !ok || !okay {
		return nil, fmt.Errorf("pow: base and exponent must be numbers, not %s and %s", base.Type(), exponent.Type())
	}
	return starlark.Float(math.Pow(f, g)), nil
}

func powInt(x, y *big.Int, modulus starlark.Value) (starlark.Value, error) {
	if modulus != starlark.None {
		m, ok := modulus.(starlark.Int)
		if !ok || m.Sign() <= 0 || y.Sign() < 0 {
			return nil, fmt.Errorf("pow: the modulus must be a whole number above 0, and the exponent not below 0")
		}
		return starlark.MakeBigInt(new(big.Int).Exp(x, y, m.BigInt())), nil
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits/int64(x.BitLen())) {
		return nil, fmt.Errorf("pow: the result would have more than %d bits; use floats, or a modulus", maxBits)
	}
	if x.BitLen() <= 1 { // -1, 0, 1 need no more than the exponent's parity
		y = new(big.Int).Add(new(big.Int).And(y, big.NewInt(1)), big.NewInt(2*int64(y.Sign())))
	}
	return starlark.MakeBigInt(new(big.Int).Exp(x, y, nil)), nil
}

// round is Python's: half goes to the even neighbour, and without digits the
// result is a whole number.
func round(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var number starlark.Value
	var digits starlark.Value = starlark.None
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "number", &number, "ndigits?", &digits); err != nil {
		return nil, err
	}
	f, ok := starlark.AsFloat(number)
	if !ok {
		return nil, fmt.Errorf("round: got %s, want a number", number.Type())
	}
	_, whole := number.(starlark.Int)
	if digits == starlark.None {
		if whole {
			return number, nil
		}
		return starlark.NumberToInt(starlark.Float(math.RoundToEven(f)))
	}
	n, err := starlark.AsInt32(digits)
	switch {
	case err != nil:
		return nil, fmt.Errorf("round: ndigits: %w", err)
	case whole && n >= 0, n > maxDecimals, math.IsInf(f, 0) && !whole, math.IsNaN(f):
		return number, nil
	case n < -maxDecimals:
		return starlark.Binary(syntax.STAR, number, starlark.MakeInt(0))
	case whole:
		return starlark.MakeBigInt(rounded(new(big.Rat).SetInt(number.(starlark.Int).BigInt()), n).Num()), nil
	}
	result, _ := rounded(new(big.Rat).SetFloat64(f), n).Float64()
	return starlark.Float(math.Copysign(result, f)), nil
}

// maxDecimals is beyond what a float can tell apart.
const maxDecimals = 308

// rounded rounds the number that x is, not the one that it is printed as: the
// float 2.675 is a little less than that, and becomes 2.67.
func rounded(x *big.Rat, digits int) *big.Rat {
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(digits, -digits))), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	result := new(big.Rat).SetInt(nearest(x.Mul(x, scale)))
	return result.Quo(result, scale)
}

// nearest is the whole number nearest to x, the even one of two.
func nearest(x *big.Rat) *big.Int {
	floor, rest := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	switch double := new(big.Int).Lsh(rest, 1); double.Cmp(x.Denom()) {
	case 1:
		return floor.Add(floor, big.NewInt(1))
	case 0:
		if floor.Bit(0) == 1 {
			return floor.Add(floor, big.NewInt(1))
		}
	}
	return floor
}

// sum is Python's.
func sum(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var values starlark.Iterable
	var total starlark.Value = starlark.MakeInt(0)
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "iterable", &values, "start?", &total); err != nil {
		return nil, err
	}
	iterator := values.Iterate()
	defer iterator.Done()
	var value starlark.Value
	for iterator.Next(&value) {
		var err error
		if total, err = starlark.Binary(syntax.PLUS, total, value); err != nil {
			return nil, fmt.Errorf("sum: %w", err)
		}
	}
	return total, nil
}
