package replica

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// Refused returns ErrRefused, with what the server has said and what to do.
func Refused(said error, do string) error { return fmt.Errorf("%w: %w; %s", ErrRefused, said, do) }

// RefusedTLS returns ErrRefused where either side refuses the certificate of the other, or does not speak TLS; nil otherwise. A certificate
// that is too old or too young passes: the clock of a machine that starts may not be set yet.
func RefusedTLS(err error) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var header tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &unknown):
		return Refused(unknown, "let this machine know who has signed its certificate: with sslrootcert=FILE in the address of PostgreSQL, or SSL_CERT_FILE in the environment")
	case errors.As(err, &host):
		return Refused(host, "write the address of the server as its certificate has it")
	case errors.As(err, &invalid) && invalid.Reason != x509.Expired:
		return Refused(invalid, "give the server another certificate")
	case errors.As(err, &header):
		return Refused(header, "the port of the address is not one for TLS")
	case errors.As(err, &op) && op.Op == "remote error": // an alert
		return Refused(op, "see to the certificates and versions of TLS that the server asks for")
	}
	return nil
}
