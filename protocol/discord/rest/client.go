package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"moot/internal/pause"
)

// DefaultURL is where Discord's API is.
const DefaultURL = "https://discord.com/api/v10"

// maxAnswer is the longest answer that is read, in bytes. A page of 1,000 members is under 1 MB.
const maxAnswer = 16 << 20

// Config says how to reach Discord.
type Config struct {
	Token string // of the bot, without "Bot "
	// URL is the API's address with its version, or that of a proxy before it; zero means
	// DefaultURL.
	URL string
	// MaxWait is the longest wait for a rate limit that a request sits through; zero means 10
	// seconds.
	MaxWait time.Duration
	// Timeout is how long one exchange may take; zero means 20 seconds.
	Timeout time.Duration
	// Transport makes the exchanges; nil means one like http.DefaultTransport.
	Transport http.RoundTripper
	// Share, where the bot has other processes too, takes a place among the requests of all: it returns how long to wait for that, and
	// takes none that is further away than most. Nil means that this is the only one.
	Share func(ctx context.Context, most time.Duration) (time.Duration, error)
	// Version of the bot, for the User-Agent that Discord demands; zero means "0".
	Version string
	Log     *slog.Logger // nil means none
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	cfg    Config
	http   *http.Client
	agent  string
	limits *limiter
	// refused is since when the token is refused, in nanoseconds; zero while it is not. A single
	// 401 may be a mistake of Discord's: dead is whether another one came, secondLook later and
	// with nothing allowed between them.
	refused atomic.Int64
	dead    atomic.Bool
	// ahead is by how much Discord's clock is ahead of that of the machine, as its last answer told.
	ahead atomic.Int64
}

// secondLook is how long after a 401 the request is made again.
const secondLook = time.Second

// New makes a client. Nothing is sent until the first request.
func New(cfg Config) *Client {
	cfg.URL = strings.TrimRight(cmp.Or(cfg.URL, DefaultURL), "/")
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 10*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 64 // for a proxy without HTTP/2: many answers are under way at once
		cfg.Transport = t
	}
	return &Client{
		cfg:  cfg,
		http: &http.Client{Transport: cfg.Transport, Timeout: cfg.Timeout},
		// A URL and a version are wanted
		// (https://discord.com/developers/docs/reference#user-agent). The bot has no page of its
		// own; this one leads those who run it to their application.
		agent:  fmt.Sprintf("DiscordBot (https://discord.com/developers/applications, %s)", cmp.Or(cfg.Version, "0")),
		limits: newLimiter(),
	}
}

// Now returns the time by Discord's clock, as the last answer told it; that of the machine before the
// first.
func (c *Client) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is one request to make.
type Request struct {
	Method string
	Path   string // below the version, such as "/channels/1/messages"
	Query  url.Values
	Body   any // sent as JSON; nil sends none
	// Files go with the body, which names each by its place as an attachment.
	Files []File
	Into  any // where the answer's JSON goes; nil drops it
	// Reason stands in the guild's audit log; longer ones than 512 bytes (escaped) are cut.
	Reason string
	// Repeat is whether a POST may be made again when it is not known what became of it, because it
	// carries a nonce that Discord enforces or does nothing twice.
	Repeat bool
}

// repeatable reports whether making the request twice does no more than making it once.
func (r Request) repeatable() bool { return r.Method != http.MethodPost || r.Repeat }

// Do makes the request and waits for its answer. Its errors are *Error, ErrToken, and what the
// context says.
func (c *Client) Do(ctx context.Context, r Request) error {
	body, kind, err := r.encode()
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, withoutTokens(r.Path), err)
	}
	rt := routeOf(r.Method, r.Path)
	for try := 1; ; try++ {
		if err := c.wait(ctx, r, rt, func(key string) error { return c.once(ctx, r, rt, key, body, kind) }); err != nil {
			again, after := c.again(r, err, try)
			if !again || !c.fits(ctx, after) {
				return err
			}
			c.cfg.Log.Debug("making a request again", "err", err, "after", after)
			if pause.Sleep(ctx, after) != nil {
				return err
			}
			continue
		}
		return nil
	}
}

// wait lets the request go when the limits do.
func (c *Client) wait(ctx context.Context, r Request, rt route, send func(key string) error) error {
	for waited := time.Duration(0); ; {
		if c.dead.Load() && !rt.tokened {
			return ErrToken
		}
		if err := ctx.Err(); err != nil {
			return &Error{Method: r.Method, Path: r.Path, Err: err}
		}
		left, key, err := c.limits.take(time.Now(), rt)
		if left == 0 {
			if left, err = c.share(ctx, rt, c.cfg.MaxWait-waited); left == 0 && err == nil {
				return send(key)
			}
			c.limits.done(time.Now(), rt, key, nil) // it was not sent
			if err != nil {
				return &Error{Method: r.Method, Path: r.Path, Err: err}
			}
		}
		if err != nil || waited+left > c.cfg.MaxWait || !c.fits(ctx, left) {
			return &Error{Method: r.Method, Path: r.Path, Status: http.StatusTooManyRequests,
				RetryAfter: left, Err: err,
				Message: "not sent, so as to keep within the limit", held: true}
		}
		waited += left
		if err := pause.Sleep(ctx, left); err != nil {
			return &Error{Method: r.Method, Path: r.Path, Err: err}
		}
	}
}

// share waits for a place among the requests of all processes. It returns how long that would take where it is too long.
func (c *Client) share(ctx context.Context, rt route, most time.Duration) (time.Duration, error) {
	if c.cfg.Share == nil || rt.tokened {
		return 0, nil
	}
	if end, ok := ctx.Deadline(); ok {
		most = min(most, time.Until(end))
	}
	wait, err := c.cfg.Share(ctx, most)
	if err != nil || wait > most {
		return wait, err
	}
	return 0, pause.Sleep(ctx, wait)
}

// once makes one exchange.
func (c *Client) once(ctx context.Context, r Request, rt route, key string, body []byte, kind string) (err error) {
	var header http.Header
	defer func() { c.limits.done(time.Now(), rt, key, header) }()
	failed := func(cause error, sent bool) error {
		return &Error{Method: r.Method, Path: r.Path, Err: cause, Ambiguous: sent && !r.repeatable()}
	}
	req, err := c.request(ctx, r, rt, body, kind)
	if err != nil {
		return failed(err, false)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return failed(withoutURL(err), !neverSent(err))
	}
	defer resp.Body.Close()
	header = resp.Header
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		c.ahead.Store(int64(time.Until(at)))
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		if !rt.tokened {
			c.refused.Store(0)
		}
		if err != nil {
			return failed(err, true)
		}
		if r.Into == nil || len(answer) == 0 {
			return nil
		}
		if err := json.Unmarshal(answer, r.Into); err != nil {
			return failed(fmt.Errorf("the answer: %w", err), true)
		}
		return nil
	}
	e := &Error{Method: r.Method, Path: r.Path}
	e.fill(resp, answer)
	e.Ambiguous = e.Status >= 500 && !r.repeatable()
	c.learn(e, rt, resp.Header)
	if c.dead.Load() && !rt.tokened {
		return ErrToken
	}
	return e
}

// learn draws the consequences of a refusal.
func (c *Client) learn(e *Error, rt route, header http.Header) {
	now := time.Now()
	switch e.Status {
	case http.StatusUnauthorized:
		c.limits.refuse(now)
		if rt.tokened || c.refused.CompareAndSwap(0, now.UnixNano()) {
			return
		}
		if since := now.UnixNano() - c.refused.Load(); since >= int64(secondLook) &&
			c.dead.CompareAndSwap(false, true) {
			c.cfg.Log.Error("the token is not valid; no more requests are made", "err", e)
		}
	case http.StatusForbidden:
		c.limits.refuse(now)
	case http.StatusTooManyRequests:
		scope := header.Get("X-RateLimit-Scope")
		if scope != "shared" { // those do not count against the bot
			c.limits.refuse(now)
		}
		if e.Code == CodeOldEdits {
			return // newer messages of the channel can be edited all the same
		}
		c.limits.exhausted(now, rt, e)
		c.cfg.Log.Warn("rate limited", "route", rt.name, "scope", scope, "global", e.Global,
			"after", e.RetryAfter)
	}
}

// again says whether a failed request is made once more, and after what pause.
func (c *Client) again(r Request, err error, try int) (bool, time.Duration) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Ambiguous || e.held {
		return false, 0
	}
	switch {
	case e.Code == CodeOldEdits:
		return false, 0 // there is no use in waiting for that here
	case e.Status == http.StatusTooManyRequests:
		// A request that was limited did nothing, so that even a POST can be made again.
		return try < 5 && e.RetryAfter <= c.cfg.MaxWait, e.RetryAfter
	case e.Status == http.StatusUnauthorized:
		return try < 3 && !routeOf(r.Method, r.Path).tokened, secondLook + secondLook/10
	case e.Status >= 500 && r.repeatable(), e.Status == 0 && e.Err != nil:
		return try < 4, time.Duration(1<<try) * 250 * time.Millisecond
	}
	return false, 0
}

// fits reports whether a pause ends before the context does.
func (c *Client) fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) > wait)
}

func (c *Client) request(ctx context.Context, r Request, rt route, body []byte, kind string) (*http.Request, error) {
	address := c.cfg.URL + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if !rt.tokened {
		req.Header.Set("Authorization", "Bot "+c.cfg.Token)
	}
	if r.Reason != "" {
		req.Header.Set("X-Audit-Log-Reason", auditReason(r.Reason))
	}
	return req, nil
}

// auditReason escapes a reason for its header, which takes 1 to 512 bytes, and cuts it between two
// characters.
func auditReason(s string) string {
	var out strings.Builder
	for _, c := range s {
		escaped := strings.ReplaceAll(url.QueryEscape(string(c)), "+", "%20")
		if out.Len()+len(escaped) > 512 {
			break
		}
		out.WriteString(escaped)
	}
	return out.String()
}

// neverSent reports whether an exchange ended before anything of the request could have arrived.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// withoutURL is the cause within a *url.Error, whose text has the whole address with the token of
// an interaction.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
