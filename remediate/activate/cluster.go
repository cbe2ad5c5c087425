package activate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"example.com/harden/checks/budget"
	"example.com/harden/remediate"
)

// A cluster is an API server and who asks it. Two requests do not pay for client-go and its 20 MB.
type cluster struct {
	server string
	token  string
	client *http.Client
}

// errNoConfigMap means that the cluster has no such ConfigMap.
var errNoConfigMap = errors.New("it is not in the cluster")

// A kubeconfig is the part of the file that tells one API server and one user by certificate or token.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string
		Context struct{ Cluster, User string }
	}
	Clusters []struct {
		Name    string
		Cluster struct {
			Server   string
			CA       string `yaml:"certificate-authority"`
			CAData   string `yaml:"certificate-authority-data"`
			Name     string `yaml:"tls-server-name"`
			Insecure bool   `yaml:"insecure-skip-tls-verify"`
			Proxy    string `yaml:"proxy-url"`
		}
	}
	Users []struct {
		Name string
		User struct {
			Cert      string `yaml:"client-certificate"`
			CertData  string `yaml:"client-certificate-data"`
			Key       string `yaml:"client-key"`
			KeyData   string `yaml:"client-key-data"`
			Token     string
			TokenFile string `yaml:"tokenFile"`
		}
	}
}

// openCluster reads a kubeconfig. Errors tell no part of a credential.
func openCluster(file string) (*cluster, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var k kubeconfig
	if budget.Unmarshal(data, &k) != nil { // its error quotes what may be a key
		return nil, fmt.Errorf("%s is not a kubeconfig", file)
	}
	c := &cluster{}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	transport := &http.Transport{TLSClientConfig: config} // no proxy of the environment's
	read := func(what, path, inline string) ([]byte, error) {
		if inline != "" {
			text, err := base64.StdEncoding.DecodeString(inline)
			if err != nil {
				return nil, fmt.Errorf("%s: %s is not base64", file, what)
			}
			return text, nil
		}
		if path == "" {
			return nil, nil
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file), path)
		}
		return os.ReadFile(path)
	}
	for _, context := range k.Contexts {
		if context.Name != k.Current {
			continue
		}
		for _, cl := range k.Clusters {
			if cl.Name != context.Context.Cluster {
				continue
			}
			u, err := url.Parse(cl.Cluster.Server)
			if err != nil || u.Scheme != "https" || cl.Cluster.Insecure {
				return nil, fmt.Errorf("%s: harden talks to a cluster only by https with a verified certificate",
					file)
			}
			c.server, config.ServerName = cl.Cluster.Server, cl.Cluster.Name
			ca, err := read("certificate-authority-data", cl.Cluster.CA, cl.Cluster.CAData)
			if err != nil {
				return nil, err
			}
			if ca != nil {
				config.RootCAs = x509.NewCertPool()
				if !config.RootCAs.AppendCertsFromPEM(ca) {
					return nil, fmt.Errorf("%s: no certificate in the cluster's certificate authority", file)
				}
			}
			if cl.Cluster.Proxy != "" {
				proxy, err := url.Parse(cl.Cluster.Proxy)
				if err != nil {
					return nil, fmt.Errorf("%s: proxy-url is not a URL", file)
				}
				transport.Proxy = http.ProxyURL(proxy)
			}
		}
		for _, user := range k.Users {
			if user.Name != context.Context.User {
				continue
			}
			cert, err := read("client-certificate-data", user.User.Cert, user.User.CertData)
			if err != nil {
				return nil, err
			}
			key, err := read("client-key-data", user.User.Key, user.User.KeyData)
			if err != nil {
				return nil, err
			}
			if cert != nil {
				pair, err := tls.X509KeyPair(cert, key)
				if err != nil {
					return nil, fmt.Errorf("%s: client certificate: %w", file, err)
				}
				config.Certificates = []tls.Certificate{pair}
			}
			token, err := read("", user.User.TokenFile, "")
			if err != nil {
				return nil, err
			}
			if c.token = user.User.Token; token != nil {
				c.token = string(bytes.TrimSpace(token))
			}
		}
	}
	if c.server == "" || c.token == "" && config.Certificates == nil {
		return nil, fmt.Errorf("%s: its current context names no cluster, or no user with a certificate or a token", file)
	}
	c.client = &http.Client{Transport: transport, Timeout: 15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// do asks for, or with a body replaces, a ConfigMap.
func (c *cluster) do(ctx context.Context, method, namespace, name string, body []byte) (map[string]any, error) {
	at := fmt.Sprintf("%s/api/v1/namespaces/%s/configmaps/%s", c.server, url.PathEscape(namespace), url.PathEscape(name))
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "harden")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("configmap/%s/%s: %w", namespace, name, errNoConfigMap)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("configmap/%s/%s: the API server answers %s", namespace, name, resp.Status)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("configmap/%s/%s: %w", namespace, name, err)
	}
	return object, nil
}

func textOfKey(object map[string]any, key string) (string, bool) {
	data, _ := object["data"].(map[string]any)
	text, ok := data[key].(string)
	return text, ok
}

// ReadCluster returns what the cluster of a kubeconfig keeps for kubeadm. What it does not keep is empty.
func ReadCluster(ctx context.Context, kubeconfig string) (*remediate.Cluster, error) {
	c, err := openCluster(kubeconfig)
	if err != nil {
		return nil, err
	}
	found := &remediate.Cluster{}
	for _, m := range []struct {
		name, key string
		text      *string
	}{{"kubeadm-config", "ClusterConfiguration", &found.Configuration}, {"kubelet-config", "kubelet", &found.Kubelet}} {
		object, err := c.do(ctx, http.MethodGet, "kube-system", m.name, nil)
		if errors.Is(err, errNoConfigMap) {
			continue
		}
		if err != nil {
			return nil, err
		}
		*m.text, _ = textOfKey(object, m.key)
	}
	return found, nil
}

// readyRecord asks whether the cluster still keeps what a record is to change, or what it is to become.
func (s *Services) readyRecord(ctx context.Context, r *remediate.Record) error {
	_, _, err := s.kept(ctx, r)
	return err
}

// kept is the ConfigMap as it is, whose text is one of the two that the record knows.
func (s *Services) kept(ctx context.Context, r *remediate.Record) (*cluster, map[string]any, error) {
	if r == nil || s.opts.Kubeconfig == "" {
		return nil, nil, errors.New("no kubeconfig for the cluster")
	}
	c, err := openCluster(s.opts.Kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	object, err := c.do(ctx, http.MethodGet, r.Namespace, r.ConfigMap, nil)
	if err != nil {
		return nil, nil, err
	}
	if text, ok := textOfKey(object, r.Key); !ok || text != r.Before && text != r.After {
		return nil, nil, fmt.Errorf("%s: %s was changed in the meantime", r, r.Key)
	}
	return c, object, nil
}

// record replaces the ConfigMap on the condition that it is the very one that was read: the API server refuses it
// when its resourceVersion has moved on. It is safe to do twice.
func (s *Services) record(ctx context.Context, r *remediate.Record) error {
	var err error
	// the API server may just have been restarted
	for deadline := time.Now().Add(cmp.Or(s.opts.RestartTimeout, leastRestart)); ; {
		if err = s.recordOnce(ctx, r); err == nil || time.Now().After(deadline) || !isUnreachable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// isUnreachable reports whether no API server has answered at all.
func isUnreachable(err error) bool {
	var u *url.Error
	return errors.As(err, &u)
}

func (s *Services) recordOnce(ctx context.Context, r *remediate.Record) error {
	c, object, err := s.kept(ctx, r)
	if err != nil {
		return err
	}
	if text, _ := textOfKey(object, r.Key); text == r.After {
		return nil
	}
	object["data"].(map[string]any)[r.Key] = r.After
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	object, err = c.do(ctx, http.MethodPut, r.Namespace, r.ConfigMap, body)
	if err != nil {
		return err
	}
	if text, _ := textOfKey(object, r.Key); text != r.After {
		return fmt.Errorf("%s: written, but it now has other content", r)
	}
	return nil
}
