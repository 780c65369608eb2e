// Package call does tasks by HTTP: the line that a task reads is posted, and what is answered is what it writes.
//
// # Promises
//
//   - The key of the task is the Idempotency-Key of each attempt.
//   - 2xx is an answer of at most [result.MaxOutput] bytes; an empty one is an object without anything. 4xx has been refused, but for
//     408, 425 and 429, and is not tried again. Any other answer is a failure. 502, 503 and 504 leave open what was done, since
//     others than the server say so.
//   - What cannot be reached has not been begun. Whatever goes wrong once something was sent leaves open what was done.
//   - It follows nobody elsewhere: what is sent may be for this server alone.
package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"moot/protocol"
	"moot/protocol/service/result"
)

// Config says what is called, and how.
type Config struct {
	URL string
	// Token is sent as a bearer token; zero means none.
	Token string
	// Timeout is how long a job may take.
	Timeout time.Duration
	// Text is whether the answer is what is said, and no JSON.
	Text bool
	// Max is how many jobs there are at once.
	Max int
}

// Caller calls one address for as many jobs as come. Its methods may be called concurrently.
type Caller struct {
	cfg    Config
	client *http.Client
	slots  chan struct{} // has a value for each job that runs
}

// New returns a caller.
func New(c Config) (*Caller, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || c.Timeout <= 0 || c.Max < 1 {
		return nil, errors.New("call: Timeout, Max or an address that begins with http is missing")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = c.Max
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Caller{c, client, make(chan struct{}, c.Max)}, nil
}

// Do implements service.Runner.
func (c *Caller) Do(ctx context.Context, line []byte, _ ...string) (json.RawMessage, error) {
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-c.slots }()
	within, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, result.ErrTimeout)
	defer cancel()
	out, err := c.post(within, line)
	if err != nil {
		if cause := context.Cause(within); cause != nil && !errors.Is(err, result.ErrOutput) {
			return nil, cause
		}
		return nil, err
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return json.RawMessage("{}"), nil
	}
	if !c.cfg.Text {
		var whole bytes.Buffer // it may be written over several lines
		if json.Compact(&whole, out) == nil {
			out = whole.Bytes()
		}
	}
	return result.Read(out, c.cfg.Text, "")
}

func (c *Caller) post(ctx context.Context, line []byte) ([]byte, error) {
	var in struct{ Key protocol.Key }
	if err := json.Unmarshal(line, &in); err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(line))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", result.ErrRefused, err)
	}
	// net/http sends again by itself what has this header, and of which it can get the body again. Here each attempt is counted.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "moot")
	req.Header["Idempotency-Key"] = []string{string(in.Key)}
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, fmt.Errorf("%w: it cannot be reached: %w", result.ErrFailed, op)
		}
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // without the address, which may have a secret, and is said in dead letters
		}
		return nil, fmt.Errorf("%w: %w", result.ErrDied, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(io.LimitReader(resp.Body, result.MaxOutput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", result.ErrDied, err)
	case len(out) > result.MaxOutput:
		return nil, result.ErrOutput
	}
	return out, fault(resp, out)
}

// fault is the error of an answer; nil where it is a good one.
func fault(resp *http.Response, out []byte) error {
	words := protocol.Shorten(protocol.OneLine(strings.ToValidUTF8(string(out), "\uFFFD")), 200)
	said := fmt.Sprintf("it answered %d %s", resp.StatusCode, words)
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return fmt.Errorf("%w: %s", result.ErrDied, said)
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("%w: %s", result.ErrFailed, said)
	}
	return fmt.Errorf("%w: %s", result.ErrRefused, said)
}

// Warm implements service.Runner.
func (c *Caller) Warm() {}

// Close implements service.Runner.
func (c *Caller) Close() { c.client.CloseIdleConnections() }
