package account

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// requestTime is how long a request may take, with its answer. A sync may take longer, since the server waits for news, and at
// the first one collects all that there is; so may the members of a large room. Whoever makes these gives them a context that ends.
const requestTime = 2 * time.Minute

// hangAfter is after what time without an answer the server is said to hang.
const hangAfter = 5 * time.Second

// bounded ends requests that take too long, and says so early of a server that does not answer.
type bounded struct {
	next http.RoundTripper
	log  *slog.Logger
	// hangs is whether it was said that the server does not answer; since then it has not.
	hangs atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	patience := hangAfter
	if held, err := strconv.Atoi(req.URL.Query().Get("timeout")); err == nil && isSync(req) {
		patience += time.Duration(held) * time.Millisecond // while there is no news
	}
	if slowByNature(req) {
		return b.roundTrip(req)
	}
	watch := time.AfterFunc(patience, func() {
		if !b.hangs.Swap(true) {
			b.log.Warn("the homeserver takes the request and does not answer; the bot waits", "network", "matrix",
				"path", req.URL.Path, "after", patience)
		}
	})
	defer watch.Stop()
	resp, err := b.roundTrip(req)
	if err == nil && b.hangs.Swap(false) {
		b.log.Info("the homeserver answers again", "network", "matrix")
	}
	return resp, err
}

func isSync(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/sync") }

// slowByNature reports whether the server may have to collect much before it answers, or to wait for other servers.
func slowByNature(req *http.Request) bool {
	path := req.URL.Path
	for _, part := range []string{"/keys/query", "/keys/claim", "/join/", "/members", "/createRoom"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return isSync(req) && req.URL.Query().Get("since") == ""
}

func (b *bounded) roundTrip(req *http.Request) (*http.Response, error) {
	if isSync(req) || strings.HasSuffix(req.URL.Path, "/members") {
		return b.next.RoundTrip(req)
	}
	ctx, cancel := context.WithTimeout(req.Context(), requestTime)
	resp, err := b.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = ending{resp.Body, cancel}
	return resp, nil
}

// ending is the body of an answer that lets go of its context when it is closed.
type ending struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (e ending) Close() error {
	defer e.cancel()
	return e.ReadCloser.Close()
}
