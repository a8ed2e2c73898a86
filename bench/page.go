package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"text/template"
	"time"
)

//go:embed page.md.tmpl
var pageText string

// machine is what a reader has to know to judge the figures.
type machine struct {
	Processor string
	Cores     int
	Memory    string
	System    string
	Disk      string // a small write that is synced
	Go        string
	Commit    string
	Date      string
}

// page writes the document.
func (b *bench) page(m machine) (string, error) {
	type line struct{ Figure, Hold, Floor, Errand, Ratio, Held string }
	type picture struct{ Title, Bars string }
	data := struct {
		Machine  machine
		Command  string
		Rounds   int
		Lines    []line
		Notes    []row
		Pictures []picture
		Stored   string
		Parked   string
	}{Machine: m, Command: strings.Join(append([]string{"go run ./bench"}, os.Args[1:]...), " "), Rounds: b.rounds, Stored: count(b.stored), Parked: count(b.parked)}
	for _, r := range b.rows {
		held := map[string]string{"yes": "yes", "NO": "**no**"}[r.verdict()]
		data.Lines = append(data.Lines, line{r.figure, r.hold, r.floor, r.errand, r.ratio, held})
	}
	for _, c := range b.charts {
		data.Pictures = append(data.Pictures, picture{c.title, c.draw()})
	}
	parsed, err := template.New("page").Funcs(template.FuncMap{"notes": b.notes}).Parse(pageText)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = parsed.Execute(&text, data)
	return text.String(), err
}

// notes are the rows' remarks.
func (b *bench) notes() []string {
	var all []string
	for _, r := range b.rows {
		if r.note != "" {
			all = append(all, fmt.Sprintf("%s: %s.", r.figure, r.note))
		}
	}
	return all
}

func (b *bench) describe(ctx context.Context) (machine, error) {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, Date: time.Now().UTC().Format("2006-01-02")}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, err
	}
	m.Processor = after(string(cpu), "model name")
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, err
	}
	m.System = "Linux " + strings.TrimSpace(string(kernel))
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	m.Memory = fmt.Sprintf("%.0f GB", parseSizes(memory)["MemTotal"]/(1<<30))
	if m.Disk, err = syncTime(b.scratch); err != nil {
		return m, err
	}
	m.Commit = commit(ctx)
	return m, nil
}

// after finds the value of a line "name : value".
func after(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// commit is the source's, with a mark when files differ from it.
func commit(ctx context.Context) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value[:min(12, len(setting.Value))]
			}
		}
	}
	said, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(said))
}

// syncTime is how long the disk takes to keep four kilobytes, because everything
// durable waits for that.
func syncTime(dir string) (string, error) {
	file, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return "", err
	}
	defer file.Close()
	var took []float64
	for range 200 {
		began := time.Now()
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			return "", err
		}
		if err := file.Sync(); err != nil {
			return "", err
		}
		took = append(took, millis(time.Since(began)))
	}
	return fmt.Sprintf("%.2f ms (p50), %.2f ms (p99)", median(took), quantile(took, 0.99)), nil
}
