package arch

// exception lets one place break one rule.
type exception struct {
	rule string
	file string // as in covers, for a file's name
	why  string
}

// exceptions is the whole list. A line that nothing needs any more fails the
// test, so the list only says what is true.
var exceptions = []exception{}

// excused reports whether the complaint has an exception, and marks it as needed.
func excused(c complaint, needed []bool) bool {
	for i, e := range exceptions {
		if e.rule == c.rule && covers(e.file, fileOf(c.where)) {
			needed[i] = true
			return true
		}
	}
	return false
}

// fileOf cuts the line off a place.
func fileOf(where string) string {
	for i := range where {
		if where[i] == ':' {
			return where[:i]
		}
	}
	return where
}
