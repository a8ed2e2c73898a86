package webhook

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
)

// sign adds both kinds of signature: that of the native API document, whose key is
// the whole secret, and Standard Webhooks', whose key is the bytes that its base64
// part stands for. During a rotation each has one for either secret, the new one's
// first.
func sign(header http.Header, id string, at time.Time, body []byte, secrets []string) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	ours, standard := "t="+stamp, ""
	for _, secret := range secrets {
		ours += ",v1=" + hex.EncodeToString(mac([]byte(secret), stamp+".", body))
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil {
			continue // this package makes no such secret
		}
		standard += " v1," + base64.StdEncoding.EncodeToString(mac(key, fmt.Sprintf("%s.%s.", id, stamp), body))
	}
	header.Set("Mynd-Signature", ours)
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", stamp)
	header.Set("Webhook-Signature", strings.TrimPrefix(standard, " "))
}

func mac(key []byte, prefix string, body []byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(prefix))
	hash.Write(body)
	return hash.Sum(nil)
}
