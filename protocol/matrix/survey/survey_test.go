package survey

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"moot/internal/finding"
	"moot/internal/generation"
	"moot/protocol/matrix/account"
	"moot/protocol/matrix/crypto"
	"moot/protocol/matrix/matrixtest"
)

// server is a homeserver that answers what it is told to. Reading only is expected of whoever looks.
type server struct {
	*httptest.Server
	answers map[string]string // by path: the status, a space, the body
	odd     bool              // whether requests may come that nobody expects
	hangs   string            // the path of which nothing is answered
	drips   string            // the path that is answered a byte at a time, without an end
}

const token = "s3cr3t-access-token"

const override = "/_synapse/admin/v1/users/@moot:example.org/override_ratelimit"

func newServer(t *testing.T) *server {
	s := &server{answers: map[string]string{
		"versions":          `200 {"versions": ["v1.11"]}`,
		"v3/account/whoami": `200 {"user_id": "@moot:example.org", "device_id": "DEV"}`,
		"v3/devices/DEV":    `200 {"device_id": "DEV", "display_name": "moot"}`,
		"v3/keys/query":     `200 {"device_keys": {}}`,
		override:            `403 {"errcode": "M_FORBIDDEN", "error": "You are not a server admin"}`,
		"v3/joined_rooms":   `200 {"joined_rooms": ["!a:example.org", "!b:example.org"]}`,
		"v3/rooms/!a:example.org/state/m.room.encryption/": `200 {"algorithm": "m.megolm.v1.aes-sha2"}`,
		"v3/rooms/!b:example.org/state/m.room.encryption/": `404 {"errcode": "M_NOT_FOUND"}`,
	}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/_matrix/client/")
		_, _ = io.Copy(io.Discard, r.Body) // until then a server does not notice that somebody has hung up
		switch path {
		case s.hangs:
			<-r.Context().Done()
			return
		case s.drips:
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(time.Millisecond)
			}
			return
		}
		answer, ok := s.answers[path]
		if !s.odd && (!ok || r.Method != http.MethodGet && path != "v3/keys/query") {
			t.Errorf("nobody expected %s %s", r.Method, path)
			answer = `404 {"errcode": "M_UNRECOGNIZED"}`
		}
		var status int
		_, body, _ := strings.Cut(answer, " ")
		_, _ = fmt.Sscan(answer, &status)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) config(t *testing.T) account.Config {
	return account.Config{User: "@moot:example.org", Homeserver: s.URL, Folder: t.TempDir(), AccessToken: func() (string, error) { return token, nil }}
}

// text writes findings on lines.
func text(found []finding.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s -> %s\n", f.Status, f.What, f.Text, f.Do)
	}
	return b.String()
}

func TestAccount(t *testing.T) {
	const dead = `401 {"errcode": "M_UNKNOWN_TOKEN", "error": "no"}`
	for _, tt := range []struct {
		name, path, answer string
		want               []string
	}{
		{"all is well", "", "", []string{"ok matrix: logged in at ", "as @moot:example.org, by an access token", "ok device: DEV, called «moot»", "ok joined: the account is in 2 rooms"}},
		{"dead token", "v3/account/whoami", dead, []string{"fail matrix: the homeserver does not know the access token of the configuration -> make a new one"}},
		{"no homeserver", "versions", "200 <html>", []string{"fail matrix: ", "is no Matrix homeserver"}},
		{"down", "versions", "502 bad", []string{"fail matrix: the homeserver cannot be reached: ", "see whether it runs"}},
		{"device is gone", "v3/devices/DEV", `404 {"errcode": "M_NOT_FOUND", "error": "no"}`, []string{"fail device: the homeserver does not know device DEV -> run `moot matrix forget`"}},
		{"ends in the middle", "v3/joined_rooms", dead, []string{"ok device: ", "fail matrix: the homeserver does not know the access token of the configuration -> make a new one"}},
		{"breaks in the middle", "v3/keys/query", "500 x", []string{"ok device: ", "fail identity: the homeserver does not answer: ", "ok joined: "}},
		{"an identity that does not vouch", "v3/keys/query", `200 {"device_keys": {"@moot:example.org": {"DEV": {"user_id": "@moot:example.org", "device_id": "DEV", "keys": {"ed25519:DEV": "a"}}}},
			"master_keys": {"@moot:example.org": {"keys": {"ed25519:m": "m"}}}, "self_signing_keys": {"@moot:example.org": {"keys": {"ed25519:s": "s"}}}}`,
			[]string{"warn identity: the account does not vouch for the device", "recovery_key in [matrix]", "reset-identity"}},
		{"who may not ask for limits", "", "", []string{"ok rate limits: the homeserver does not tell"}},
		{"a homeserver that knows no limits", override, `404 <html>`, []string{"ok rate limits: the homeserver does not tell", "ok matrix: logged in"}},
		{"a proxy that knows no login", override, dead, []string{"ok rate limits: the homeserver does not tell", "ok matrix: logged in"}},
		{"limited", override, `200 {}`, []string{"warn rate limits: the homeserver limits how fast the bot may send, ", "-> ask who runs the homeserver to exempt it"}},
		{"exempt", override, `200 {"messages_per_second": 0, "burst_count": 0}`, []string{"ok rate limits: the homeserver exempts the bot"}},
		{"limits of its own", override, `200 {"messages_per_second": 2, "burst_count": 10}`, []string{"ok rate limits: the homeserver has a limit of its own for the bot: 2 messages a second"}},
		{"no identity", "v3/keys/query", `200 {"device_keys": {"@moot:example.org": {"DEV": {"keys": {"ed25519:DEV": "a"}}}}}`, []string{"warn identity: the account has no identity"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t)
			if tt.path != "" {
				s.answers[tt.path] = tt.answer
			}
			c := s.config(t)
			got := text(Account(t.Context(), c, ""))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing:\n%s", want, got)
				}
			}
			if strings.Contains(got, token) {
				t.Errorf("the token is shown:\n%s", got)
			}
			if entries, err := os.ReadDir(c.Folder); err != nil || len(entries) > 0 {
				t.Errorf("looking left %v, %v", entries, err)
			}
			if tt.path == "" && !crypto.Able != strings.Contains(got, "fail joined: 1 of the first 2 are encrypted, and this program cannot read there") {
				t.Errorf("able: %v:\n%s", crypto.Able, got)
			}
		})
	}
}

// TestAnAnswerOfAnotherKind: whatever a server answers, each finding is a sentence, and nothing panics.
func TestAnAnswerOfAnotherKind(t *testing.T) {
	s := newServer(t)
	s.odd = true // it names rooms that there cannot be, of which it is asked then
	c := s.config(t)
	for path, usual := range s.answers {
		status, body, _ := strings.Cut(usual, " ")
		for _, twist := range matrixtest.Twists() {
			s.answers[path] = status + " " + string(twist.Change([]byte(body)))
			found := Account(t.Context(), c, "")
			if len(found) == 0 {
				t.Errorf("%s of %s: nothing is said", twist.Name, path)
			}
			for _, f := range found {
				if f.Text == "" || strings.Contains(f.Text, "panic") || len(f.Text) > 1000 {
					t.Errorf("%s of %s: %s", twist.Name, path, text(found))
				}
			}
		}
		s.answers[path] = usual
	}
}

// TestAnAnswerThatNeverComes: whichever question hangs, or is answered without an end, is named when its share of the time is over, and
// the others are asked.
func TestAnAnswerThatNeverComes(t *testing.T) {
	const generations = "v3/user/@moot:example.org/account_data/moot.generation"
	for _, c := range []struct{ path, named string }{
		{"versions", "matrix"}, {"v3/account/whoami", "matrix"}, {"v3/devices/DEV", "device"}, {"v3/keys/query", "identity"}, {"v3/joined_rooms", "joined"},
		{generations, "account"},
	} {
		for _, how := range []string{"hangs", "drips"} {
			t.Run(c.path+" "+how, func(t *testing.T) {
				t.Parallel()
				s := newServer(t)
				s.odd = true
				s.answers[generations] = `404 {"errcode": "M_NOT_FOUND"}`
				if how == "hangs" {
					s.hangs = c.path
				} else {
					s.drips = c.path
				}
				mine, err := generation.Next("", generation.Generation{})
				if err != nil {
					t.Fatal(err)
				}
				const patience = 3 * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				got := text(Account(ctx, s.config(t), mine.Encode()))
				if took := time.Since(began); took > patience+time.Second {
					t.Errorf("it takes %s", took)
				}
				if !strings.Contains(got, "fail "+c.named+": the homeserver takes the question and does not answer it -> ") || strings.Count(got, "does not answer it") != 1 {
					t.Errorf("it says\n%s", got)
				}
				for _, other := range []string{"device", "identity", "joined"} {
					if c.named != "matrix" && other != c.named && !strings.Contains(got, " "+other+": ") {
						t.Errorf("nothing is said of %s:\n%s", other, got)
					}
				}
			})
		}
	}
}

func TestNotLoggedIn(t *testing.T) {
	s := newServer(t)
	c := s.config(t)
	c.AccessToken = nil
	if got := text(Account(t.Context(), c, "")); !strings.HasPrefix(got, "ok matrix: the homeserver answers, and the bot is not logged in yet -> start it: it shows a link") {
		t.Error(got)
	}
	c.Password = func() (string, error) { t.Error("the password was read"); return "", nil }
	if got := text(Account(t.Context(), c, "")); !strings.Contains(got, "it logs in with the password of the configuration, once") {
		t.Error(got)
	}
}

// TestAnotherFolder: a folder that a copy of it has run beyond is told of before it is started.
func TestAnotherFolder(t *testing.T) {
	s := newServer(t)
	mine, err := generation.Next("", generation.Generation{})
	if err != nil {
		t.Fatal(err)
	}
	const path = "v3/user/@moot:example.org/account_data/moot.generation"
	for answer, older := range map[string]bool{
		`404 {"errcode": "M_NOT_FOUND"}`:                                false,
		`200 {"generation": 1, "run": "` + mine.Run + `"}`:              false,
		`200 {"generation": 2, "run": "another"}`:                       true,
		`200 {"generation": "many", "run": ["another"], "more": "yes"}`: false,
	} {
		s.answers[path] = answer
		got := text(Account(t.Context(), s.config(t), mine.Encode()))
		if strings.Contains(got, "fail account: another copy of this data folder") != older || strings.Contains(got, "fail") != (older || !crypto.Able) {
			t.Errorf("%s:\n%s", answer, got)
		}
	}
}
