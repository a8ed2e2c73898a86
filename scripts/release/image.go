package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// Whom the program in an image is, and where it is and keeps what it has. The number
// is the one that distroless images use, and Kubernetes holds to runAsNonRoot.
const (
	nonroot    = 65532
	executable = "usr/local/bin/errand"
	state      = "var/lib/errand"
	documents  = "usr/share/doc/errand/"

	authorities = documents + "ca-certificates.txt"
)

// whoseAuthorities goes with the certificates, whose licence asks for it.
const whoseAuthorities = `The certificates in /etc/ssl/certs/ca-certificates.crt are those that Mozilla trusts, as
the Go project publishes them in the module golang.org/x/crypto/x509roots/fallback. Mozilla
has them under the Mozilla Public License 2.0, whose text is in THIRD_PARTY_LICENSES. Their
source is lib/ckfw/builtins/certdata.txt in https://hg.mozilla.org/projects/nss.
`

// image makes what docker, podman and skopeo load: the program, the certificates that
// it trusts, a user to be, a folder to write to, and nothing else: no shell, no
// package manager, no library. Time zones are in the program.
func image(root string, p *program) ([]byte, error) {
	if p.target().os != "linux" {
		return nil, fmt.Errorf("a program for %s runs in no container", p.target().os)
	}
	ground, err := ground(p.at)
	if err != nil {
		return nil, err
	}
	above, err := above(root, p)
	if err != nil {
		return nil, err
	}
	return layout(p, []layer{{ground, "certificates, a user, folders"}, {above, "errand " + p.version}})
}

// ground is the layer that stays the same from release to release.
func ground(at time.Time) ([]byte, error) {
	user := fmt.Sprintf("%d:%d", nonroot, nonroot)
	w := newTar(at)
	for _, dir := range []string{"etc", "etc/ssl", "etc/ssl/certs", "usr", "usr/local", "usr/local/bin", "usr/share", "usr/share/doc", documents, "var", "var/lib"} {
		w.dir(dir, 0o755, 0)
	}
	w.dir("tmp", 0o1777, 0)
	w.dir(state, 0o700, nonroot)
	w.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:"+user+":nonroot:/"+state+":/sbin/nologin\n"))
	w.file("etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nnonroot:x:%d:\n", nonroot))
	w.file("etc/nsswitch.conf", 0o644, []byte("hosts: files dns\n"))
	w.file("etc/ssl/certs/ca-certificates.crt", 0o644, roots())
	w.file(authorities, 0o644, []byte(whoseAuthorities))
	return w.end()
}

// roots are the authorities that Mozilla trusts, as the Go project publishes them.
// Those that it trusts up to a date alone are left out: a file can't say that.
func roots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // into memory
		}
	}
	return out.Bytes()
}

// above is the layer with the program and what has to come with it.
func above(root string, p *program) ([]byte, error) {
	w := newTar(p.at)
	w.file(executable, 0o755, p.bytes)
	for _, name := range []string{"LICENSE", noticeFile} {
		body, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		w.file(documents+name, 0o644, body)
	}
	return w.end()
}

// tarball writes a tar whose entries have one time and belong to root, or to whom
// they are given.
type tarball struct {
	*tar.Writer
	buffer *bytes.Buffer
	at     time.Time
	err    error
}

func newTar(at time.Time) *tarball {
	var buffer bytes.Buffer
	return &tarball{Writer: tar.NewWriter(&buffer), buffer: &buffer, at: at}
}

func (w *tarball) dir(name string, mode int64, owner int) {
	w.add(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimSuffix(name, "/") + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (w *tarball) file(name string, mode int64, body []byte) {
	w.add(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(body))}, body)
}

func (w *tarball) add(head *tar.Header, body []byte) {
	head.ModTime, head.Format = w.at, tar.FormatPAX
	if w.err == nil {
		w.err = w.WriteHeader(head)
	}
	if w.err == nil {
		_, w.err = w.Write(body)
	}
}

func (w *tarball) end() ([]byte, error) {
	if w.err == nil {
		w.err = w.Close()
	}
	if w.err != nil {
		return nil, fmt.Errorf("writing a tar: %w", w.err)
	}
	return w.buffer.Bytes(), nil
}
