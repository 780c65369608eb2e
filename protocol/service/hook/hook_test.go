package hook

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moot/internal/effort"
)

const secret = "a secret of both sides"

// receiver is a handler behind a real server.
type receiver struct {
	*httptest.Server
	t     *testing.T
	now   time.Time
	taken []Delivery
	err   error
	h     *Handler
	hold  chan struct{} // what a delivery waits for; nil means nothing
	held  atomic.Int64  // how many do
}

func receive(t *testing.T, form Form, perMinute int) *receiver {
	t.Helper()
	r := &receiver{t: t, now: time.Unix(1_800_000_000, 0)}
	h, err := New(Config{
		Form: form, Secret: []byte(secret), PerMinute: perMinute, Now: func() time.Time { return r.now },
		Deliver: func(_ context.Context, d Delivery) error {
			if r.hold != nil {
				r.held.Add(1)
				<-r.hold
				return nil
			}
			if r.err == nil {
				r.taken = append(r.taken, d)
			}
			return r.err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.h, r.Server = h, httptest.NewServer(h)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) post(body string, header ...string) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.URL, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || len(text) < 5 {
		r.t.Errorf("it was answered with %q, %v", text, err)
	}
	return resp.StatusCode
}

func signature(text string) string { return hex.EncodeToString(sign([]byte(secret), text)) }

// The example of GitHub's documentation ("Validating webhook deliveries", Testing the webhook payload validation).
func TestSignatureIsThatOfGitHub(t *testing.T) {
	got := hex.EncodeToString(sign([]byte("It's a Secret to Everybody"), "Hello, World!"))
	if want := "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"; got != want {
		t.Errorf("it is %s", got)
	}
}

func TestSignedBodiesAreTaken(t *testing.T) {
	const body = `{"action":"opened"}`
	for form, header := range map[Form][]string{
		GitHub: {"X-Hub-Signature-256", "sha256=" + signature(body), "X-GitHub-Event", "issues"},
		Gitea:  {"X-Gitea-Signature", signature(body), "X-Gitea-Event", "issues"},
		Plain: {"X-Moot-Signature", "sha256=" + signature("1800000000.k1."+body), "X-Moot-Time", "1800000000", "Idempotency-Key", "k1",
			"X-Moot-Event", "issues"},
	} {
		r := receive(t, form, 10)
		for range 2 { // whoever takes it sees that it is the same
			if code := r.post(body, header...); code != http.StatusAccepted {
				t.Errorf("%s: %d", form, code)
			}
		}
		if len(r.taken) != 2 || r.taken[0].ID != r.taken[1].ID || r.taken[0].Event != "issues" || string(r.taken[0].Data) != body {
			t.Errorf("%s: %+v", form, r.taken)
		}
		if code := r.post(strings.Replace(body, "opened", "closed", 1), header...); code != http.StatusForbidden {
			t.Errorf("%s: another body under the same signature: %d", form, code)
		}
	}
}

func TestRefusedBodies(t *testing.T) {
	for _, header := range [][]string{
		nil, {"X-Hub-Signature-256", ""}, {"X-Hub-Signature-256", "sha256="}, {"X-Hub-Signature-256", signature("{}")},
		{"X-Hub-Signature-256", "sha256=" + signature("[]")}, {"X-Hub-Signature-256", "sha1=" + signature("{}")}, {"X-Hub-Signature-256", "sha256=zz"},
		{"X-Gitea-Signature", signature("{}")},
	} {
		r := receive(t, GitHub, 10)
		if code := r.post("{}", header...); code != http.StatusForbidden || len(r.taken) > 0 {
			t.Errorf("%q: %d", header, code)
		}
	}
	r := receive(t, GitHub, 10)
	if code := r.post("hello", "X-Hub-Signature-256", "sha256="+signature("hello")); code != http.StatusBadRequest {
		t.Errorf("no JSON: %d", code)
	}
	if resp, err := r.Client().Get(r.URL); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a GET: %v", err)
	} else {
		resp.Body.Close()
	}
	large := `"` + strings.Repeat("x", MaxBody) + `"`
	if code := r.post(large, "X-Hub-Signature-256", "sha256="+signature(large)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large one: %d", code)
	}
	r.err = errors.New("the bot stops")
	if code := r.post("{}", "X-Hub-Signature-256", "sha256="+signature("{}")); code != http.StatusServiceUnavailable {
		t.Errorf("what is not durable: %d", code)
	}
	if len(r.taken) > 0 {
		t.Errorf("these were taken: %+v", r.taken)
	}
}

// In the own form what was signed is good for a while, and for one key.
func TestOwnFormAges(t *testing.T) {
	r := receive(t, Plain, 10)
	for at, want := range map[string]int{"1800000000": 202, "1799999701": 202, "1799999699": 403, "1800000301": 403, "soon": 403} {
		code := r.post("{}", "X-Moot-Signature", "sha256="+signature(at+".k.{}"), "X-Moot-Time", at, "Idempotency-Key", "k")
		if code != want {
			t.Errorf("at %s: %d", at, code)
		}
	}
	if code := r.post("{}", "X-Moot-Signature", "sha256="+signature("1800000000.k.{}"), "X-Moot-Time", "1800000000", "Idempotency-Key", "other"); code != http.StatusForbidden {
		t.Errorf("another key: %d", code)
	}
}

// More than there may be in a minute are refused, and those with a wrong signature take nobody's place.
func TestRate(t *testing.T) {
	r := receive(t, GitHub, 3)
	good := []string{"X-Hub-Signature-256", "sha256=" + signature("{}")}
	for range 10 {
		r.post("{}")
	}
	var codes []int
	for range 4 {
		codes = append(codes, r.post("{}", good...))
	}
	r.now = r.now.Add(20 * time.Second)
	codes = append(codes, r.post("{}", good...), r.post("{}", good...))
	if got := fmt.Sprint(codes); got != "[202 202 202 429 202 429]" {
		t.Errorf("the answers are %s", got)
	}
}

// stuck opens a connection on which a body begins and does not go on.
func (r *receiver) stuck() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		r.t.Fatal(err)
	}
	return conn
}

// reads waits until that many bodies are being read.
func (r *receiver) reads(n int) {
	r.t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.h.mu.Lock()
		is := len(r.h.reading)
		r.h.mu.Unlock()
		if is == n {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("%d are being read, and not %d", is, n)
		}
	}
}

// Those who send slowly, without a signature, keep out nobody whose body comes at once: the oldest of them has to leave.
func TestSlowBodies(t *testing.T) {
	r := receive(t, GitHub, 100)
	var slow []net.Conn
	for n := range atOnce {
		slow = append(slow, r.stuck())
		r.reads(n + 1)
	}
	good := []string{"X-Hub-Signature-256", "sha256=" + signature("{}")}
	for n := range 20 {
		if code := r.post("{}", good...); code != http.StatusAccepted {
			t.Fatalf("beside slow ones, signed body %d is answered with %d", n, code)
		}
		if n == 0 { // one had to leave, and is told; the others are read on
			answer, err := http.ReadResponse(bufio.NewReader(slow[0]), nil)
			if err != nil || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
				t.Fatalf("the oldest is told %+v, %v", answer, err)
			}
			answer.Body.Close()
		}
		r.reads(atOnce - 1)
	}
	// More slow ones than places: each new one takes that of the oldest, and a body that comes at once still finds one.
	for range 3 * atOnce {
		r.stuck()
	}
	r.reads(atOnce)
	if code := r.post("{}", good...); code != http.StatusAccepted {
		t.Errorf("beside many slow ones it is answered with %d", code)
	}
	if effort.Quick() {
		return
	}
	for end := time.Now().Add(patience + 10*time.Second); ; time.Sleep(50 * time.Millisecond) {
		r.h.mu.Lock()
		n := len(r.h.reading)
		r.h.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("bodies that never come are waited for without end")
		}
	}
}

// Where all places are taken by what is being made durable nobody has to leave, and others are told to try again.
func TestPlacesOfWhatIsTaken(t *testing.T) {
	r := receive(t, GitHub, 100)
	r.hold = make(chan struct{})
	good := []string{"X-Hub-Signature-256", "sha256=" + signature("{}")}
	codes := make(chan int, atOnce)
	for range atOnce {
		go func() { codes <- r.post("{}", good...) }()
	}
	for end := time.Now().Add(5 * time.Second); len(r.h.slots) < atOnce || r.held.Load() < atOnce; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d places are taken", len(r.h.slots))
		}
	}
	if code := r.post("{}", good...); code != http.StatusServiceUnavailable {
		t.Errorf("one more is answered with %d", code)
	}
	close(r.hold)
	for range atOnce {
		if code := <-codes; code != http.StatusAccepted {
			t.Errorf("one of those before is answered with %d", code)
		}
	}
}
