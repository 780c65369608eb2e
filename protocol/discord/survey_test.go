package discord_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/internal/finding"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
	"moot/protocol/matrix/matrixtest"
)

// asked are the requests of a survey, each with what it is called.
var asked = []struct{ path, what string }{
	{"/applications/@me", "discord"}, {"/gateway/bot", "discord sessions"}, {"/commands", "discord commands"}, {"/users/@me/guilds", "discord servers"},
}

// between stands between a survey and Discord, and changes what comes from one path.
type between struct {
	path   string
	change func(r *http.Request, answer []byte) io.Reader
}

func (b between) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, b.path) {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(b.change(r, body))
	return resp, nil
}

// endless is an answer that goes on for as long as somebody waits for it.
type endless struct{ ctx context.Context }

func (e endless) Read(p []byte) (int, error) {
	select {
	case <-e.ctx.Done():
		return 0, e.ctx.Err()
	case <-time.After(time.Millisecond):
		p[0] = ' '
		return 1, nil
	}
}

func surveyed(ctx context.Context, srv *discordtest.Server, over http.RoundTripper) []finding.Finding {
	return discord.Survey(ctx, discord.Config{
		Token: srv.Token, APIURL: srv.APIURL(), Transport: over, Commands: []discord.Command{{Path: []string{"ping"}, Summary: "answers"}},
	}, "")
}

func lines(found []finding.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s: %s -> %s\n", f.Status, f.What, f.Text, f.Do)
	}
	return b.String()
}

// TestASurveyOfWhatHangs: whichever request hangs, or is answered without an end, is named when its share of the time is over, and the
// others are made.
func TestASurveyOfWhatHangs(t *testing.T) {
	for _, hanging := range asked {
		for _, how := range []string{"hangs", "drips"} {
			t.Run(hanging.path[1:]+" "+how, func(t *testing.T) {
				t.Parallel()
				srv := discordtest.New(t)
				over := http.DefaultTransport
				if how == "drips" {
					over = between{hanging.path, func(r *http.Request, _ []byte) io.Reader { return endless{r.Context()} }}
				} else {
					srv.Fail(100, "GET", hanging.path, discordtest.Fault{Delay: time.Minute})
				}
				const patience = 3 * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				got := lines(surveyed(ctx, srv, over))
				if took := time.Since(began); took > patience+time.Second {
					t.Errorf("it takes %s", took)
				}
				if !strings.Contains(got, "fail "+hanging.what+": Discord does not answer: ") || strings.Count(got, "fail ") != 1 {
					t.Errorf("it says\n%s", got)
				}
				for _, other := range asked {
					if hanging.what != "discord" && other.what != hanging.what && !strings.Contains(got, "ok "+other.what+": ") {
						t.Errorf("nothing is said of %s:\n%s", other.what, got)
					}
				}
			})
		}
	}
}

// TestASurveyOfAnythingAtAll: whatever Discord answers, each finding is a sentence, and nothing panics.
func TestASurveyOfAnythingAtAll(t *testing.T) {
	for _, odd := range asked {
		t.Run(odd.path[1:], func(t *testing.T) {
			t.Parallel()
			srv := discordtest.New(t)
			for i, twist := range matrixtest.Twists() {
				if effort.Quick() && i%6 != 0 {
					continue
				}
				over := between{odd.path, func(_ *http.Request, answer []byte) io.Reader { return bytes.NewReader(twist.Change(answer)) }}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // so that it does not try again for long
				found := surveyed(ctx, srv, over)
				cancel()
				if len(found) == 0 {
					t.Errorf("%s: nothing is said", twist.Name)
				}
				for _, f := range found {
					if f.Text == "" || strings.Contains(f.Text, "panic") || len(f.Text) > 1000 {
						t.Errorf("%s: %s", twist.Name, lines(found))
					}
				}
			}
		})
	}
}
