package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"errand/internal/problem"
)

// startTime is how long Chromium may take to begin: a cold disk and a busy
// machine need several seconds.
const startTime = 30 * time.Second

// profiles is how the folders of profiles begin.
const profiles = "profile-"

// Find looks through the folders of a PATH for a Chromium, the usual names first,
// and returns where it is, or nothing.
func Find(folders string) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "headless-shell", "chrome-headless-shell"} {
		for _, folder := range filepath.SplitList(folders) {
			if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil && filepath.IsAbs(path) {
				return path
			}
		}
	}
	return ""
}

// executable is the program that the settings name, or a problem that says what
// to install.
func executable(named string) (string, error) {
	const install = "Its operator can install one (on Debian and Ubuntu: apt-get install chromium) or name one in ERRAND_CHROMIUM."
	if named == "" {
		return "", problem.New(problem.ToolFailed, "No Chromium was found on this server. "+install)
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return "", problem.New(problem.ToolFailed, "The Chromium that ERRAND_CHROMIUM names can't be run. "+install).Because(err)
	}
	return path, nil
}

// process is a running Chromium with its proxy and its profile.
type process struct {
	ctx    context.Context // ends when Chromium does
	cancel context.CancelFunc
	free   context.CancelFunc
	proxy  *proxy
	dir    string
	tmp    string // for its files and sockets
	cmd    *exec.Cmd
}

// launch starts Chromium with a profile of its own under dir. What an earlier
// process of this server left there is removed first.
func launch(ctx context.Context, cfg *Config) (_ *process, err error) {
	path, err := executable(cfg.Chromium)
	if err != nil {
		return nil, err
	}
	p := &process{cancel: func() {}, free: func() {}}
	defer func() {
		if err != nil {
			p.end()
		}
	}()
	if p.dir, p.tmp, err = profile(cfg.Dir); err != nil {
		return nil, err
	}
	if p.proxy, err = newProxy(cfg.Guard); err != nil {
		return nil, err
	}
	var allocator context.Context
	allocator, p.free = chromedp.NewExecAllocator(context.Background(), p.options(path)...)
	silent := func(string, ...any) {} // an event that the library does not know is no news
	p.ctx, p.cancel = chromedp.NewContext(allocator, chromedp.WithLogf(silent), chromedp.WithErrorf(silent))
	started := make(chan error, 1)
	go func() { started <- chromedp.Do(p.ctx) }()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case err = <-started:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("it did not answer within %s", startTime)
	}
	if err != nil {
		return nil, problem.New(problem.ToolFailed, "Chromium (%s) could not be started: %s", path, firstWords(err)).Because(err)
	}
	return p, nil
}

// firstWords is what the operator needs of an error that may have Chromium's whole
// log in it.
func firstWords(err error) string {
	const enough = 300
	text := strings.TrimSpace(err.Error())
	if at := strings.Index(text, "No usable sandbox"); at >= 0 {
		return "its sandbox needs user namespaces, which this system or container does not allow. See the chapter on the browser in docs/security.md."
	}
	return strings.Join(strings.Fields(text[:min(len(text), enough)]), " ")
}

// profile makes an empty folder for a profile, and one for temporary files, and
// removes those of processes that were killed: the caller's folder belongs to one
// server at a time.
func profile(under string) (dir, tmp string, err error) {
	if err := os.MkdirAll(under, 0o700); err != nil {
		return "", "", fmt.Errorf("making the browser's folder: %w", err)
	}
	stale, err := filepath.Glob(filepath.Join(under, profiles+"*"))
	if err != nil {
		return "", "", fmt.Errorf("looking for old profiles: %w", err)
	}
	for _, dir := range stale {
		forget(dir)
	}
	if dir, err = os.MkdirTemp(under, profiles); err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil {
		tmp, err = temporary(dir)
	}
	if err != nil {
		return "", "", fmt.Errorf("making a profile: %w", err)
	}
	return dir, tmp, nil
}

// Chromium makes a socket in its folder for temporary files, and the name of a
// socket has no room for more than 104 bytes (macOS; 108 on Linux).
const (
	maxSocket   = 103
	socketBelow = len("/org.chromium.Chromium.XXXXXX/SingletonSocket")
	elsewhere   = "errand-browser-"
)

// temporary makes the folder for temporary files in the profile or, where that has
// too long a name, elsewhere, with a link in the profile that leads there.
func temporary(dir string) (string, error) {
	here := filepath.Join(dir, "tmp")
	if len(here)+socketBelow <= maxSocket {
		return here, os.Mkdir(here, 0o700)
	}
	under := os.TempDir()
	if len(under)+len("/"+elsewhere)+10+socketBelow > maxSocket {
		under = "/tmp"
	}
	there, err := os.MkdirTemp(under, elsewhere)
	if err != nil {
		return "", err
	}
	return there, os.Symlink(there, here)
}

// forget removes a profile. What can't be removed now is tried again with the next
// start.
func forget(dir string) {
	if there, err := os.Readlink(filepath.Join(dir, "tmp")); err == nil && strings.HasPrefix(filepath.Base(there), elsewhere) {
		_ = os.RemoveAll(there)
	}
	_ = os.RemoveAll(dir)
}

// options are how Chromium runs. Debugging goes over a pipe: no port is opened
// that another program of this machine could use.
func (p *process) options(path string) []chromedp.ExecAllocatorOption {
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoInheritEnv,
		chromedp.Env("PATH=/usr/local/bin:/usr/bin:/bin", "HOME="+p.dir, "TMPDIR="+p.tmp, "LANG=C.UTF-8"),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) {
			cmd.SysProcAttr, cmd.Dir = apart(), p.dir
			p.cmd = cmd
		}),
		chromedp.WindowSize(1280, 1000),
	}
	for name, value := range map[string]any{
		"user-data-dir": p.dir,
		// All traffic through the proxy, loopback too, and nothing round it: no UDP,
		// no look-up of names.
		"proxy-server": p.proxy.address(), "proxy-bypass-list": "<-loopback>", "disable-quic": true,
		"webrtc-ip-handling-policy": "disable_non_proxied_udp", "force-webrtc-ip-handling-policy": "disable_non_proxied_udp",
		"host-resolver-rules": "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "dns-prefetch-disable": true,
		// No traffic of its own.
		"disable-background-networking": true, "disable-component-update": true, "disable-sync": true, "disable-default-apps": true,
		"disable-client-side-phishing-detection": true, "disable-domain-reliability": true, "disable-breakpad": true,
		"disable-crash-reporter": true, "no-pings": true, "metrics-recording-only": true, "safebrowsing-disable-auto-update": true,
		"disable-extensions": true, "disable-notifications": true, "deny-permission-prompts": true, "disable-file-system": true,
		// Frames of a page in one process, so that one session reaches them all. Runs
		// never share a process: their browser contexts are kept apart.
		"disable-site-isolation-trials": true,
		"disable-features":              "IsolateOrigins,site-per-process,Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,CertificateTransparencyComponentUpdater,InterestFeedContentSuggestions,PrivacySandboxSettings4",
		"disable-dev-shm-usage":         true, "disable-gpu": true, "mute-audio": true, "hide-scrollbars": true, "force-color-profile": "srgb",
		"disable-background-timer-throttling": true, "disable-backgrounding-occluded-windows": true, "disable-renderer-backgrounding": true,
		"disable-hang-monitor": true, "disable-prompt-on-repost": true, "disable-search-engine-choice-screen": true,
		"password-store": "basic", "use-mock-keychain": true, "disk-cache-size": "33554432",
	} {
		options = append(options, chromedp.Flag(name, value))
	}
	return options
}

// dead reports whether Chromium has ended.
func (p *process) dead() bool { return p.ctx.Err() != nil }

// end kills Chromium and all that it has started, and removes its profile.
func (p *process) end() {
	p.cancel()
	if p.cmd != nil && p.cmd.Process != nil {
		endGroup(p.cmd.Process.Pid)
	}
	p.free()
	if p.proxy != nil {
		p.proxy.close()
	}
	if p.dir != "" {
		forget(p.dir)
	}
}
