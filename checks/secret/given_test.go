package secret_test

import (
	"strings"
	"testing"

	"example.com/harden/checks/secret"
)

// TestGiven holds what is an alarm of a variable, and what is none.
func TestGiven(t *testing.T) {
	const hex40 = "586EFEF859AF2DB190D84080BDB2011E173C31A2"
	for _, test := range []struct{ name, value, want string }{
		{"DB_PASSWORD", "hunter2", "hunter2"}, {"DB_PASS", "hunter2", "hunter2"}, {"MYSQL_PWD", "hunter2", "hunter2"},
		{"CS2_PW", "sake-earthly", "sake-earthly"}, {"MYSQL_ROOT_PASSWORD", `"root"`, "root"}, {"apiKey", "abc123", "abc123"},
		{"AWS_SECRET_ACCESS_KEY", "sentry", "sentry"}, {"POSTGRES_PASSWORD", "${PW:-frog}", "frog"},
		{"POSTGRES_PASSWORD", "${A:-${B-frog}}", "frog"}, {"NEO4J_AUTH", "neo4j/vulhub", "neo4j/vulhub"},
		{"APP_KEY", "base64:D5oGA+zhFSVA3VwuoZoQ21RAcwBtJv/RGiqOcZ7BUvI=",
			"base64:D5oGA+zhFSVA3VwuoZoQ21RAcwBtJv/RGiqOcZ7BUvI="},
		{"ConnectionStrings__Db", "Server=db;User Id=sa;Password=S3cr3t!;", "S3cr3t!"},
		{"DSN", "host=a;pwd=S3cr3t", "S3cr3t"},
		{"SECRET_KEY_BASE", "secret-key-is-set", "secret-key-is-set"},
		{"DUPLICATI_PASSWORD", "MySecureAdminPassword", "MySecureAdminPassword"},
		{"JWT_SECRET", "/dJ8k2LmZ9vBt4RyWs8NdPf3Gh6Jc=", "/dJ8k2LmZ9vBt4RyWs8NdPf3Gh6Jc="},
		// About a secret, and none.
		{"ACCESS_TOKEN_EXPIRE_MINUTES", "30", ""}, {"AWS_CREDENTIALS_PROVIDER", "com.example.Provider", ""},
		{"TOKEN_URL", "https://x/y", ""},
		{"DB_PASSWORD_FILE", "/run/secrets/db", ""}, {"SECRET_PORT", "3000", ""}, {"SECRET_FORCED_LANGUAGE", "en", ""},
		{"SINGLE_USER_CREDENTIALS_USERNAME", "admin", ""}, {"REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm", ""},
		{"PASSWORD_MIN_LENGTH", "12", ""},
		{"KEYRING", "x", ""}, {"MONKEY", "x", ""}, {"PATH", "/bin", ""}, {"COMPASS", "north", ""},
		// Where a secret is, and what everybody may know.
		{"TLS_PRIVATE_KEY", "/etc/ssl/private/tls.key", ""}, {"JWT_PRIVATE_KEY", "./keys/jwt.pem", ""},
		{"SSH_PRIVATE_KEY", "~/.ssh/id_ed25519", ""},
		{"JWT_SECRET_KEY", "%kernel.project_dir%/config/jwt/private.pem", ""}, {"GPG_KEY", hex40, ""},
		{"GPG_KEYS", strings.ToLower(hex40), ""},
		{"NODE_VERSION", strings.ToLower(hex40), ""}, {"APP_PUBLIC_KEY", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A1", ""},
		{"SSH_HOST_KEY", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", ""},
		{"TLS_SECRET", "-----BEGIN DH PARAMETERS-----\nMIIBCAKCAQEA", ""},
		{"TLS_KEY_SECRET", "-----BEGIN CERTIFICATE-----\nMIIB", ""},
		{"RECAPTCHA_SITE_KEY", "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ1", ""}, {"DOCKER_IMAGE_DIGEST_KEY", "sha256:abc", ""},
		// Where one is to be put.
		{"DB_PASSWORD", "changeme", ""}, {"DB_PASSWORD", "!changeme!", ""}, {"JWT_SECRET", "change-me-to-something", ""},
		{"TOKEN", "<YOUR-TOKEN>", ""},
		{"API_KEY", "YOUR-CLOUDFLARE-TOKEN", ""}, {"API_KEY", "sk-xxx-xxx-xxx", ""}, {"PASSWORD", "******", ""},
		{"PASSWORD", "YYYYYYYYYYYY", ""},
		{"SECRET_KEY", "00000000-0000-0000-0000-000000000000", ""}, {"SECRET_KEY", "ChooseStrongSecretKeyHere", ""},
		{"PASSWORD", "...", ""},
		{"PASSWORD", "$PASSWORD", ""}, {"PASSWORD", "${PASSWORD}", ""}, {"PASSWORD", "${PASSWORD:-}", ""},
		{"PASSWORD", "${P:-changeme}", ""},
		{"PASSWORD", "", ""}, {"TOKEN", "true", ""}, {"SECRET_KEY_BASE", "dummy", ""}, {"PASSWORD", "${{ secrets.X }}", ""},
		{"ConnectionStrings__Db", "Server=db;User Id=sa;Password=${PW};", ""},
	} {
		if got := secret.Given(test.name, test.value); got != test.want {
			t.Errorf("Given(%q, %q) = %q, want %q", test.name, test.value, got, test.want)
		}
		if test.want != "" && len(secret.Literals(test.value)) == 0 && !strings.Contains(test.value, ";") {
			t.Errorf("%s=%s is found, and would be shown", test.name, test.value)
		}
	}
}

// TestInCommand holds what is an alarm of a command, with what it is called there.
func TestInCommand(t *testing.T) {
	for text, want := range map[string]string{
		"redis-server --requirepass nostream":               "--requirepass nostream",
		`redis-server --requirepass "a b"`:                  "--requirepass a b",
		"redis-cli -a bitnami ping":                         "-a bitnami",
		"echo 'root:toor9' | chpasswd":                      "a password behind its user's name toor9",
		"echo root:toor9 | sudo /usr/sbin/chpasswd -e":      "a password behind its user's name toor9",
		"chpasswd <<< 'root:toor9'":                         "a password behind its user's name toor9",
		"chpasswd <<EOF\nroot:toor9\nEOF\n":                 "a password behind its user's name toor9",
		"sqlcmd -S db -U sa -P example_1":                   "-P example_1",
		"mysql -uroot -phunter2 -e x":                       "p hunter2",
		"docker login -u me -p hunter2":                     "-p hunter2",
		"export API_TOKEN=abcdef && run":                    "API_TOKEN abcdef",
		"curl -u admin:hunter2 http://x":                    "a password behind its user's name hunter2",
		"tool -p value":                                     "",
		"redis-server --requirepass $REDIS_PASSWORD":        "",
		"redis-server --requirepass <password>":             "",
		"echo \"root:$PW\" | chpasswd":                      "",
		"tool --password-file /run/secrets/x --token-ttl 5": "",
	} {
		got := ""
		for _, a := range secret.InCommand(text) {
			got += a.Name + " " + a.Value
		}
		if strings.TrimLeft(got, "-") != strings.TrimLeft(want, "-") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestAlarms holds hits to what their names, their comments and their values say.
func TestAlarms(t *testing.T) {
	for text, want := range map[string]int{
		"x: postgres://u:hunter2@db/x":                     1,
		"# x: postgres://user:password@db/x":               0,
		"reverse:https://httpbin.org:443@8443":             0,
		"smtp://u:<password>@mail/":                        0,
		"GPG_KEY=586EFEF859AF2DB190D84080BDB2011E173C31A2": 0,
		"api_key = " + generic:                             1,
		"public_key = " + generic:                          0,
		"https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX": 0,
	} {
		if got := secret.Alarms([]byte(text), secret.Find([]byte(text))); len(got) != want {
			t.Errorf("%q: %+v, want %d", text, got, want)
		}
	}
}
