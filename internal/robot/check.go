package robot

import (
	"context"
	"fmt"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// Bounds of a robot: far above what is sensible, and low enough that a run's first
// event stays small.
const (
	maxName    = 128      // code points
	maxLabel   = 256      // bytes of a label or an address
	maxText    = 32 << 10 // bytes of a text
	maxList    = 50       // entries of a list
	maxTargets = 10       // of one kind
	maxQuota   = 1000
)

// memberID is what a member_id looks like: a part of an address.
var memberID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// CheckID reports what is wrong with a member_id, or "".
func CheckID(id string) string {
	switch {
	case !memberID.MatchString(id):
		return "must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with a letter or a digit."
	case slices.Contains([]string{"activities", "integrations", "stream", "events"}, strings.ToLower(id)):
		return fmt.Sprintf("%q is reserved for a route of the API: choose another one.", id)
	}
	return ""
}

// Check lists everything that is wrong with a profile, by field, as one
// invalid_request.
func (d *Desk) Check(ctx context.Context, project string, p *Profile) error {
	faults := agent.Faults{}
	checkTexts(p, faults)
	refuse(p, faults)
	d.Catalog.CheckModel(p.LanguageModel, faults)
	if told, wrong := faults["model"]; wrong {
		delete(faults, "model")
		faults.Add("language_model", told)
	} else if p.CostLimit > 0 && !d.Catalog.Models.Priced(p.LanguageModel) {
		faults.Add("cost_limit", fmt.Sprintf("cannot be kept: the price of %s is not known here. Its operator can name it under prices in errand.yaml.", p.LanguageModel))
	}
	if p.CostLimit < 0 || p.CostLimit > 1e9 {
		faults.Add("cost_limit", "must be a number of US dollars, or 0 for none.")
	}
	c := &p.Config
	c.Identity.check(faults)
	c.Clock.check(faults)
	checkEvents(c.Events, faults)
	c.Quota.check(faults)
	c.Learn.check(faults)
	c.Executor.check(faults)
	d.checkTargets(c.Delivery, faults)
	if err := d.checkResources(ctx, project, p, faults); err != nil {
		return err
	}
	return faults.Problem()
}

func checkTexts(p *Profile, faults agent.Faults) {
	switch name := p.DisplayName; {
	case strings.TrimSpace(name) == "":
		faults.Add("display_name", "is required: give the robot a name.")
	case utf8.RuneCountInString(name) > maxName:
		faults.Add("display_name", fmt.Sprintf("is too long: at most %d characters.", maxName))
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		faults.Add("display_name", "must not contain control characters.")
	}
	for field, text := range map[string]string{"bio": p.Bio, "system_prompt": p.SystemPrompt} {
		if len(text) > maxText {
			faults.Add(field, fmt.Sprintf("is too long: at most %d bytes.", maxText))
		}
	}
	for field, text := range map[string]string{
		"role_id": p.RoleID, "manager_id": p.ManagerID, "robot_config.default_locale": p.Config.DefaultLocale,
	} {
		if len(text) > maxLabel || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			faults.Add(field, fmt.Sprintf("must be one line of at most %d bytes.", maxLabel))
		}
	}
	if len(p.Avatar) > maxText { // a URL, or a small picture as a data: URL
		faults.Add("avatar", fmt.Sprintf("is too long: at most %d bytes.", maxText))
	}
	oneOf("status", p.Status, faults, Active, Inactive, Pending, Suspended)
	oneOf("robot_status", p.RobotStatus, faults, Idle, Paused, Maintenance)
}

func oneOf(field, word string, faults agent.Faults, words ...string) {
	if !slices.Contains(words, word) {
		faults.Add(field, fmt.Sprintf("is %q, and must be one of %s.", word, strings.Join(words, ", ")))
	}
}

func (i *Identity) check(faults agent.Faults) {
	const field = "robot_config.identity"
	if i == nil {
		return
	}
	if strings.TrimSpace(i.Role) == "" {
		faults.Add(field+".role", "is required of an identity: say in a sentence what the robot is.")
	}
	size := len(i.Role)
	for _, text := range slices.Concat(i.Duties, i.Rules) {
		size += len(text)
	}
	if size > maxText {
		faults.Add(field, fmt.Sprintf("is too long: at most %d bytes in all.", maxText))
	}
}

// clockTime is a time of day, on 24 hours.
var clockTime = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// Days are how a clock's days are spelled, from Sunday on, as time.Weekday counts.
func Days() []string { return []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} }

// minPeriod is how often a robot may start by itself.
const minPeriod = time.Second

func (c *Clock) check(faults agent.Faults) {
	const field = "robot_config.clock"
	if c == nil {
		return
	}
	oneOf(field+".mode", c.Mode, faults, Times, Interval, Daemon)
	if c.Mode == Times && (len(c.Times) == 0 || len(c.Times) > maxList) {
		faults.Add(field+".times", fmt.Sprintf("mode times needs 1 to %d times of day, such as 09:00.", maxList))
	}
	for i, at := range c.Times {
		if !clockTime.MatchString(at) {
			faults.Add(fmt.Sprintf("%s.times[%d]", field, i), fmt.Sprintf("%q is no time of day: write it as 09:00.", at))
		}
	}
	for i, day := range c.Days {
		if day != "*" && !slices.Contains(Days(), day) {
			faults.Add(fmt.Sprintf("%s.days[%d]", field, i), fmt.Sprintf(`%q must be one of %s, or "*".`, day, strings.Join(Days(), ", ")))
		}
	}
	if c.Mode == Interval && c.Period() < minPeriod {
		faults.Add(field+".every", "mode interval needs a period of at least 1s, such as 30m.")
	}
	if _, err := time.LoadLocation(c.TZ); err != nil || c.TZ == "Local" {
		faults.Add(field+".tz", fmt.Sprintf("%q is no IANA time zone, such as Europe/Berlin.", c.TZ))
	}
	checkDuration(field+".timeout", c.Timeout, faults)
}

// maxDuration is how long an execution may work, as long as a saved agent's run.
const maxDuration = 30 * 24 * time.Hour

func checkDuration(field, text string, faults agent.Faults) {
	if text == "" {
		return
	}
	if d, err := time.ParseDuration(text); err != nil || d < time.Second || d > maxDuration {
		faults.Add(field, "must be a time such as 90s, 30m or 2h, from 1s to 720h.")
	}
}

func checkEvents(events []EventSource, faults agent.Faults) {
	if len(events) > maxList {
		faults.Add("robot_config.events", fmt.Sprintf("has %d sources: at most %d.", len(events), maxList))
	}
	for i := range events {
		field := fmt.Sprintf("robot_config.events[%d]", i)
		if events[i].Type == "database" {
			faults.Add(field+".type", "database is not offered: this server has no database of yours to watch. Have it send a webhook.")
			continue
		}
		oneOf(field+".type", events[i].Type, faults, "webhook")
		if !memberID.MatchString(events[i].Source) {
			faults.Add(field+".source", "must be 1 to 64 letters, digits, dots, dashes or underscores: it is the last part of the address that events are sent to.")
		}
		if events[i].Source == "rotate" {
			faults.Add(field+".source", "\"rotate\" is reserved for a route of the API: choose another one.")
		}
		for j := range i {
			if events[j].Source == events[i].Source {
				faults.Add(field+".source", fmt.Sprintf("%q is there twice.", events[i].Source))
			}
		}
	}
}

func (q *Quota) check(faults agent.Faults) {
	const field = "robot_config.quota"
	if q == nil {
		return
	}
	if q.Max < 0 || q.Max > maxQuota {
		faults.Add(field+".max", fmt.Sprintf("must be a number from 1 to %d.", maxQuota))
	}
	if q.Queue < 0 || q.Queue > maxQuota {
		faults.Add(field+".queue", fmt.Sprintf("must be a number from 1 to %d.", maxQuota))
	}
	if q.Priority < 0 || q.Priority > 10 {
		faults.Add(field+".priority", "must be a number from 1 to 10.")
	}
}

func (l *Learn) check(faults agent.Faults) {
	if l == nil {
		return
	}
	for i, kind := range l.Types {
		oneOf(fmt.Sprintf("robot_config.learn.types[%d]", i), kind, faults, LearnExecution, LearnFeedback, LearnInsight)
	}
	if l.Keep < 0 || l.Keep > 3650 {
		faults.Add("robot_config.learn.keep", "must be a number of days from 1 to 3650.")
	}
}

func (e *Executor) check(faults agent.Faults) {
	if e == nil {
		return
	}
	if e.Mode != "" {
		oneOf("robot_config.executor.mode", e.Mode, faults, Standard, DryRun)
	}
	checkDuration("robot_config.executor.max_duration", e.MaxDuration, faults)
}

func (d *Desk) checkTargets(t *Targets, faults agent.Faults) {
	const field = "robot_config.delivery."
	if t == nil {
		return
	}
	if t.Email != nil {
		if t.Email.Enabled && !d.Mail {
			faults.Add(field+"email.enabled", "is not possible: this server sends no mail. Its operator can set ERRAND_SMTP_URL and ERRAND_SMTP_FROM.")
		}
		crowd(field+"email.targets", len(t.Email.Targets), faults)
		for i := range t.Email.Targets {
			t.Email.Targets[i].check(fmt.Sprintf("%semail.targets[%d].", field, i), faults)
		}
	}
	if t.Webhook != nil {
		crowd(field+"webhook.targets", len(t.Webhook.Targets), faults)
		for i := range t.Webhook.Targets {
			target := &t.Webhook.Targets[i]
			at := fmt.Sprintf("%swebhook.targets[%d].", field, i)
			if err := d.CheckURL(target.URL); err != nil {
				told := problem.From(err)
				faults.Add(at+"url", first(told.Fields["url"], told.Detail))
			}
			target.check(at, faults)
		}
	}
	if t.File != nil {
		crowd(field+"file.targets", len(t.File.Targets), faults)
		for i := range t.File.Targets {
			if name := t.File.Targets[i].Name; len(name) > maxLabel || strings.ContainsAny(name, "/\\\n") {
				faults.Add(fmt.Sprintf("%sfile.targets[%d].name", field, i), fmt.Sprintf("must be a file's name of at most %d bytes, without a path.", maxLabel))
			}
		}
	}
}

func crowd(field string, n int, faults agent.Faults) {
	if n > maxTargets {
		faults.Add(field, fmt.Sprintf("has %d entries: at most %d.", n, maxTargets))
	}
}

func (t *EmailTarget) check(at string, faults agent.Faults) {
	if len(t.To) == 0 || len(t.To) > maxList {
		faults.Add(at+"to", fmt.Sprintf("must name 1 to %d addresses.", maxList))
	}
	for i, to := range t.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			faults.Add(fmt.Sprintf("%sto[%d]", at, i), fmt.Sprintf("%q is no e-mail address.", to))
		}
	}
	if t.Template != "" {
		faults.Add(at+"template", "is not offered: the mail is the delivery's summary and body. Remove it.")
	}
	if len(t.Subject) > maxLabel || strings.ContainsFunc(t.Subject, func(r rune) bool { return r < ' ' }) {
		faults.Add(at+"subject", fmt.Sprintf("must be one line of at most %d bytes.", maxLabel))
	}
}

func (t *WebhookTarget) check(at string, faults agent.Faults) {
	if t.Method != "" && !strings.EqualFold(t.Method, "POST") {
		faults.Add(at+"method", fmt.Sprintf("%q is not offered: a delivery is a POST.", t.Method))
	}
	if len(t.Secret) > maxLabel {
		faults.Add(at+"secret", fmt.Sprintf("is too long: at most %d bytes.", maxLabel))
	}
	if len(t.Headers) > maxList {
		faults.Add(at+"headers", fmt.Sprintf("has %d entries: at most %d.", len(t.Headers), maxList))
	}
	for name, value := range t.Headers {
		lower := strings.ToLower(name)
		switch {
		case !token.MatchString(name) || len(value) > maxLabel || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			faults.Add(at+"headers", fmt.Sprintf("%q is no header with a value of one line of at most %d bytes.", name, maxLabel))
		case credential.MatchString(lower):
			faults.Add(at+"headers."+name, "would be stored where others can read it: use secret, with which each delivery is signed.")
		case slices.Contains(ownHeaders, lower) || strings.HasPrefix(lower, "webhook-"):
			faults.Add(at+"headers."+name, "is set by this server: remove it.")
		}
	}
}

// token is what a header's name may be made of.
var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$")

// credential finds headers whose values are secrets.
var credential = regexp.MustCompile(`authorization|cookie|token|secret|password|api-?key`)

// ownHeaders are those that this server sends itself, or that say how a request
// travels.
var ownHeaders = []string{
	"content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "host", "user-agent",
	"mynd-signature", "upgrade", "te", "trailer", "expect", "proxy-connection", "keep-alive",
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// seconds is a checked period as a run's limit has it.
func seconds(text string, otherwise time.Duration) run.Seconds {
	return run.Seconds(duration(text, otherwise) / time.Second)
}
