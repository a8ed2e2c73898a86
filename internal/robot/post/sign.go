package post

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/robot"
)

// sign adds both kinds of signature that this server's webhooks have: that of the
// native API document, whose key is the whole secret, and Standard Webhooks', whose
// key is the bytes that the base64 part of a secret stands for. A secret that its
// owner has chosen in another form is the key as it is.
func sign(header http.Header, n *robot.Notice, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	key := []byte(n.Secret)
	if rest, ours := strings.CutPrefix(n.Secret, robot.SecretPrefix); ours {
		if plain, err := base64.StdEncoding.DecodeString(rest); err == nil {
			key = plain
		}
	}
	header.Set("Mynd-Signature", "t="+stamp+",v1="+hex.EncodeToString(mac([]byte(n.Secret), stamp+".", n.Body)))
	header.Set("Webhook-Id", n.ID)
	header.Set("Webhook-Timestamp", stamp)
	header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac(key, fmt.Sprintf("%s.%s.", n.ID, stamp), n.Body)))
}

func mac(key []byte, prefix string, body []byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(prefix))
	hash.Write(body)
	return hash.Sum(nil)
}
