package facts

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"path"
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

// Fits says why what is at a path is not of a kind, empty when it is: of a file data is what it holds, of a directory
// names what is in it.
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
		return fmt.Sprintf("%s is a directory of the whole system, and not %s", i.Path, k)
	}
	return fmt.Sprintf("%s is not %s", i.Path, k)
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
		_, err := ParseKeys(data)
		return err == nil || len(strings.TrimSpace(string(data))) == 0
	case want.CNIConfig:
		var conf struct {
			Type    string
			Plugins []json.RawMessage
		}
		return json.Unmarshal(data, &conf) == nil && (conf.Type != "" || len(conf.Plugins) > 0)
	}
	root, err := parseYAML(data)
	if err != nil {
		return false
	}
	doc := &Document{root: root}
	switch k {
	case want.Kubeconfig:
		return doc.Text("kind") == "Config"
	case want.Manifest:
		return doc.Text("kind") == "Pod"
	case want.KubeletConfig:
		return doc.Text("kind") == "KubeletConfiguration"
	case want.EtcdConfig:
		return slices.ContainsFunc([]string{"data-dir", "name", "listen-client-urls", "client-transport-security"}, doc.has)
	case want.ComposeFile:
		return doc.has("services")
	}
	return false
}

func (d *Document) has(key string) bool {
	_, ok := d.At(key)
	return ok
}

// pemTypes are the types of the PEM blocks of a file. What one holds is not read: a key that is damaged is one all the same.
func pemTypes(data []byte) (types []string) {
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		types, data = append(types, block.Type), rest
	}
	return types
}

// dockerLayout are those of the names that dockerd makes in its data directory.
func dockerLayout(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !dockerMakes[n] })
}

var dockerMakes = set("aufs", "btrfs", "buildkit", "builder", "containerd", "containers", "devicemapper", "engine-id", "fuse-overlayfs",
	"image", "network", "overlay2", "plugins", "runtimes", "swarm", "tmp", "trust", "vfs", "volumes", "zfs")

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
