package matrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"maunium.net/go/mautrix"

	"moot/internal/pause"
	"moot/protocol"
)

const (
	// requestTimeout is how long a request may take that does not wait for news, and membersTimeout one for the members of a
	// room, of which there may be a hundred thousand.
	requestTimeout = time.Minute
	membersTimeout = 9 * time.Minute
	// maxResponse is how many bytes of a response are read. A first sync of thousands of rooms has tens of megabytes.
	maxResponse = 1 << 30
	// maxRetryAfter bounds what a server can ask for.
	maxRetryAfter = time.Hour
)

// request makes one request, without trying again, and reads the response into out; nil reads nothing. A dead login, which is
// looked at twice, ends the Run.
func (r *run) request(ctx context.Context, method string, path mautrix.ClientURLPath, query url.Values, in, out any) error {
	limit := requestTimeout
	if path[len(path)-1] == "members" {
		limit = membersTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.do(ctx, method, path, query, in, out)
}

// do is request without its timeout.
func (r *run) do(ctx context.Context, method string, path mautrix.ClientURLPath, query url.Values, in, out any) error {
	once := func() error {
		_, err := r.client.MakeFullRequest(ctx, mautrix.FullRequest{
			Method: method,
			URL: r.client.BuildURLWithFullQuery(path, func(q url.Values) {
				for k, v := range query {
					q[k] = v
				}
			}),
			RequestJSON: in, ResponseJSON: out, MaxAttempts: 1, Handler: readShallow, ResponseSizeLimit: maxResponse,
			SensitiveContent: true,
		})
		return err
	}
	err := once()
	if !isDead(err) || pause.Sleep(ctx, secondLook) != nil {
		return err
	}
	if err = once(); isDead(err) {
		end := fmt.Errorf("the homeserver refuses the login of the bot: %w", err)
		if r.fault != nil {
			end = r.fault(err)
		}
		r.stop(protocol.Ends(protocol.RetrySlowly, end))
	}
	return err
}

// secondLook is how long after a refusal of the login the same is asked again. A server that starts or is moved may once say that
// it does not know what it knows.
const secondLook = time.Second

// errUnreadable is in the chain of the error where the server has answered something else than it should.
var errUnreadable = errors.New("the response cannot be read")

// without goes on without an answer that cannot be read, and says so. One that ends too early, as where a connection was cut, is asked
// for again before.
func (r *run) without(what string, err error) error {
	if !errors.Is(err, errUnreadable) {
		return err
	}
	if r.tries[what]++; errors.Is(err, io.ErrUnexpectedEOF) && r.tries[what] < persistence {
		return err
	}
	delete(r.tries, what)
	r.log.Error("the homeserver answers what cannot be read, and the bot goes on without", "what", what, "err", err)
	return nil
}

// readShallow reads a response into responseJSON.
func readShallow(_ *http.Request, res *http.Response, responseJSON any, limit int64) ([]byte, error) {
	if responseJSON == nil {
		_, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
		return nil, err
	}
	body := &io.LimitedReader{R: res.Body, N: limit}
	if err := json.NewDecoder(newShallow(body)).Decode(responseJSON); err != nil {
		if body.N <= 0 {
			return nil, fmt.Errorf("the response has more than %d bytes", limit)
		}
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return nil, nil
}

// answer returns what the server has answered to a request that failed: the status and the error code of Matrix, zero
// where there was no answer at all, or one of something that is no homeserver.
func answer(err error) (status int, code string) {
	var he mautrix.HTTPError
	if !errors.As(err, &he) || he.Response == nil {
		return 0, ""
	}
	if he.RespError != nil {
		code = he.RespError.ErrCode
	}
	return he.Response.StatusCode, code
}

// cause returns an error without the address of its request: that of a sync is as long as its filter.
func cause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// isCode reports whether the server has answered with one of these error codes.
func isCode(err error, codes ...mautrix.RespError) bool {
	for _, c := range codes {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// isDead reports whether a server says that the login can no longer be used.
func isDead(err error) bool {
	_, code := answer(err)
	return slices.Contains([]string{"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED", "M_USER_LOCKED"}, code)
}

// retryAfter returns how long the server wants to be left alone, zero where it does not say. It says so in a header, or
// as older ones do in the body (Client-Server API, section "Rate limiting").
func retryAfter(err error) time.Duration {
	var he mautrix.HTTPError
	if !errors.As(err, &he) || he.Response == nil {
		return 0
	}
	wait := time.Duration(0)
	if h := strings.TrimSpace(he.Response.Header.Get("Retry-After")); h != "" {
		if s, err := strconv.ParseFloat(h, 64); err == nil && s > 0 && s < 1e9 {
			wait = time.Duration(s * float64(time.Second))
		} else if at, err := http.ParseTime(h); err == nil {
			wait = time.Until(at)
		}
	}
	if wait <= 0 && he.RespError != nil {
		if ms, ok := he.RespError.ExtraData["retry_after_ms"].(float64); ok && ms > 0 && ms < 1e12 {
			wait = time.Duration(ms) * time.Millisecond
		}
	}
	return min(max(wait, 0), maxRetryAfter)
}

// failure says what the error of a request means to the outbox. It is nil where err is.
func (r *run) failure(ctx context.Context, what string, room protocol.RoomID, err error) error {
	if err == nil {
		return nil
	}
	status, code := answer(err)
	wrapped := fmt.Errorf("%s: %w", what, err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case status == http.StatusTooManyRequests || code == mautrix.MLimitExceeded.ErrCode:
		return &protocol.SendError{RetryAfter: retryAfter(err), Err: wrapped}
	case isDead(err) || status == http.StatusUnauthorized:
		return wrapped // the Run ends if it is so; the next one tries again
	case code == mautrix.MForbidden.ErrCode && room != "" && !r.isIn(ctx, room):
		return final("%w: the bot is not in %s: %w", protocol.ErrGone, room, wrapped)
	case code == mautrix.MNotFound.ErrCode:
		return final("%w: %w", protocol.ErrGone, wrapped)
	case status == http.StatusRequestTimeout || code == "" || code == "M_RESOURCE_LIMIT_EXCEEDED" || status >= 500:
		return wrapped // something on the way, or a server that is full, which may pass
	}
	return final("%w", wrapped)
}

// lookedTwice lets an answer that something is not there be final only where it is the second one.
func lookedTwice(err error, attempt protocol.Attempt) error {
	var said *protocol.SendError
	if status, _ := answer(err); attempt.N > 1 || status != http.StatusNotFound || !errors.As(err, &said) || !said.Final {
		return err
	}
	again := *said
	again.Final = false
	return &again
}

// isIn asks the server whether the bot is in a room. Where it does not say, the bot counts as being there.
func (r *run) isIn(ctx context.Context, room protocol.RoomID) bool {
	var own object
	err := r.request(ctx, http.MethodGet, mautrix.ClientURLPath{"v3", "rooms", mxRoom(room), "state", "m.room.member", r.self}, nil, nil, &own)
	if err != nil {
		return !isCode(err, mautrix.MForbidden, mautrix.MNotFound)
	}
	return membershipOf(own) == "join"
}
