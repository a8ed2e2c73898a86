package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		when, arguments string
		want            bool
	}{
		{`amount > 100`, `{"amount":101}`, true},
		{`amount > 100`, `{"amount":100}`, false},
		{`amount > 100`, `{"amount":100.5}`, true},
		{`amount > 100`, `{"amount":"101"}`, true}, // no number: nobody can tell
		{`amount > 100`, `{}`, true},               // not there: nobody can tell
		{`amount > 100`, `{"amount":1e999}`, true}, // nor here
		{`amount > 100`, `[101]`, true},
		{`amount > 100`, `{"amount":1} {"amount":2}`, true},
		{`amount > 100`, `nonsense`, true},
		{`to endsWith "@corp.com"`, `{"to":"a@corp.com"}`, true},
		{`not (to endsWith "@corp.com")`, `{"to":"a@corp.com"}`, false},
		{`not (to endsWith "@corp.com")`, `{"to":["a@corp.com"]}`, true},
		{`any(to, not (# endsWith "@corp.com"))`, `{"to":["a@corp.com","b@else.com"]}`, true},
		{`any(to, not (# endsWith "@corp.com"))`, `{"to":["a@corp.com"]}`, false},
		{`lower(currency) in ["usd", "eur"] && amount >= 10`, `{"currency":"EUR","amount":10}`, true},
		{`lower(currency) in ["usd", "eur"] && amount >= 10`, `{"currency":"CHF","amount":10}`, false},
		{`account.id == 9007199254740993`, `{"account":{"id":9007199254740992}}`, false},
		{`account.id == 9007199254740993`, `{"account":{"id":9007199254740993}}`, true},
		{`path matches "^/etc/"`, `{"path":"/etc/passwd"}`, true},
		{`path matches "^/etc/"`, `{"path":"/home/me"}`, false},
		{`$env["dry-run"] != true`, `{"dry-run":true}`, false},
		{`len(body) > 3`, `{"body":"abc"}`, false},
		{`urgent`, `{"urgent":true}`, true},
		{`urgent`, `{"urgent":"yes"}`, true}, // neither true nor false
		{`urgent`, `{"urgent":false}`, false},
		{`amount >`, `{"amount":1}`, true}, // saved by another version: nobody can tell
	} {
		var book Book
		for range 2 { // compiled, then remembered
			if got := book.Holds(c.when, c.arguments); got != c.want {
				t.Errorf("%s of %s: %v", c.when, c.arguments, got)
			}
		}
	}
}

// TestHoldsForWhatIsMissing: a gate is not passed by leaving something out, nor by a
// number that is taken for another.
func TestHoldsForWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		when, arguments string
		want            bool
	}{
		// What is not there, or null, is nothing that a list could have or a text could be.
		{`currency in ["USD", "EUR"] and amount >= 50`, `{"amount":1000000}`, true},
		{`currency in ["USD", "EUR"] and amount >= 50`, `{"currency":null,"amount":1000000}`, true},
		{`currency in ["USD", "EUR"] and amount >= 50`, `{"currency":"CHF","amount":1000000}`, false},
		{`currency == "USD"`, `{}`, true},
		{`currency == "USD"`, `{"currency":"EUR"}`, false},
		{`not (kind != "gift")`, `{}`, true},
		{`path matches "^/etc/"`, `{}`, true},
		{`path startsWith "/etc/"`, `{}`, true},
		{`not (to contains "@else")`, `{}`, true},
		{`to contains "@else"`, `{}`, true},
		{`"x" in tags`, `{}`, true},
		{`"x" in tags`, `{"tags":["y"]}`, false},
		{`customer.country in ["DE"]`, `{"customer":{}}`, true},
		{`customer?.country == "DE"`, `{}`, true},
		{`any(items, .sku == "a")`, `{"items":[{}]}`, true},
		{`any(items, .sku == "a")`, `{"items":[{"sku":"b"}]}`, false},
		{`any(to, # contains "@")`, `{"to":[null]}`, true},
		{`to == nil`, `{"to":"x"}`, false}, // a condition that is about just that
		{`to == nil`, `{}`, true},
		{`to != nil`, `{}`, false},
		{`(currency ?? "USD") == "EUR"`, `{}`, false},
		// A number that would be rounded could pass a limit that it is beyond.
		{`amount > 100`, `{"amount":100.00000000000000001}`, true},
		{`amount < 0`, `{"amount":99999999999999999999}`, true},
		{`amount > 9007199254740992`, `{"amount":9007199254740993.0}`, true},
		{`amount > 0`, `{"amount":1e-99999999}`, true},
		{`amount > 100`, `{"amount":99.99}`, false},
		{`amount > 100`, `{"amount":70.10000000000001}`, false},
		{`amount > 100`, `{"amount":-0.0}`, false},
		{`amount > 100`, `{"amount":1e2}`, false},
	} {
		var book Book
		if got := book.Holds(c.when, c.arguments); got != c.want {
			t.Errorf("%s of %s: %v", c.when, c.arguments, got)
		}
	}
}

func TestHoldsForWhatIsTooLarge(t *testing.T) {
	var book Book
	if text := strings.Repeat("a", maxArguments); !book.Holds(`amount > 100`, fmt.Sprintf(`{"amount":1,"text":%q}`, text)) {
		t.Error("a call that is too large to be judged passed")
	}
}

func TestCheck(t *testing.T) {
	for when, want := range map[string]string{
		`amount > 100`:                           "",
		`any(to, # != "me") or $env["my-field"]`: "",
		``:                                       "unexpected token",
		`amount >`:                               "unexpected token",
		`true`:                                   "reads no argument",
		`len(to)`:                                "expected bool",
		`now() > since`:                          "no function now",
		`all(a, any(b, # > 1))`:                  "in one another",
		`any(a, #) or any(b, #) or any(c, #)`:    "too many of any",
		`any(1..1000000000, # > x)`:              "ranges",
		`let x = a + a; let y = x + x; y == "aaaa"`: "let",
		`text matches pattern`:                      "in quotes",
		`text matches "("`:                          "missing closing )",
		`$env[name]`:                                "name the argument itself",
		strings.Repeat("a+", 20) + `a == "x"`:       "too many +",
		strings.Repeat("a or ", 60) + "a":           "maximum allowed nodes",
		strings.Repeat("a or ", 200) + "a":          "too long",
		`repeat(a, 1000000) == "b"`:                 "no function repeat",
	} {
		_, err := Check(when)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60s: %v, want %q", when, err, want)
		}
	}
	names, err := Check(`amount > 100 && any(to, # contains account.name) && $env["x y"]`)
	if want := []string{"account", "amount", "to", "x y"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("it reads %q, %v", names, err)
	}
}

// The slowest condition that can be saved, on the largest arguments.
func TestConditionsEndSoon(t *testing.T) {
	var book Book
	items := strings.Repeat(`"a",`, maxArguments/8)
	arguments := fmt.Sprintf(`{"list":[%s"b"],"text":%q}`, items, strings.Repeat("ab", maxArguments/5))
	if len(arguments) > maxArguments {
		t.Fatal("too large to be judged")
	}
	begun := time.Now()
	book.Holds(`any(list, text contains (# + "c")) or any(list, text contains (# + "d"))`, arguments)
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}

func TestBookIsShared(t *testing.T) {
	var book Book
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range maxKept {
				if !book.Holds(fmt.Sprintf("n == %d", n), fmt.Sprintf(`{"n":%d}`, n)) || len(book.remembered()) > maxKept {
					t.Errorf("%d: %d", i, n)
				}
			}
		})
	}
	group.Wait()
}

func (b *Book) remembered() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for when := range b.kept {
		all = append(all, when)
	}
	return all
}
