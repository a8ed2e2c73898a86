package wire

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/problem"
)

// Query reads query parameters and collects what is wrong with them.
type Query struct {
	values url.Values
	faults map[string]string
}

// Has reports whether the parameter is there.
func (q *Query) Has(name string) bool { return q.values.Has(name) }

// String returns the parameter, or "" when it is not there.
func (q *Query) String(name string) string { return q.values.Get(name) }

// Int returns the parameter as a number within the bounds.
func (q *Query) Int(name string, absent, least, most int) int {
	if !q.values.Has(name) {
		return absent
	}
	n, err := strconv.Atoi(q.values.Get(name))
	if err != nil || n < least || n > most {
		q.Refuse(name, "must be a whole number from %d to %d, not %q", least, most, q.values.Get(name))
		return absent
	}
	return n
}

// Bool returns the parameter, which is true or false.
func (q *Query) Bool(name string, absent bool) bool {
	switch q.values.Get(name) {
	case "true":
		return true
	case "false":
		return false
	}
	if q.values.Has(name) {
		q.Refuse(name, "must be true or false, not %q", q.values.Get(name))
	}
	return absent
}

// OneOf returns the parameter, which is one of the choices, or "".
func (q *Query) OneOf(name string, choices ...string) string {
	value := q.values.Get(name)
	if q.values.Has(name) && !slices.Contains(choices, value) {
		q.Refuse(name, "must be one of %s, not %q", strings.Join(choices, ", "), value)
		return ""
	}
	return value
}

// Time returns the parameter as RFC 3339 or Unix seconds; zero when absent.
func (q *Query) Time(name string) time.Time {
	if !q.values.Has(name) {
		return time.Time{}
	}
	value := q.values.Get(name)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		q.Refuse(name, "must be a time such as 2026-06-11T07:02:11Z, not %q", value)
	}
	return at.UTC()
}

// Refuse adds a fault of the caller's own finding. The first about a parameter stays.
func (q *Query) Refuse(name, format string, args ...any) {
	if q.faults == nil {
		q.faults = map[string]string{}
	}
	if q.faults[name] == "" {
		q.faults[name] = fmt.Sprintf(format, args...)
	}
}

// Err returns an invalid_request that lists all that is wrong, or nil.
func (q *Query) Err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return problem.InvalidFields(q.faults)
}

// readQuery parses the query and, for a strict family, refuses what the route
// does not know and what is there twice.
func readQuery(raw string, known []string, strict bool) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, problem.New(problem.InvalidRequest, "The query can't be read: escape its special characters as %%XX.")
	}
	if !strict {
		return values, nil
	}
	q := Query{}
	for name, given := range values {
		if !slices.Contains(known, name) {
			q.Refuse(name, "%s", unknown("query parameter", name, known))
		} else if len(given) > 1 {
			q.Refuse(name, "is there %d times: send it once", len(given))
		}
	}
	return values, q.Err()
}

// unknown words a complaint about a name that nobody knows.
func unknown(what, name string, known []string) string {
	if near := problem.Nearest(name, known); near != "" {
		return fmt.Sprintf("there is no such %s: did you mean %q?", what, near)
	}
	if len(known) == 0 {
		return fmt.Sprintf("there is no such %s: none is known here", what)
	}
	sorted := slices.Sorted(slices.Values(known))
	return fmt.Sprintf("there is no such %s: known are %s", what, strings.Join(sorted, ", "))
}
