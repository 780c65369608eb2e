package account

import (
	"bufio"
	"cmp"
	"io"
	"net/http"
	"strings"
)

// NoNull makes requests through another RoundTripper, nil standing for that of the standard library, and an answer that is null one
// that cannot be read. Each answer of the API is an object, and mautrix takes it for one: for a null it returns neither an answer nor
// an error, and whoever looks into that panics.
func NoNull(next http.RoundTripper) http.RoundTripper {
	return whole{cmp.Or(next, http.DefaultTransport)}
}

type whole struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w whole) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err == nil && resp.StatusCode/100 == 2 {
		resp.Body = &notNull{body: resp.Body, r: bufio.NewReader(resp.Body)}
	}
	return resp, err
}

// notNull is the body of an answer in which a null reads as a string.
type notNull struct {
	body  io.Closer
	r     *bufio.Reader
	begun bool
	text  io.Reader // in place of what comes; nil where it is no null
}

// Read implements io.Reader.
func (n *notNull) Read(p []byte) (int, error) {
	if !n.begun {
		n.begun = true
		n.begin()
	}
	if n.text != nil {
		return n.text.Read(p)
	}
	return n.r.Read(p)
}

// begin looks at how the answer begins, behind white space.
func (n *notNull) begin() {
	for {
		b, err := n.r.Peek(1)
		if err != nil || !strings.ContainsRune(" \t\r\n", rune(b[0])) {
			break
		}
		_, _ = n.r.Discard(1) // it was there a line above
	}
	if b, _ := n.r.Peek(len("null")); string(b) == "null" {
		n.text = strings.NewReader(`"null"`)
	}
}

// Close implements io.Closer.
func (n *notNull) Close() error { return n.body.Close() }
