package secret

import (
	"slices"
	"strings"
	"unicode"
)

// Words that say that what they name is a secret; as a whole, and within longer words, such as DBPASSWORD.
var (
	secretWords = []string{"password", "passwords", "passwd", "pass", "pwd", "pw", "passphrase", "passcode", "secret",
		"secrets", "token",
		"tokens", "credential", "credentials", "creds", "cred", "apikey", "accesskey", "secretkey", "privatekey",
		"signingkey", "masterkey",
		"encryptionkey", "authorization", "bearer", "cookie", "salt", "keytab", "userinfo"}
	withinWords = []string{"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey"}
	endingWords = []string{"pass", "pwd"}
	// What a key is of when it is a secret: API_KEY, client-key-data.
	keyOwners = []string{"api", "access", "private", "secret", "signing", "sign", "encryption", "encrypt", "encrypted",
		"crypt", "crypto",
		"cipher", "master", "account", "app", "application", "auth", "session", "jwt", "license", "shared", "storage", "ssh",
		"deploy", "client",
		"hmac", "webhook", "user", "admin", "service", "s3", "aes", "rsa"}
	harmlessWords = []string{"tokenizer", "tokenizers", "tokenize", "tokenization", "tokenized", "secretary",
		"passwordless", "bypass",
		"compass", "trespass", "surpass", "encompass", "overpass", "keyring", "tokenreview", "tokenreviews", "secretless"}
	harmlessPairs = []string{"proxy pass", "fastcgi pass", "uwsgi pass", "grpc pass", "scgi pass", "memcached pass"}
)

// Last words of names that are about a secret and do not hold it, and first words that count some.
var (
	aboutLast = []string{"file", "files", "path", "paths", "dir", "directory", "name", "names", "namespace", "url", "uri",
		"endpoint", "type",
		"types", "length", "len", "size", "ttl", "expiry", "expires", "expire", "expiration", "lifetime", "duration", "age",
		"header", "headers",
		"algorithm", "alg", "algo", "mount", "store", "ref", "refs", "policy", "mode", "method", "methods", "enabled",
		"enable", "disabled",
		"disable", "required", "require", "issuer", "audience", "audiences", "count", "limit", "limits", "min", "max",
		"timeout", "interval",
		"rotation", "domain", "domains", "secure", "samesite", "host", "hosts", "port", "prefix", "suffix", "format",
		"provider", "providers",
		"driver", "service", "server", "id", "ids", "role", "roles", "scope", "scopes", "username", "user", "email",
		"location", "version",
		"strategy", "reset", "fields", "field", "strength", "stdin", "requests", "refresh", "minutes", "seconds", "hours",
		"days", "rounds",
		"iterations", "complexity", "validation", "controller", "manager", "admission", "command", "cmd", "helper", "source",
		"env", "minutes",
		"plugin", "label", "selector", "usage", "budget", "window", "rate", "cache", "allowed", "list", "change", "history",
		"encoder", "hostname", "language", "realm", "dummy", "uris", "urls", "enforce", "bits", "expired",
		"dockerfile"}
	aboutFirst = []string{"max", "min", "num", "count", "total", "maximum", "minimum"}
)

// Sensitive reports whether a name says that its value is a secret, however the name is spelled: DB_PASS, dbPassword,
// --basic-auth, client-key-data.
func Sensitive(name string) bool {
	if len(name) > 80 || strings.ContainsAny(name, "@/\n") {
		return false
	}
	words := nameWords(name)
	n := len(words)
	if n == 0 || slices.Contains(aboutFirst, words[0]) || slices.Contains(harmlessPairs, strings.Join(words, " ")) {
		return false
	}
	last := words[n-1]
	if n > 1 && (slices.Contains(aboutLast, last) || strings.HasSuffix(last, "file") || strings.HasSuffix(last, "path")) {
		return n >= 2 && words[n-2] == "secret" && last == "id" // Vault's second half of an AppRole
	}
	for i, w := range words {
		switch {
		case slices.Contains(harmlessWords, w):
			return false
		case slices.Contains(secretWords, w), within(w):
			return true
		case (w == "key" || w == "keys") && i > 0 && slices.Contains(keyOwners, words[i-1]):
			return true
		case w == "auth" && (n == 1 || i > 0 && (words[i-1] == "basic" || words[i-1] == "http")),
			w == "basicauth", w == "httpauth":
			return true
		}
	}
	return false
}

func within(word string) bool {
	has := func(part string) bool { return strings.Contains(word, part) }
	ends := func(part string) bool { return strings.HasSuffix(word, part) }
	return slices.ContainsFunc(withinWords, has) || slices.ContainsFunc(endingWords, ends)
}

// OfKey reports whether a name may be that of a key, or of how somebody logs in, so that the value's form has to tell.
func OfKey(name string) bool {
	words := nameWords(name)
	if len(words) == 0 {
		return false
	}
	switch words[len(words)-1] {
	case "key", "keys", "auth", "dsn", "seed":
		return true
	}
	return false
}

// OfDigest reports whether a name is that of a hash or a number that everybody may know.
func OfDigest(name string) bool {
	for _, w := range nameWords(name) {
		switch w {
		case "sha", "sha1", "sha256", "sha512", "digest", "commit", "rev", "revision", "checksum", "md5",
			"version", "hash", "id", "uid", "uuid",
			"image", "fingerprint", "thumbprint", "etag", "ref", "certificate", "cert", "certs", "ca", "public", "pub", "pubkey":
			return true
		}
	}
	return false
}

// nameWords splits a name at what is neither letter nor digit, and where capitals begin a word, in lower case and
// without numbers behind: "dbPassword2" is db and password.
func nameWords(name string) []string {
	var words []string
	var word []rune
	end := func() {
		w := strings.TrimRight(strings.ToLower(string(word)), "0123456789")
		if w == "" {
			w = strings.ToLower(string(word))
		}
		if w != "" {
			words = append(words, w)
		}
		word = word[:0]
	}
	all := []rune(name)
	for i, c := range all {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			end()
			continue
		}
		upper := unicode.IsUpper(c)
		if upper && len(word) > 0 &&
			(!unicode.IsUpper(all[i-1]) || i+1 < len(all) && unicode.IsLower(all[i+1]) && len(word) > 1) {
			end()
		}
		word = append(word, c)
	}
	end()
	return words
}
