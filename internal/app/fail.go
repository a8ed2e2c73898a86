package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"errand/client"
	"errand/internal/problem"
)

// Exit codes, for scripts.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitWaits     = 3
	exitCancelled = 130
)

// exit is an error with its own code. A nil cause is not printed: the command has
// said all there is to say.
type exit struct {
	code  int
	cause error
}

func (e *exit) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// quiet ends the program with a code and without a further word.
func quiet(code int) error {
	if code == exitOK {
		return nil
	}
	return &exit{code: code}
}

func usage(err error) error { return &exit{code: exitUsage, cause: err} }

// fail prints an error with what to do next and returns the exit code.
func (p *process) fail(err error) int {
	if err == nil {
		return exitOK
	}
	code, cause := exitFailed, err
	var own *exit
	if errors.As(err, &own) {
		code, cause = own.code, own.cause
	} else if errors.Is(err, context.Canceled) {
		code, cause = exitCancelled, errors.New("interrupted")
	}
	if cause == nil {
		return code
	}
	text := cause.Error()
	var public *problem.Error
	if errors.As(cause, &public) {
		// The code is for programs, which get it over HTTP.
		text = strings.Replace(text, string(public.Code)+": ", "", 1)
	}
	p.note("errand: %s\n", strings.TrimRight(text, "\n"))
	if next := nextStep(cause, code); next != "" {
		p.note("%s\n", next)
	}
	return code
}

// nextStep says what may mend an error.
func nextStep(err error, code int) string {
	var told *client.Error
	var request *url.Error
	var network net.Error
	switch {
	case code == exitUsage:
		return "See errand --help, or errand COMMAND --help."
	case errors.As(err, &told):
		return nextStepTold(told)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Is the server running? Start it with errand serve, or set ERRAND_URL (or --url) to where it is."
	case errors.Is(err, syscall.EADDRINUSE):
		return "Something else listens there. Choose another address with --addr, for example --addr 127.0.0.1:8421."
	case errors.Is(err, os.ErrPermission):
		return "Check who owns the file or directory, or choose another directory with --data."
	case errors.As(err, &network) && network.Timeout():
		return "The server did not answer in time. Check ERRAND_URL, and the server's log."
	case errors.As(err, &request):
		return "Check the address: set ERRAND_URL (or --url), for example http://127.0.0.1:8420."
	}
	return ""
}

// nextStepTold is for errors that the server answered.
func nextStepTold(err *client.Error) string {
	switch err.Code {
	case "unauthenticated":
		return "Set ERRAND_API_KEY (or --key) to a key of this server; the first start of errand serve prints one."
	case "scope_denied":
		return "Use a key that was granted it: errand keys create NAME --scope SCOPE."
	case "storage_full":
		return "Make space on the server's disk; it goes on by itself."
	case "quota_exceeded":
		return "Delete what is no longer needed: errand files rm, errand index remove."
	case "overloaded", "rate_limited":
		return "Try again in a moment."
	case "internal":
		return "The server's log has the cause under request " + err.RequestID + "."
	case "":
		return "Is it an Errand server? Check ERRAND_URL (or --url)."
	}
	return ""
}
