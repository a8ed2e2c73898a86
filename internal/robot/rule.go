package robot

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A validation rule is something that this server can hold a task's output
// against by itself. There are these and no others; what only a reader can judge
// belongs into expected_output.
const ruleList = "not_empty, json, contains:TEXT, matches:REGEXP, min_length:N, max_length:N (characters)"

const (
	maxRules = 10
	maxRule  = 500 // bytes
)

// rule returns what is wrong with an output, or "".
type rule func(output string) string

// parseRule reads one rule.
func parseRule(text string) (rule, error) {
	name, value, _ := strings.Cut(strings.TrimSpace(text), ":")
	value = strings.TrimSpace(value)
	switch {
	case len(text) > maxRule:
		return nil, fmt.Errorf("a validation rule is longer than %d bytes", maxRule)
	case name == "not_empty":
		return func(output string) string { return unless(strings.TrimSpace(output) != "", "it is empty") }, nil
	case name == "json":
		return func(output string) string { return unless(json.Valid([]byte(output)), "it is not JSON") }, nil
	case name == "contains" && value != "":
		return func(output string) string {
			found := strings.Contains(strings.ToLower(output), strings.ToLower(value))
			return unless(found, fmt.Sprintf("it does not contain %q", value))
		}, nil
	case name == "matches" && value != "":
		pattern, err := regexp.Compile(value)
		if err != nil {
			return nil, fmt.Errorf("the validation rule %q is no regular expression (RE2)", text)
		}
		return func(output string) string {
			return unless(pattern.MatchString(output), fmt.Sprintf("it does not match %q", value))
		}, nil
	case name == "min_length" || name == "max_length":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("the validation rule %q needs a number of characters", text)
		}
		return lengthRule(name == "min_length", n), nil
	}
	return nil, fmt.Errorf("%q is no validation rule: there are %s. Say anything else in expected_output", text, ruleList)
}

func lengthRule(least bool, n int) rule {
	return func(output string) string {
		has := utf8.RuneCountInString(strings.TrimSpace(output))
		if least {
			return unless(has >= n, fmt.Sprintf("it has %d characters, and at least %d are expected", has, n))
		}
		return unless(has <= n, fmt.Sprintf("it has %d characters, and at most %d are expected", has, n))
	}
}

func unless(good bool, fault string) string {
	if good {
		return ""
	}
	return fault
}

// broken lists what an output breaks. Rules that cannot be read were refused when
// the task was planned.
func broken(rules []string, output string) []string {
	var issues []string
	for _, text := range rules {
		check, err := parseRule(text)
		if err != nil {
			continue
		}
		if fault := check(output); fault != "" {
			issues = append(issues, fmt.Sprintf("%s: %s.", text, fault))
		}
	}
	return issues
}
