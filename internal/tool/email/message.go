package email

import (
	"bytes"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"strings"
	"unicode"

	"github.com/wneessen/go-mail"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

const description = "Sends one e-mail. It goes out at once and can't be taken back."

// maxRecipients bounds one mail: a task that writes to more people is a mailing.
const maxRecipients = 50

const parameters = `{"type":"object","properties":{` +
	`"to":{"anyOf":[{"type":"string","minLength":3},{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":50}],"description":"One address or several"},` +
	`"cc":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"},"maxItems":50}]},` +
	`"bcc":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"},"maxItems":50}]},` +
	`"reply_to":{"type":"string"},` +
	`"subject":{"type":"string","minLength":1,"maxLength":500,"description":"One line"},` +
	`"body":{"type":"string","minLength":1,"description":"The text, without markup"},` +
	`"html":{"type":"string","description":"The same text as HTML, if it should have markup"}},` +
	`"required":["to","subject","body"],"additionalProperties":false}`

// addresses is a list that a model may give as one string or as several.
type addresses []*netmail.Address

func (a *addresses) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	var several []string
	if text[0] == '[' {
		if err := json.Unmarshal(text, &several); err != nil {
			return err
		}
	} else {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return err
		}
		several = []string{one}
	}
	for _, entry := range several {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		if strings.ContainsFunc(entry, unicode.IsControl) {
			return fmt.Errorf("%q has a line break or another control character", tool.Cut(entry, 80))
		}
		list, err := netmail.ParseAddressList(entry)
		if err != nil {
			return fmt.Errorf("%q is no e-mail address", tool.Cut(entry, 80))
		}
		for _, parsed := range list {
			if why := unfit(parsed.Address); why != "" {
				return fmt.Errorf("%q %s", tool.Cut(entry, 80), why)
			}
		}
		*a = append(*a, list...)
	}
	return nil
}

// unfit says why a parsed address can't go into an SMTP command. The mail grammar
// allows quoted spaces and brackets there; SMTP would read them as its own.
func unfit(address string) string {
	local, domain, found := strings.Cut(address, "@")
	switch {
	case !found || local == "" || domain == "":
		return "is no e-mail address"
	case len(address) > 254:
		return "is longer than an address may be"
	case strings.ContainsAny(address, " <>()[]\\,;:\"") || strings.ContainsFunc(address, unicode.IsControl):
		return "has characters that this server does not send to"
	}
	return ""
}

type arguments struct {
	To      addresses `json:"to"`
	Cc      addresses `json:"cc"`
	Bcc     addresses `json:"bcc"`
	ReplyTo addresses `json:"reply_to"`
	Subject string    `json:"subject"`
	Body    string    `json:"body"`
	HTML    string    `json:"html"`
}

// message builds the mail, or says which argument is wrong.
func (s *Sender) message(call run.ToolCall) (*mail.Msg, error) {
	var a arguments
	if err := json.Unmarshal(call.Arguments, &a); err != nil {
		return nil, wrong("the arguments are not usable: %v", err)
	}
	switch {
	case len(a.To) == 0:
		return nil, wrong("to is missing: name at least one address")
	case len(a.To)+len(a.Cc)+len(a.Bcc) > maxRecipients:
		return nil, wrong("there are more than %d recipients", maxRecipients)
	case len(a.ReplyTo) > 1:
		return nil, wrong("reply_to must be one address")
	case strings.TrimSpace(a.Subject) == "" || strings.ContainsFunc(a.Subject, unicode.IsControl):
		return nil, wrong("subject must be one line of text without control characters")
	case a.Body == "":
		return nil, wrong("body is missing")
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	m.ToMailAddress(a.To...)
	if len(a.Cc) > 0 {
		m.CcMailAddress(a.Cc...)
	}
	if len(a.Bcc) > 0 {
		m.BccMailAddress(a.Bcc...)
	}
	if len(a.ReplyTo) > 0 {
		m.ReplyToMailAddress(a.ReplyTo...)
	}
	m.Subject(a.Subject)
	m.SetDateWithValue(s.now())
	m.SetMessageIDWithValue(messageID(call, s.from.Address))
	m.SetBodyString(mail.TypeTextPlain, a.Body)
	if a.HTML != "" {
		m.AddAlternativeString(mail.TypeTextHTML, a.HTML)
	}
	return m, nil
}

// messageID is the call's idempotency key as a Message-ID: the same for every
// repetition of a call, and another for any other.
func messageID(call run.ToolCall, from string) string {
	_, domain, _ := strings.Cut(from, "@")
	return strings.ReplaceAll(call.Key(), "/", ".") + "@" + domain
}

func wrong(format string, args ...any) error {
	return problem.New(problem.ToolFailed, "email.send: %s. Nothing was sent.", fmt.Sprintf(format, args...))
}
