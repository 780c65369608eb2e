// Package hook takes webhooks: what programs elsewhere post, signed with a secret that both know.
//
// # Promises
//
//   - Nothing is looked at, and nothing is kept, whose signature is wrong. Signatures are compared in constant time.
//   - 202 is answered only when what was posted is durable. Until then the sender gets another answer, and should try again.
//   - What is posted twice is one event: GitHub and Gitea sign the body, and so the body alone says whether it is the same; in the
//     own form the key says so, which is signed too, and what is signed is good for five minutes.
//   - A body has at most [MaxBody] bytes and comes within ten seconds; a few are read at once, and so many a minute are taken. Who
//     sends more is told when to try again, and holds up nobody else.
//   - Nobody knows who sends a body before all of it is there. So where as many are read as may, the one that has been read for the
//     longest gives its place to the next one: those who send slowly, or nothing, keep out nobody whose body comes at once.
package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"moot/protocol"
)

const (
	// MaxBody is how many bytes a body has at most.
	MaxBody = 1 << 20
	// atOnce is how many bodies are read at once.
	atOnce = 8
	// patience is how long a body may take to come, and then how long it may take to become durable.
	patience = 10 * time.Second
	// tolerance is how far the clock of a sender may be off, in the own form.
	tolerance = 5 * time.Minute
)

// Form is how a sender signs.
type Form string

// The forms.
const (
	GitHub Form = "github" // X-Hub-Signature-256: sha256=… of the body
	Gitea  Form = "gitea"  // X-Gitea-Signature: … of the body; so do Forgejo and Gogs
	Plain  Form = "plain"  // X-Moot-Signature: sha256=… of time.key.body, with X-Moot-Time and Idempotency-Key
)

// Delivery is what was posted.
type Delivery struct {
	ID    protocol.EventID // the same for what is posted again
	Event string           // what the sender calls it; it is not signed
	Data  json.RawMessage
}

// Config says what a Handler takes.
type Config struct {
	Form   Form
	Secret []byte
	// PerMinute is how many are taken in a minute, and at once.
	PerMinute int
	// Deliver returns nil when the delivery is durable, or was before.
	Deliver func(ctx context.Context, d Delivery) error
	Now     func() time.Time
	Log     *slog.Logger
}

// Handler takes the webhooks of one service.
type Handler struct {
	cfg   Config
	slots chan struct{}

	mu      sync.Mutex
	left    float64   // how many may be taken; guarded by mu
	at      time.Time // when that was so; guarded by mu
	reading []*reader // those whose body is being read, the oldest first; guarded by mu
}

// reader is somebody whose body is being read.
type reader struct {
	conn *http.ResponseController
	out  bool // another one gets its place; guarded by the mutex of the Handler
}

// New returns a handler.
func New(c Config) (*Handler, error) {
	if len(c.Secret) == 0 || c.PerMinute < 1 || c.Deliver == nil || c.Now == nil {
		return nil, errors.New("hook: Secret, PerMinute, Deliver or Now is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{cfg: c, slots: make(chan struct{}, atOnce), left: float64(c.PerMinute)}, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	code, text := h.take(w, r)
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	if code != http.StatusAccepted {
		h.cfg.Log.Warn("a webhook was refused", "code", code, "why", text)
		w.Header().Set("Connection", "close") // what is left of its body is not read
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n")
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) (code int, text string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, "Post here."
	}
	if !h.slot() {
		return http.StatusServiceUnavailable, crowd
	}
	defer func() { <-h.slots }()
	body, out, err := h.read(w, r)
	var large *http.MaxBytesError
	switch {
	case out:
		return http.StatusServiceUnavailable, crowd
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "A body has at most 1 MiB."
	case err != nil:
		return http.StatusRequestTimeout, "The body did not come."
	}
	id, why := h.check(r.Header, body)
	switch {
	case why != "":
		return http.StatusForbidden, why
	case !h.room():
		return http.StatusTooManyRequests, "More come than are taken in a minute. Try again later."
	case !json.Valid(body):
		return http.StatusBadRequest, "The body is not JSON. Choose application/json where you set up the webhook."
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := h.cfg.Deliver(ctx, Delivery{ID: id, Event: event(r.Header), Data: body}); err != nil {
		h.cfg.Log.Warn("a webhook could not be taken", "err", err)
		return http.StatusServiceUnavailable, "It could not be taken now. Try again soon."
	}
	return http.StatusAccepted, "Taken."
}

// crowd is what they are told who find no place, or lose theirs.
const crowd = "Too many are being read. Try again soon."

// slot waits for a place among those who are read, which somebody has to leave where all are taken, and reports whether there is one:
// there is none where all that were read are being made durable.
func (h *Handler) slot() bool {
	select {
	case h.slots <- struct{}{}:
		return true
	default:
	}
	if !h.evict() {
		return false
	}
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case h.slots <- struct{}{}:
		return true
	case <-late.C:
		return false
	}
}

// evict ends the reading of the body that has been read for the longest, and reports whether there was one.
func (h *Handler) evict() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reading) == 0 {
		return false
	}
	r := h.reading[0]
	h.reading = h.reading[1:]
	r.out = true
	_ = r.conn.SetReadDeadline(time.Unix(1, 0)) // where that is not known it goes on for as long as it may
	return true
}

// read reads the body of a request. It reports whether its place was wanted for another one before all of it was there.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (body []byte, out bool, err error) {
	one := &reader{conn: http.NewResponseController(w)}
	h.mu.Lock()
	err = one.conn.SetReadDeadline(time.Now().Add(patience))
	h.reading = append(h.reading, one)
	h.mu.Unlock()
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if one.out {
		return body, true, err
	}
	h.reading = slices.DeleteFunc(h.reading, func(o *reader) bool { return o == one })
	return body, false, err
}

// check returns by what a delivery is known, or why it is refused.
func (h *Handler) check(header http.Header, body []byte) (id protocol.EventID, why string) {
	const wrong = "The signature is missing or wrong. Is the secret the same on both sides?"
	signed := string(body)
	given := header.Get("X-Hub-Signature-256")
	switch h.cfg.Form {
	case Gitea:
		given = "sha256=" + header.Get("X-Gitea-Signature")
	case Plain:
		at, key := header.Get("X-Moot-Time"), header.Get("Idempotency-Key")
		given, signed = header.Get("X-Moot-Signature"), at+"."+key+"."+string(body)
		if unix, err := strconv.ParseInt(at, 10, 64); err != nil || key == "" || len(key) > 200 || h.cfg.Now().Sub(time.Unix(unix, 0)).Abs() > tolerance {
			return "", "X-Moot-Time has to be the time in seconds since 1970, within five minutes, and Idempotency-Key a name for what is posted."
		}
	}
	sent, ok := strings.CutPrefix(given, "sha256=")
	mac, err := hex.DecodeString(sent)
	if !ok || err != nil || !hmac.Equal(mac, sign(h.cfg.Secret, signed)) {
		return "", wrong
	}
	what := sha256.Sum256(body)
	if h.cfg.Form == Plain {
		what = sha256.Sum256([]byte(header.Get("Idempotency-Key")))
	}
	return protocol.EventID("hook/" + hex.EncodeToString(what[:])), ""
}

func sign(secret []byte, text string) []byte {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, text) // which never fails
	return mac.Sum(nil)
}

// room reports whether one more may be taken, and counts it.
func (h *Handler) room() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, most := h.cfg.Now(), float64(h.cfg.PerMinute)
	if gone := now.Sub(h.at); gone > 0 {
		h.left, h.at = min(most, h.left+most*gone.Minutes()), now
	}
	if h.left < 1 {
		return false
	}
	h.left--
	return true
}

var eventName = regexp.MustCompile(`^[a-z_]{1,60}$`)

// event returns what the sender calls what it posts, where that is a name.
func event(header http.Header) string {
	for _, name := range []string{"X-Github-Event", "X-Gitea-Event", "X-Moot-Event"} {
		if v := header.Get(name); eventName.MatchString(v) {
			return v
		}
	}
	return ""
}
