package facts

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"example.com/harden/checks/want"
)

// NeedsContent reports whether the bytes of a file, or the names in a directory, tell that something is of a kind.
func NeedsContent(k want.Kind) bool {
	switch k {
	case want.Own, want.UnitFile, want.Program, want.Socket:
		return false
	}
	return true
}

// Fits says what is at a path instead of something of a kind, empty when it is that: of a file data is what it holds,
// of a directory names what is in it.
func Fits(k want.Kind, i Info, data []byte, names []string) string {
	ok := false
	switch k {
	case want.Own:
		return ""
	case want.EtcdData:
		ok = i.Type.IsDir() && slices.Contains(names, "member")
	case want.DockerData:
		ok = i.Type.IsDir() && len(dockerLayout(names)) > 1
	case want.Socket:
		ok = i.Type == fs.ModeSocket
	case want.PKI:
		ok = i.Type.IsDir() && looksLikePKI(names) || i.Type == 0 && (pkiFile(path.Base(i.Path)) || len(pemTypes(data)) > 0)
	default:
		ok = i.Type == 0 && fileFits(k, i, data)
	}
	if ok && !(i.Type.IsDir() && SystemDir(i.Path)) {
		return ""
	}
	if i.Type.IsDir() && SystemDir(i.Path) {
		return fmt.Sprintf("a system directory, not %s", k)
	}
	return fmt.Sprintf("not %s", k)
}

func fileFits(k want.Kind, i Info, data []byte) bool {
	switch k {
	case want.Certificate:
		return slices.ContainsFunc(pemTypes(data), func(t string) bool { return strings.HasSuffix(t, "CERTIFICATE") })
	case want.PrivateKey:
		return slices.ContainsFunc(pemTypes(data), func(t string) bool { return strings.HasSuffix(t, "PRIVATE KEY") })
	case want.UnitFile:
		return slices.Contains([]string{".service", ".socket", ".conf"}, path.Ext(i.Path))
	case want.Program:
		return i.Mode&0o111 != 0
	case want.DaemonConfig:
		_, err := ParseObject(data)
		return err == nil || len(strings.TrimSpace(string(data))) == 0
	case want.CNIConfig:
		var conf struct {
			Type    string
			Plugins []json.RawMessage
		}
		return json.Unmarshal(data, &conf) == nil && (conf.Type != "" || len(conf.Plugins) > 0)
	}
	line, ok := telling[k]
	return ok && line.Match(data)
}

// telling are lines by which a file of a kind is known. They do: a file that cannot be parsed is of its kind all the
// same.
var telling = map[want.Kind]*regexp.Regexp{
	want.Kubeconfig: kindLine("Config"),
	want.Manifest:   kindLine("Pod"),
	// kubeadm's instance-config.yaml is a part of one, without its kind
	want.KubeletConfig: regexp.MustCompile(kindLine("KubeletConfiguration").String() + `|(?m:^containerRuntimeEndpoint:)`),
	want.EtcdConfig: regexp.MustCompile(`(?m)^"?(data-dir|name|listen-client-urls|` +
		`(client|peer)-transport-security)"?:`),
	want.ComposeFile: regexp.MustCompile(`(?m)^(x-[^:]*|services|version|name):`),
}

func kindLine(kind string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)(^|[{,]\s*)\s*"?kind"?:\s*["']?` + kind + `["']?\s*([,}#]|$)`)
}

// pemTypes are the types of the PEM blocks of a file. What one holds is not read: a key that is damaged is one all the
// same.
func pemTypes(data []byte) (types []string) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		types = append(types, block.Type)
	}
	return types
}

// dockerLayout are those of the names that dockerd makes in its data directory.
func dockerLayout(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !dockerMakes[n] })
}

var dockerMakes = set("aufs", "btrfs", "buildkit", "builder", "containerd", "containers", "devicemapper", "engine-id",
	"fuse-overlayfs", "image", "network", "overlay2", "plugins", "runtimes", "swarm", "tmp", "trust", "vfs", "volumes",
	"zfs")

// looksLikePKI reports whether a directory holds certificates and keys, and next to nothing else.
func looksLikePKI(names []string) bool {
	certificates := 0
	for _, n := range names {
		if pkiFile(n) {
			certificates++
		}
	}
	return certificates > 0 && 2*certificates >= len(names)
}

// pkiFile tells by a name what certificates, keys and what openssl keeps beside them are called.
func pkiFile(name string) bool {
	return slices.Contains([]string{".crt", ".key", ".pem", ".cert", ".cer", ".pub", ".csr", ".srl"}, path.Ext(name))
}
