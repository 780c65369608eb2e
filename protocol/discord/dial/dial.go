// Package dial opens WebSockets, through a proxy where there is one: what of it the library does not do.
package dial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/gorilla/websocket"
)

// WebSocket connects to an address until the context ends, by a proxy if one is to be used. Nil of TLS means the system's
// authorities.
func WebSocket(ctx context.Context, address string, authorities *tls.Config, proxy func(*http.Request) (*url.URL, error)) (*websocket.Conn, error) {
	var by *url.URL
	stop := func() bool { return true }
	d := websocket.Dialer{
		TLSClientConfig: authorities,
		ReadBufferSize:  32 << 10,
		Proxy: func(r *http.Request) (p *url.URL, err error) {
			by, err = proxy(r)
			return forDialer(by), err
		},
		NetDialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
			if by != nil && by.Scheme == "https" {
				c, err = (&tls.Dialer{}).DialContext(ctx, network, addr)
			} else {
				c, err = (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			if err == nil { // the library does not stop when it talks to a proxy
				stop = context.AfterFunc(ctx, func() { c.Close() })
			}
			return c, err
		},
	}
	ws, resp, err := d.DialContext(ctx, address, nil)
	switch {
	case !stop():
		if err == nil {
			ws.Close()
		}
		return nil, context.Cause(ctx)
	case err == nil:
		return ws, nil
	case resp != nil:
		return nil, fmt.Errorf("the gateway answers %q: %w", resp.Status, err)
	case by != nil:
		return nil, fmt.Errorf("by the proxy %s: %w", by.Redacted(), err)
	}
	return nil, err
}

// forDialer writes the address of a proxy as the dialer wants it: with a port and a scheme that it
// knows. TLS to a proxy begins before; both kinds of SOCKS5 have the proxy look names up.
func forDialer(proxy *url.URL) *url.URL {
	if proxy == nil {
		return nil
	}
	p := *proxy
	port := "80"
	switch p.Scheme {
	case "https":
		p.Scheme, port = "http", "443"
	case "socks5", "socks5h":
		p.Scheme, port = "socks5", "1080"
	}
	if p.Port() == "" {
		p.Host = net.JoinHostPort(p.Hostname(), port)
	}
	return &p
}
