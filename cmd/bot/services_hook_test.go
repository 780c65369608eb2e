package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

const hookConfig = `
operators = ["console:ann"]
[http]
listen = "unix:%[1]s/http.sock"
[[service]]
name = "news"
webhook = "github"
webhook_secret = { file = "%[1]s/secret" }
webhook_rate = 6000
to = ["console:lobby"]
[[service.task]]
run = ["sh", "%[1]s/say.sh"]
output = "text"
`

// poster posts to the webhook of a bot that lives and dies.
type poster struct {
	*http.Client
	secret string
}

func newPoster(socket, secret string) *poster {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &poster{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 20 * time.Second}, secret}
}

// post posts once, and returns the code of the answer; an error where there was none.
func (p *poster) post(ctx context.Context, body, secret string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://example.org/hook/news", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, body)
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	req.Header.Set("X-GitHub-Event", "push")
	resp, err := p.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// until posts until it is taken.
func (p *poster) until(ctx context.Context, body string) error {
	for {
		if code, err := p.post(ctx, body, p.secret); err == nil && code == http.StatusAccepted {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// What a webhook was told to be taken is said once, however often it is posted and the bot is killed; what is not signed is
// never said.
func TestWebhooksSurviveKills(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	bin := failpointBot(t)
	const posts = 12
	deaths := 0
	for seed := uint64(1); deaths < effort.Of(8, 40, 128); seed++ {
		dir := t.TempDir()
		for name, text := range map[string]string{
			"config.toml": fmt.Sprintf(hookConfig, dir), "secret": "known on both sides",
			"say.sh": `sed 's/.*"event":"\([a-z]*\)".*"n":\([0-9]*\).*/\1 \2/'`,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		own := protocol.Event{Room: killRoom, ID: "$own", Sender: "console:ann", Body: protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: protocol.Joined}}
		k := &killed{
			t: t, bin: bin, dir: filepath.Join(dir, "data"), args: []string{"--config", filepath.Join(dir, "config.toml")}, kill: make(chan struct{}, 1),
			script: protocoltest.NewScript(protocoltest.ScriptConfig{Echo: true}),
			stages: []killStage{{lines: [][]protocol.Event{{own}}}, {sent: posts}},
		}
		chance := rand.New(rand.NewPCG(seed, 19))
		k.env = func(life int) []string {
			select {
			case <-k.kill:
			default:
			}
			if life < 20 {
				time.AfterFunc(time.Duration(20+chance.IntN(150))*time.Millisecond, func() {
					select {
					case k.kill <- struct{}{}:
					default:
					}
				})
			}
			return nil
		}
		p := newPoster(filepath.Join(dir, "http.sock"), "known on both sides")
		posted := make(chan error, 1)
		go func() {
			var err error
			for n := range posts {
				body := fmt.Sprintf(`{"n":%d}`, n)
				if err == nil {
					err = p.until(t.Context(), body)
				}
				_, _ = p.post(t.Context(), body, p.secret) // once more, if there is a bot
				if code, perr := p.post(t.Context(), `{"n":99}`, "another"); perr == nil && code != http.StatusForbidden && code != http.StatusServiceUnavailable {
					err = fmt.Errorf("what is not signed was answered with %d", code)
				}
			}
			posted <- err
		}()
		for k.life(); !k.done; k.life() {
			if k.lives == 100 {
				t.Fatal("it is not done")
			}
		}
		if err := <-posted; err != nil {
			t.Fatal(err)
		}
		var said, want []string
		for _, e := range k.script.Transcript() {
			if say, ok := e.Act.(protocol.Say); ok {
				said = append(said, say.Text.Plain())
			}
		}
		for n := range posts {
			want = append(want, fmt.Sprint("push ", n))
		}
		slices.Sort(said)
		if slices.Sort(want); !slices.Equal(said, want) {
			t.Fatalf("with the seed %d, after %d kills, it said %q", seed, k.deaths, said)
		}
		deaths += k.deaths
	}
	t.Logf("%d kills", deaths)
}
