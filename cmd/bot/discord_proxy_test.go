package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestDiscordByAProxy: where the environment names a proxy, the bot goes by it to the API and to the gateway, and by no other
// way: there is no other that leads to discord.example.
func TestDiscordByAProxy(t *testing.T) {
	b := newDiscordBot(t)
	there, err := url.Parse(b.srv.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	var tunnels sync.WaitGroup
	t.Cleanup(tunnels.Wait)
	api := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Host = there.Host }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Hostname() != "discord.example" && r.Host != "discord.example:80" {
			t.Errorf("the proxy is asked for %s %s", r.Method, r.URL)
		}
		if r.Method != http.MethodConnect {
			api.ServeHTTP(w, r)
			return
		}
		tunnels.Add(1)
		defer tunnels.Done()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", there.Host)
		if err != nil {
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		tunnels.Go(func() { _, _ = io.Copy(server, client); server.Close() })
		_, _ = io.Copy(client, server)
	}))
	t.Cleanup(proxy.Close)
	path := filepath.Join(b.dir, "config.toml")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), there.Host, "discord.example")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.env = []string{"HTTP_PROXY=" + proxy.URL, "http_proxy=" + proxy.URL, "NO_PROXY=", "no_proxy="}
	town := b.settle("Lab")
	b.start()
	town.ready()
	b.srv.Cut()
	b.expect("the answer after a cut", town.ben.Slash(town.general, "ping", nil).Reply().Content, "pong")
	b.stop()
}
