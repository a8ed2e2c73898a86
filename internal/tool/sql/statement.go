package sql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// statement is a query's text with its named placeholders numbered: each name has
// one number, however often it appears.
type statement struct {
	text  string
	names []string // names[0] is placeholder 1
}

// parse finds :name outside of strings, quoted names and comments, and writes the
// driver's form in its place: sign and number, ?1 or $1. It refuses more than one
// statement, unknown names and unused parameters.
func parse(text string, params map[string]Param, sign string) (statement, error) {
	var out strings.Builder
	var s statement
	ended := false
	for i := 0; i < len(text); {
		token := next(text[i:])
		piece := text[i : i+token.size]
		i += token.size
		switch {
		case token.kind == blank:
		case ended:
			return s, errors.New("there must be one statement only: something follows the semicolon")
		case piece == ";":
			ended = true
			continue
		case token.kind == unclosed:
			return s, fmt.Errorf("a quote or comment is not closed, at %.20q", piece)
		}
		if token.kind != placeholder {
			out.WriteString(piece)
			continue
		}
		name := piece[1:]
		if _, known := params[name]; !known {
			return s, fmt.Errorf("the placeholder :%s is not among the parameters", name)
		}
		at := slices.Index(s.names, name)
		if at < 0 {
			at = len(s.names)
			s.names = append(s.names, name)
		}
		out.WriteString(sign + strconv.Itoa(at+1))
	}
	for name := range params {
		if !slices.Contains(s.names, name) {
			return s, fmt.Errorf("the parameter %s is not used: write :%s where its value belongs", name, name)
		}
	}
	s.text = strings.TrimSpace(out.String())
	if s.text == "" {
		return s, errors.New("the statement is missing")
	}
	return s, nil
}

type kind int

const (
	code        kind = iota
	blank            // space or comment
	quoted           // a string or a quoted name
	placeholder      // :name
	unclosed
)

type token struct {
	kind kind
	size int
}

// next reads one token. It knows just enough of SQL to tell code from text: both
// databases' quotes, dollar quotes and comments, which PostgreSQL nests.
func next(text string) token {
	switch c := text[0]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
		return token{blank, 1}
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return token{blank, end + 1}
		}
		return token{blank, len(text)}
	case strings.HasPrefix(text, "/*"):
		return comment(text)
	case c == '\'' || c == '"' || c == '`':
		return until(text, 1, string(c))
	case c == '$':
		if tag := dollarTag(text); tag != "" {
			return until(text, len(tag), tag)
		}
		return token{code, 1}
	case strings.HasPrefix(text, "::"): // a cast
		return token{code, 2}
	case c == ':' && len(text) > 1 && wordStart(text[1]):
		return token{placeholder, 1 + word(text[1:])}
	case wordStart(c) || c >= '0' && c <= '9':
		if (c == 'E' || c == 'e') && len(text) > 1 && text[1] == '\'' {
			return escaped(text)
		}
		return token{code, word(text)}
	default:
		return token{code, 1}
	}
}

func until(text string, from int, end string) token {
	if at := strings.Index(text[from:], end); at >= 0 {
		return token{quoted, from + at + len(end)} // a doubled quote reads as two strings, which is as good
	}
	return token{unclosed, len(text)}
}

// escaped reads PostgreSQL's E'…', in which a backslash hides a quote.
func escaped(text string) token {
	for i := 2; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '\'':
			return token{quoted, i + 1}
		}
	}
	return token{unclosed, len(text)}
}

func comment(text string) token {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return token{blank, i + 1}
		}
	}
	return token{unclosed, len(text)}
}

// dollarTag returns $$ or $tag$ at the beginning of text, or nothing.
func dollarTag(text string) string {
	size := 1
	if len(text) > 1 && wordStart(text[1]) {
		size += word(text[1:])
	}
	if size < len(text) && text[size] == '$' {
		return text[:size+1]
	}
	return ""
}

func wordStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

func word(text string) int {
	for i := range len(text) {
		if c := text[i]; !wordStart(c) && (c < '0' || c > '9') {
			return i
		}
	}
	return len(text)
}
