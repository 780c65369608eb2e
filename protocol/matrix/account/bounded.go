package account

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestTime is how long a request may take, with its answer. A sync may take longer: the server waits for news, and at
// the first one collects all that there is. Whoever makes it gives it a context that ends.
const requestTime = 2 * time.Minute

// bounded ends requests that take too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, "/sync") {
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
