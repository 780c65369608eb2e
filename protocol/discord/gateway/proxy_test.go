package gateway_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"moot/protocol/discord/discordtest"
	"moot/protocol/discord/gateway"
)

// detour is a proxy that connects to one address, whatever it is asked for, and notes that.
type detour struct {
	to    string // host and port
	wants string // Proxy-Authorization; zero lets everybody through

	mu    sync.Mutex
	asked []string
}

func (d *detour) note(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, address)
}

// pass connects both sides until one of them has enough.
func (d *detour) pass(client io.ReadWriteCloser) {
	server, err := net.Dial("tcp", d.to)
	if err != nil {
		client.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, client); server.Close() })
	_, _ = io.Copy(client, server)
	client.Close()
	both.Wait()
}

// ServeHTTP is an HTTP proxy that knows CONNECT.
func (d *detour) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.note(r.Method + " " + r.Host)
	if d.wants != r.Header.Get("Proxy-Authorization") {
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	d.pass(client)
}

// socks is a SOCKS5 proxy (RFC 1928) without passwords.
func (d *detour) socks(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				head := make([]byte, 2)
				if _, err := io.ReadFull(c, head); err != nil { // version, number of methods
					return
				}
				_, _ = io.CopyN(io.Discard, c, int64(head[1]))
				_, _ = c.Write([]byte{5, 0})
				ask := make([]byte, 5) // version, CONNECT, 0, 3 for a name, its length
				if _, err := io.ReadFull(c, ask); err != nil || !bytes.Equal(ask[:4], []byte{5, 1, 0, 3}) {
					t.Errorf("the proxy is asked for % x", ask)
					c.Close()
					return
				}
				name := make([]byte, int(ask[4])+2)
				_, _ = io.ReadFull(c, name)
				d.note(string(name[:ask[4]]) + ":" + itoa(binary.BigEndian.Uint16(name[ask[4]:])))
				_, _ = c.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 0})
				d.pass(c)
			})
		}
	})
	return l.Addr().String()
}

func itoa(port uint16) string {
	_, p, _ := strings.Cut((&net.TCPAddr{Port: int(port)}).String(), ":")
	return p
}

// TestProxies: the gateway is reached through a proxy of each kind, in clear and by TLS, also when
// it resumes.
func TestProxies(t *testing.T) {
	for name, c := range map[string]struct{ scheme, user, wants, asked string }{
		"HTTP":                  {"http", "", "", "CONNECT example.com:80"},
		"HTTP, TLS":             {"http", "", "", "CONNECT example.com:443"},
		"HTTP, TLS, a password": {"http", "ann:secret@", "Basic YW5uOnNlY3JldA==", "CONNECT example.com:443"},
		"SOCKS5":                {"socks5", "", "", "example.com:80"},
		"SOCKS5, TLS":           {"socks5h", "", "", "example.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			ann, _, general := room(srv)
			behind, err := url.Parse(strings.Replace(srv.GatewayURL(), "ws", "http", 1))
			if err != nil {
				t.Fatal(err)
			}
			d := &detour{to: behind.Host, wants: c.wants}
			conf, address := &tls.Config{}, "ws://example.com"
			if strings.Contains(name, "TLS") {
				front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(behind))
				t.Cleanup(front.Close)
				conf.RootCAs = x509.NewCertPool()
				conf.RootCAs.AddCert(front.Certificate()) // which is for example.com
				d.to, address = front.Listener.Addr().String(), "wss://example.com"
			}
			var host string
			if c.scheme == "http" {
				p := httptest.NewServer(d)
				t.Cleanup(p.Close)
				host = p.Listener.Addr().String()
			} else {
				host = d.socks(t)
			}
			by, err := url.Parse(c.scheme + "://" + c.user + host)
			if err != nil {
				t.Fatal(err)
			}
			b := start(t, srv, func(g *gateway.Config) {
				g.URL, g.TLS, g.Proxy = address, conf, http.ProxyURL(by)
			}, nil)
			b.hears("READY", "GUILD_CREATE")
			srv.Cut()
			ann.Says(general, "missed")
			b.hears("missed", "RESUMED")
			b.stop()
			if err := b.ends(); err != nil {
				t.Errorf("Run: %v", err)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			if len(d.asked) < 2 || d.asked[0] != c.asked {
				t.Errorf("the proxy was asked for %q", d.asked)
			}
		})
	}
}

// TestProxiesThatRefuse: the log says which proxy it was, and what it said, but not the password
// for it; and it is tried again.
func TestProxiesThatRefuse(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	behind, _ := url.Parse(srv.GatewayURL())
	p := httptest.NewServer(&detour{to: behind.Host, wants: "somebody else"})
	t.Cleanup(p.Close)
	by, _ := url.Parse("http://ann:secret@" + p.Listener.Addr().String())
	var refused sync.Once
	b := start(t, srv, func(g *gateway.Config) {
		g.Proxy = func(*http.Request) (proxy *url.URL, _ error) {
			refused.Do(func() { proxy = by })
			return proxy, nil
		}
		g.URL = srv.GatewayURL()
	}, nil)
	b.hears("READY", "GUILD_CREATE")
	log := b.log.String()
	if !strings.Contains(log, "the proxy http://ann:xxxxx@"+by.Host) ||
		!strings.Contains(log, "Proxy Authentication Required") || strings.Contains(log, "secret") {
		t.Errorf("the log:\n%s", log)
	}
	if n := srv.Identified(); n != 1 {
		t.Errorf("identified %d times", n)
	}
}

// TestASilentProxy is left alone in time, and at once when the bot stops.
func TestASilentProxy(t *testing.T) {
	t.Parallel()
	srv := discordtest.New(t)
	room(srv)
	l, err := net.Listen("tcp", "127.0.0.1:0") // which nobody accepts from
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	by := &url.URL{Scheme: "http", Host: l.Addr().String()}
	dialed := make(chan struct{}, 10)
	b := start(t, srv, func(g *gateway.Config) {
		g.Proxy = func(*http.Request) (*url.URL, error) { dialed <- struct{}{}; return by, nil }
	}, nil)
	<-dialed
	b.stop()
	if err := b.ends(); err != nil {
		t.Errorf("Run: %v", err)
	}
}
