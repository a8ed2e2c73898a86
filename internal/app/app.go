// Package app is the program: the command line, and the wiring of all parts into
// a server. It is the one package that imports everything, reads settings and
// looks at the clock.
//
// What it promises: Main is the whole program but for signals (Interruptible), so
// that a test can run it in-process; every error says what to do next; exit codes are 0
// completed, 1 failed, 2 usage, 3 waits for a person, 130 cancelled.
//
// A tour: grammar.go (the commands and their flags), fail.go (errors and exit
// codes); assemble.go, parts.go, measure.go and listen.go (the server); serve.go,
// doctor.go; inside.go, once.go, ask.go and trace.go (errand run); interpreter.go (the
// process of the tool compute); remote.go and one file per noun (commands that talk
// to a server); demo*.go (errand demo).
//
// To add a command, edit grammar.go; to wire a new part, edit assemble.go.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"errand/internal/config"
)

// Stdio is how the program meets whoever started it.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal says that a person reads Out and answers on In, for tests; files
	// are asked themselves.
	Terminal bool
	// Self is an executable that hands its arguments to Main; empty = the one that
	// runs, if that is errand. The tool compute starts it.
	Self string
}

// process is what every command gets.
type process struct {
	Stdio
	env []string
	now func() time.Time
}

// variable returns one of the environment's variables.
func (p *process) variable(name string) string { return config.Environment(p.env)[name] }

// reads reports whether a person reads the output.
func (p *process) reads() bool { return p.Terminal || terminal(p.Out) }

// answers reports whether a person can be asked.
func (p *process) answers() bool { return p.Terminal || terminal(p.In) && terminal(p.Err) }

// colours reports whether the output may have colours (no-color.org).
func (p *process) colours() bool {
	return p.reads() && p.variable("NO_COLOR") == "" && p.variable("TERM") != "dumb"
}

func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// Main runs the command that args name (without the program's own name) and
// returns the exit code. The command ends in good order when ctx does.
func Main(ctx context.Context, args, env []string, stdio Stdio) int {
	p := &process{Stdio: stdio, env: env, now: time.Now}
	if interprets(args) {
		return p.interpret()
	}
	parser, err := kong.New(&grammar{}, parserOptions(p)...)
	if err != nil {
		return p.fail(err)
	}
	if len(args) == 0 || args[0] == "help" {
		args = append(slices.Clone(args[min(1, len(args)):]), "--help")
	}
	if i := slices.IndexFunc(args, func(arg string) bool { return arg == "--help" || arg == "-h" }); i >= 0 && !slices.Contains(args[:i], "--") {
		return p.help(parser, args[:i])
	}
	command, err := parser.Parse(args)
	if err != nil {
		return p.fail(usage(err))
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(p)
	var own *exit
	if err != nil && ctx.Err() != nil && !errors.As(err, &own) {
		err = context.Canceled // whatever the interruption looked like from inside
	}
	return p.fail(err)
}

func parserOptions(p *process) []kong.Option {
	return []kong.Option{
		kong.Name("errand"),
		kong.Description("Errand runs AI agents durably: one program, one file.\n\nStart here: errand demo"),
		kong.Vars{"url": defaultURL},
		kong.Writers(p.Out, p.Err),
		kong.NoDefaultHelp(), // its flag would call os.Exit
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// help prints what is known of the command that the words before --help name.
func (p *process) help(parser *kong.Kong, words []string) int {
	trace, err := kong.Trace(parser, words)
	if err != nil {
		return p.fail(err)
	}
	if err := trace.PrintUsage(false); err != nil {
		return p.fail(err)
	}
	return exitOK
}

// version is the module's version, which the Go tool stamps from the repository.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// print writes to whoever reads the output. A reader who has gone is no error
// that anyone could be told about.
func (p *process) print(format string, args ...any) { fmt.Fprintf(p.Out, format, args...) }

// note writes beside the output.
func (p *process) note(format string, args ...any) { fmt.Fprintf(p.Err, format, args...) }
