package schedule

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/adhocore/gronx"
)

// What one part of a field may look like once names are numbers. The parser lets
// more pass, which then means something else than it says.
var (
	plainPart = regexp.MustCompile(`^(\*|\d{1,2}(-\d{1,2})?)(/\d{1,3})?$`)
	monthDay  = regexp.MustCompile(`^(L|[1-9]\d?W)$`)   // the last day, the weekday nearest to a day
	weekDay   = regexp.MustCompile(`^[0-7](L|#[1-5])$`) // the last Friday of a month, the second one
)

// Places of the fields in what the parser makes of five: it puts seconds first.
const (
	minuteField = iota + 1
	hourField
	dayField
	monthField
	weekField
)

// readCron reads five fields. What the parser makes of each value is asked once,
// here, so that a time costs no parsing.
func readCron(text string, f faults) *face {
	made := &face{}
	if strings.HasPrefix(text, "@") || len(strings.Fields(text)) != weekField {
		f.add("cron", `%q has not five fields: minute, hour, day of the month, month, day of the week, such as "0 9 * * Mon-Fri".`, text)
		return made
	}
	fields, err := gronx.Segments(strings.Join(strings.Fields(text), " "))
	if err != nil {
		f.add("cron", "%q can't be read: %v.", text, err)
		return made
	}
	for place := minuteField; place <= weekField; place++ {
		if fault := checkField(fields[place], place); fault != "" {
			f.add("cron", "%q: %s", text, fault)
			return made
		}
	}
	var hours int
	for hour := range 24 {
		if !matches(fields[hourField], hourField, time.Date(2024, 1, 1, hour, 0, 0, 0, time.UTC)) {
			continue
		}
		hours++
		for minute := range 60 {
			if matches(fields[minuteField], minuteField, time.Date(2024, 1, 1, 0, minute, 0, 0, time.UTC)) {
				made.minutes[hour] |= 1 << minute
			}
		}
	}
	made.named = hours < 24
	for month := range 12 {
		made.month[month] = matches(fields[monthField], monthField, time.Date(2024, time.Month(month+1), 1, 0, 0, 0, 0, time.UTC))
	}
	made.day = dayOf(fields[dayField], fields[weekField])
	return made
}

// dayOf is cron's old rule: where both the day of the month and that of the week
// are restricted, either will do; a field that begins with a star restricts
// nothing by itself.
func dayOf(month, week string) func(date time.Time) bool {
	both := strings.HasPrefix(month, "*") || strings.HasPrefix(week, "*")
	return func(date time.Time) bool {
		byMonth, byWeek := matches(month, dayField, date), matches(week, weekField, date)
		if both {
			return byMonth && byWeek
		}
		return byMonth || byWeek
	}
}

// checkField says what is wrong with a field, by its parts: of a list the parser
// reads no further than it must, and finds a fault or not by the time of the day.
func checkField(field string, place int) string {
	names := [...]string{minuteField: "minute", hourField: "hour", dayField: "day of the month", monthField: "month", weekField: "day of the week"}
	for part := range strings.SplitSeq(field, ",") {
		special := place == dayField && monthDay.MatchString(part) || place == weekField && weekDay.MatchString(part)
		if !special && !plainPart.MatchString(part) {
			return fmt.Sprintf("%q can't be read as the %s.", part, names[place])
		}
		for _, date := range probes() {
			var checker gronx.SegmentChecker
			checker.SetRef(date)
			if _, err := checker.CheckDue(part, place); err != nil {
				return fmt.Sprintf("%q can't be the %s: %s.", part, names[place], err)
			}
		}
	}
	return ""
}

// probes are times that have each value of each field.
func probes() (dates []time.Time) {
	for i := range 60 {
		dates = append(dates, time.Date(2024, time.Month(i%12+1), i%31+1, i%24, i, 0, 0, time.UTC))
	}
	return dates
}

// matches asks the parser whether a field covers a time. Faults were found before.
func matches(field string, place int, at time.Time) bool {
	var checker gronx.SegmentChecker
	checker.SetRef(at)
	due, err := checker.CheckDue(field, place)
	return due && err == nil
}
