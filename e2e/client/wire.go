//go:build goolm

package client

import (
	"io"
	"net/http"
	"strings"
	"sync"
)

// wire is the way to the server. It can hold back the keys of rooms that the client sends to the devices of others, which
// then come late, as they do when servers are slow.
type wire struct {
	next http.RoundTripper

	mu   sync.Mutex
	hold bool
	held []*http.Request
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.Contains(req.URL.Path, "/sendToDevice/m.room.encrypted/") {
		return w.next.RoundTrip(req)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.hold {
		return w.next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	later := req.Clone(req.Context())
	later.Body = io.NopCloser(strings.NewReader(string(body)))
	later.ContentLength = int64(len(body))
	w.held = append(w.held, later)
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2,
	}, nil
}

// HoldKeys keeps back the keys of rooms from here on.
func (c *Client) HoldKeys() {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.wire.hold = true
}

// ReleaseKeys lets go of the keys that were kept back, and of those to come.
func (c *Client) ReleaseKeys() {
	c.t.Helper()
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.wire.hold = false
	for _, req := range c.wire.held {
		resp, err := c.wire.next.RoundTrip(req.WithContext(c.t.Context()))
		c.must("send a key late", err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			c.t.Fatalf("%s: send a key late: %s", c.UserID, resp.Status)
		}
	}
	if len(c.wire.held) == 0 {
		c.t.Fatalf("%s: no key was kept back", c.UserID)
	}
	c.wire.held = nil
}
