package swarms

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/run"
)

// maxImages is how many images one task may have: more than providers take.
const maxImages = 20

// imageTypes are what models can see.
var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

// readImages reads img, and then imgs: addresses, data: URLs, or bare base64.
func readImages(in *completionIn, faults agent.Faults) []run.Image {
	var images []run.Image
	add := func(field, text string) {
		image, fault := readImage(strings.TrimSpace(text))
		if faults.Add(field, fault); fault == "" {
			images = append(images, run.Image{URL: image})
		}
	}
	if img := or(in.Img, ""); img != "" {
		add("img", img)
	}
	if len(in.Imgs) > maxImages {
		faults.Add("imgs", fmt.Sprintf("has %d images: at most %d.", len(in.Imgs), maxImages))
		return nil
	}
	for i, img := range in.Imgs {
		if img != "" {
			add(fmt.Sprintf("imgs[%d]", i), img)
		}
	}
	return images
}

// readImage returns an https: or data: URL, or what is wrong.
func readImage(text string) (image, fault string) {
	switch {
	case strings.HasPrefix(text, "data:"):
		return readDataURL(text)
	case strings.Contains(text[:min(len(text), 16)], "://"):
		at, err := url.Parse(text)
		if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
			return "", fmt.Sprintf("%q is no address of an image: it must begin with https:// or http://.", clip(text))
		}
		return text, ""
	}
	return readBase64(text, "")
}

// readDataURL checks a data: URL of an image.
func readDataURL(text string) (image, fault string) {
	head, payload, found := strings.Cut(strings.TrimPrefix(text, "data:"), ",")
	kind, encoded := strings.CutSuffix(head, ";base64")
	if !found || !encoded {
		return "", "must be a data: URL with base64 in it: data:image/png;base64,…"
	}
	kind, _, _ = strings.Cut(kind, ";")
	if kind = strings.ToLower(kind); kind == "image/jpg" {
		kind = "image/jpeg"
	}
	if !slices.Contains(imageTypes, kind) {
		return "", fmt.Sprintf("%q is no kind of image that models can see: use %s.", clip(kind), strings.Join(imageTypes, ", "))
	}
	return readBase64(payload, kind)
}

// readBase64 checks base64 and makes a data: URL of it. A kind that is not named
// is told by the first bytes, as every format has its own; JPEG is what is left.
func readBase64(text, kind string) (image, fault string) {
	if strings.ContainsAny(text, "\r\n") {
		text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) == 0 {
		return "", fmt.Sprintf("%q is neither an https:// address, nor a data: URL, nor an image in base64.", clip(text))
	}
	if kind == "" {
		if kind = http.DetectContentType(data); !slices.Contains(imageTypes, kind) {
			kind = "image/jpeg"
		}
	}
	return "data:" + kind + ";base64," + text, ""
}
