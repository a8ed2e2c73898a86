package rule

import (
	"testing"
	"time"
)

// FuzzCondition: whatever a condition and arguments are, the condition is refused when
// it is saved, or judged in time; and what can't be judged holds the gate.
func FuzzCondition(f *testing.F) {
	for _, seed := range [][2]string{
		{`amount > 100`, `{"amount":101}`}, {`to == nil`, `{}`}, {`any(to, # endsWith "@example.com")`, `{"to":["a@example.com"]}`}, {`(currency ?? "EUR") == "EUR"`, `{"currency":null}`},
		{`amount > 9007199254740993`, `{"amount":9007199254740993}`}, {`a + a + a == "x"`, `{"a":"yyyy"}`}, {`a.b.c[0]?.d matches "(a+)+$"`, `{"a":{"b":[1]}}`}, {`not (`, `{`}, {``, ``}, {`all(a, {all(a, {# > 0})})`, `{"a":[1,2]}`}, {`a in 1..1000000000`, `{"a":5}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, when, arguments string) {
		if _, err := Check(when); err != nil {
			return
		}
		var book Book
		began := time.Now()
		held, err := book.judge(when, arguments)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q of %q takes %s", when, arguments, took)
		}
		if err != nil && !book.Holds(when, arguments) {
			t.Errorf("%q of %q can't be judged (%v) and lets the call pass", when, arguments, err)
		}
		if again := book.Holds(when, arguments); err == nil && again != held {
			t.Errorf("%q of %q is %v and then %v", when, arguments, held, again)
		}
	})
}
