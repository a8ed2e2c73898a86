package app

import (
	"os"
	"runtime/debug"

	"errand/internal/tool/compute"
)

// module is the path of the program's main package.
const module = "errand"

// interpreter is the executable that runs the programs of the tool compute: this
// one, or none. A program that only has this package in it, such as a test, must
// not be started with words that it does not know; it says in Stdio.Self that it
// knows them. On Linux the process's link is used, which still leads to it when its
// file has been replaced by a newer version.
func (p *process) interpreter() string {
	if p.Self != "" {
		return p.Self
	}
	if info, ok := debug.ReadBuildInfo(); !ok || info.Path != module {
		return ""
	}
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link
	}
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

// interprets reports whether this process was started to run one such program and
// nothing else.
func interprets(args []string) bool { return len(args) == 1 && args[0] == compute.Command }

// interpret runs the program and returns the exit code.
func (p *process) interpret() int {
	if err := compute.Serve(p.In, p.Out); err != nil {
		return p.fail(err)
	}
	return exitOK
}
