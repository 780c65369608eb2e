package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moot/internal/config"
)

// authority is one that signs certificates of nodes.
type authority struct {
	*testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	a := &authority{T: t, dir: t.TempDir()}
	a.cert, a.key = a.sign(nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.write("authority.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate of the authority, or the authority's own where by is nil.
func (a *authority) sign(by *authority, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "moot"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.Fatal(err)
	}
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		a.Fatal(err)
	}
	return made, key
}

func (a *authority) write(name, kind string, raw []byte) string {
	a.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.Fatal(err)
	}
	return path
}

// nodes are the settings of a process of a bot with that authority.
func (a *authority) nodes() config.Nodes {
	cert, key := a.sign(a, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	return config.Nodes{
		Certificate: a.write("node.pem", "CERTIFICATE", cert.Raw), Key: a.write("key.pem", "EC PRIVATE KEY", raw),
		Authority: filepath.Join(a.dir, "authority.pem"),
	}
}

// TestNodeCertificates: over an address only those speak with one another who have a certificate of the same authority.
func TestNodeCertificates(t *testing.T) {
	t.Parallel()
	own := newAuthority(t).nodes()
	secure, err := certificates(own)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := tls.NewListener(plain, secure)
	defer l.Close()
	heard := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, err = io.ReadFull(conn, make([]byte, 5))
			heard <- err
			conn.Close()
		}
	}()
	speak := func(c config.Nodes) error {
		t.Helper()
		c.Listen = l.Addr().String()
		dial, err := dialer(c)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dial(t.Context())
		if err == nil {
			_, _ = conn.Write([]byte("hello"))
			defer conn.Close()
		}
		return <-heard
	}
	if err := speak(own); err != nil {
		t.Errorf("with a certificate of the authority: %v", err)
	}
	foreign := newAuthority(t).nodes()
	foreign.Authority = own.Authority
	if err := speak(foreign); err == nil {
		t.Error("a certificate of another authority is taken")
	}
	if _, err := dialer(config.Nodes{Listen: "127.0.0.1:1"}); err == nil {
		t.Error("a node goes to an address without a certificate")
	}
}

// TestParseShards reads which shards a node has.
func TestParseShards(t *testing.T) {
	for text, want := range map[string][]int{
		"0-3/16": {0, 1, 2, 3}, "15/16": {15}, "0,2-3/4": {0, 2, 3}, "0/1": {0},
		"": nil, "0-3": nil, "4/4": nil, "3-2/4": nil, "-1/4": nil, "0/0": nil, "0/1001": nil, "a/4": nil, "0,/4": nil,
	} {
		if got, _, err := parseShards(text); !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
