package secret

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
)

var (
	opaqueExpr = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9+/=_~-]{20,}$`) })
	pieceExpr  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[A-Za-z0-9+/]+`) })
	hexExpr    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:[0-9a-f]{32,}|[0-9A-F]{32,})$`) })
)

// Opaque reports whether a word looks as if nobody had chosen it: long, and of letters and digits without order.
// Paths, names of images, UUIDs and certificates are none.
func Opaque(word string) bool {
	if !opaqueExpr().MatchString(word) || strings.HasPrefix(word, "/") || certificate(word) {
		return false
	}
	for _, piece := range pieceExpr().FindAllString(word, -1) {
		if hexExpr().MatchString(piece) && strings.ContainsAny(piece, "0123456789") &&
			strings.ContainsAny(piece, "abcdefABCDEF") {
			return true
		}
		var lower, upper, digits int
		for _, c := range piece {
			switch {
			case c >= 'a' && c <= 'z':
				lower++
			case c >= 'A' && c <= 'Z':
				upper++
			case c >= '0' && c <= '9':
				digits++
			}
		}
		slashes := strings.Count(piece, "/")
		if len(piece) >= 16 && lower > 1 && upper > 1 && digits > 1 &&
			entropy([]byte(piece)) >= 3.5 && slashes*16 <= len(piece) {
			return true
		}
	}
	return false
}

// certificate reports whether a word is the base64 of certificates in PEM, as kubeconfigs have them.
func certificate(word string) bool {
	head, err := base64.StdEncoding.DecodeString(word[:min(len(word), 60)/4*4])
	return err == nil && strings.HasPrefix(string(head), "-----BEGIN CERTIFICATE")
}
