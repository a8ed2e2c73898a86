package sink

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzRead takes any bytes for a mail: what came is kept to the byte, and what was read
// of it can be written into the ledger.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"Subject: =?utf-8?q?=C3=9Cberweisung?=\r\nMessage-ID: <a@b>\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nDear =C3=84nn,=\r\n pay.\r\n",
		"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nx=3D\r\n--b--\r\n", "Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n", "Subject: =?x?b?!?=\r\n\r\n", "no header", "", "\xff:\r\n\r\n", "Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ",
	} {
		f.Add([]byte(seed), "a@example.com")
	}
	f.Fuzz(func(t *testing.T, raw []byte, to string) {
		m := read("errand@example.com", []string{to}, raw)
		if !bytes.Equal(m.Raw, raw) || len(m.To) != 1 || m.To[0] != to || len(m.Body) > len(raw) {
			t.Errorf("%q is kept as %+v", raw, m)
		}
		if _, err := json.Marshal(m); err != nil {
			t.Errorf("%q can't be written down: %v", raw, err)
		}
	})
}
