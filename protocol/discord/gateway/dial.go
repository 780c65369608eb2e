package gateway

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// The websocket library knows how to go by a proxy, but would then put TLS above what we give it, and the wire could read
// nothing. So the whole way is made here: to the proxy, through it, and TLS.

// dialNetwork connects to an address, by a proxy if one is to be used; in clear where conf is nil.
func (g *Gateway) dialNetwork(ctx context.Context, address string, conf *tls.Config) (net.Conn, error) {
	target := &url.URL{Scheme: "http", Host: address}
	if conf != nil {
		target.Scheme = "https"
	}
	by, err := g.cfg.Proxy(&http.Request{URL: target})
	if err != nil {
		return nil, fmt.Errorf("the proxy: %w", err)
	}
	var raw net.Conn
	if by == nil {
		raw, err = (&net.Dialer{}).DialContext(ctx, "tcp", address)
	} else if raw, err = g.dialProxy(ctx, by, address); err != nil {
		err = fmt.Errorf("the proxy %s: %w", by.Redacted(), err)
	}
	if err != nil || conf == nil {
		return raw, err
	}
	return secure(ctx, raw, address, conf)
}

// secure begins TLS on a connection, which it closes if that does not succeed.
func secure(ctx context.Context, raw net.Conn, address string, conf *tls.Config) (net.Conn, error) {
	if conf.ServerName == "" {
		conf = conf.Clone()
		conf.ServerName, _, _ = net.SplitHostPort(address)
	}
	c := tls.Client(raw, conf)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// dialProxy connects to an address through a proxy of one of the kinds that net/http knows.
func (g *Gateway) dialProxy(ctx context.Context, by *url.URL, address string) (net.Conn, error) {
	switch by.Scheme {
	case "http", "https":
	case "socks5", "socks5h": // the proxy looks names up in both, as it does for net/http
		var auth *proxy.Auth
		if u := by.User; u != nil {
			auth = &proxy.Auth{User: u.Username()}
			auth.Password, _ = u.Password()
		}
		d, err := proxy.SOCKS5("tcp", withPort(by, "1080"), auth, nil)
		if err != nil {
			return nil, err
		}
		return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	default:
		return nil, fmt.Errorf("a proxy is reached by http, https or socks5, not by %q", by.Scheme)
	}
	port := "80"
	if by.Scheme == "https" {
		port = "443"
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", withPort(by, port))
	if err != nil {
		return nil, err
	}
	if by.Scheme == "https" {
		if raw, err = secure(ctx, raw, withPort(by, port), &tls.Config{}); err != nil {
			return nil, err
		}
	}
	if err := tunnel(ctx, raw, by, address); err != nil {
		raw.Close()
		return nil, err
	}
	return raw, nil
}

func withPort(u *url.URL, port string) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

// tunnel has a proxy connect to an address (RFC 9110, section 9.3.6).
func tunnel(ctx context.Context, c net.Conn, by *url.URL, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u := by.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	err := req.Write(c)
	var resp *http.Response
	in := bufio.NewReader(c)
	if err == nil {
		resp, err = http.ReadResponse(in, req)
	}
	switch {
	case !stop():
		return ctx.Err()
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers %q", resp.Status)
	case in.Buffered() > 0:
		return errGarbage // nobody speaks before we do
	}
	return nil
}
