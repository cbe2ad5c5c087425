package kubernetes

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"example.com/harden/checks/facts"
)

// certificates reads the certificates of a PEM file, of which there is at least one.
func certificates(h *facts.Host, file string) (all []*x509.Certificate, err error) {
	f, err := h.File(file)
	if err != nil {
		return nil, err
	}
	for b, rest := pem.Decode(f.Data); b != nil; b, rest = pem.Decode(rest) {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no certificate in it", file)
	}
	return all, nil
}
