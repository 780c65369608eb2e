package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// secretWord is said in a private conversation, and nowhere else.
const secretWord = "pelican"

// pageWorld makes a data folder in which there is something of everything: votes that are open, hidden and secret, a
// private conversation, and dead letters from both.
func pageWorld(t *testing.T) *setupFolder {
	t.Helper()
	f := newSetupFolder(t)
	script := []string{
		`!moot vote poll "Which day?" Monday Tuesday`, `!moot vote cast 1 Monday`, `/as ben`, `!moot vote cast 1 Tuesday`, `/as dan`, `!moot vote cast 1 Monday`,
		`!moot vote poll "Which hour?" noon midnight --hidden`, `/dm`, `vote cast 2 noon --in lobby`, `/in lobby`,
		`/as ben`, `/dm`, `help ` + secretWord, secretWord + ` is what I want`,
	}
	cmd := f.command("run", "--data", "data", "--clock", "2026-11-21T08:00:00Z")
	cmd.Stdin = strings.NewReader(strings.Join(script, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	st, err := store.Open(store.Config{Path: filepath.Join(f.dir, "data", "moot.db")})
	if err != nil {
		t.Fatal(err)
	}
	bus, err := events.Open(events.Config{Store: st, Kinds: kinds(), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, c := range newInsight(st, bus, &features{}, say.English).cards() {
		if c.Title == "Which hour?" && len(c.Bars) > 0 {
			t.Errorf("the card of a hidden vote tells %v", c.Bars)
		}
		shown += len(c.Bars)
	}
	if shown != 2 {
		t.Errorf("the cards tell %d counts", shown)
	}
	err = st.Commit(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), func(c *store.Commit) error {
		for _, l := range []store.Letter{
			{Event: protocol.Event{Room: "console:lobby", ID: "e700", Sender: "console:ann", Body: protocol.Message{Text: "hello"}}, Error: "the feature was at fault"},
			{Event: protocol.Event{Room: "console:lobby", ID: "e701", Sender: "console:ann", Body: protocol.Message{Text: "hello"}}, Error: "the other feature was"},
			{Event: protocol.Event{Room: "console:dm-ben", ID: "e702", Sender: "console:ben", Body: protocol.Message{Text: secretWord}}, Error: "no feature knows " + secretWord},
		} {
			l.Scope, l.Tries = l.Event.Scope(), 1
			buried, _ := c.Bury(l)
			c.Record(l.Event.Room, l.Event.ID, store.Failed, fmt.Sprintf("dead letter %d: %s", buried.ID, l.Error))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Close(); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

// startPage starts a bot with a page, and returns a browser that is inside, and where.
func startPage(t *testing.T, f *setupFolder) (*http.Client, string) {
	t.Helper()
	config := "data = \"data\"\n[http]\nlisten = \"127.0.0.1:0\"\npage = true\n"
	if err := os.WriteFile(filepath.Join(f.dir, "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := f.command("run", "--data", "data", "--clock", "2026-11-21T10:00:00Z")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	var lines []string
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(log); s.Scan(); {
			if lines = append(lines, s.Text()); strings.Contains(s.Text(), "the bot can be watched") {
				close(ready)
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		<-ended
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("the bot ended with %v\n%s", err, strings.Join(lines, "\n"))
		}
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatalf("the bot does not start:\n%s", strings.Join(lines, "\n"))
	}
	out, err := f.command("web", "--data", "data").CombinedOutput()
	link := strings.TrimSpace(string(out))
	at, perr := url.Parse(link)
	if err != nil || perr != nil || !strings.HasPrefix(link, "http://127.0.0.1:") {
		t.Fatalf("moot web says %s, %v", out, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	base := "http://" + at.Host
	resp, err := client.PostForm(base+"/login", at.Query())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(text), "<h1>Overview</h1>") {
		t.Fatalf("the link leads to %s: %s, %v", resp.Status, text, err)
	}
	return client, base
}

// TestPage: the page of a real bot shows what there is, and nothing of what was said in private.
func TestPage(t *testing.T) {
	t.Parallel()
	f := pageWorld(t)
	client, base := startPage(t, f)
	read := func(resp *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		told := strings.ReplaceAll(string(text), `value="console:dm-ben"`, "") // what was searched for
		if strings.Contains(told, secretWord) || strings.Contains(told, "dm-ben") {
			t.Errorf("%s tells of a private conversation:\n%s", resp.Request.URL, text)
		}
		return string(text)
	}
	get := func(path string) string { t.Helper(); return read(client.Get(base + path)) }

	says(t, tagged(get("/")), "Rooms 3 and 2 private conversations", "Votes 2 open", "Dead letters 3", "none since the start")
	says(t, tagged(get("/rooms?search=lob")), "lobby console:lobby")
	says(t, tagged(get("/room?id=console:lobby")), "Votes of this room", "Which day?", "Which hour?")
	says(t, tagged(get("/votes")), "poll 1 Which day?", "3 of 6")
	vote := get("/vote?room=console:lobby&id=1")
	says(t, tagged(vote), "Monday 2 67 %", "Tuesday 1 33 %", "3 of 6 who can vote have voted")
	says(t, vote, `<svg role="img" aria-label="Drawn: Monday 2, Tuesday 1"`, `width="300"`, `width="150"`)
	if hidden := tagged(get("/vote?room=console:lobby&id=2")); !strings.Contains(hidden, "not told before it closes") || strings.Contains(hidden, "noon") {
		t.Errorf("a hidden vote tells %s", hidden)
	}
	says(t, tagged(get("/outbox")), "What became of the rest", "lobby", "a private conversation")
	says(t, tagged(get("/networks")), "console can be reached")
	says(t, tagged(get("/events?room=lobby")), "handled", "e700")
	says(t, tagged(get("/events?room=lobby&outcome=failed")), "dead letter 1: the feature was at fault")
	says(t, tagged(get("/events?room=lobby&event=e700")), "What became of it failed")
	for _, path := range []string{"/events?room=console:dm-ben", "/events?event=e702", "/events?room=console:dm-ben&event=e702", "/room?id=console:dm-ben", "/vote?room=console:dm-ben&id=1", "/log"} {
		get(path)
	}
	says(t, tagged(get("/events?event=e702")), "belongs to a private conversation")

	dead := tagged(get("/dead"))
	says(t, dead, "console:lobby e700 by console:ann the feature was at fault", "It is from a private conversation")
	says(t, tagged(read(client.PostForm(base+"/dead", url.Values{"id": {"1"}, "do": {"retry"}}))), "Dead letter 1")
	says(t, tagged(read(client.PostForm(base+"/dead", url.Values{"id": {"2"}, "do": {"drop"}}))), "Dead letter 2 is gone")
	if dead := tagged(get("/dead")); strings.Contains(dead, "the other feature was") {
		t.Errorf("the letter that was dropped is still there: %s", dead)
	}
	says(t, tagged(read(client.PostForm(base+"/dead", url.Values{"id": {"99"}, "do": {"drop"}}))), "There is no dead letter 99")
	if out, err := f.command("backup", filepath.Join(f.dir, "backups"), "--data", "data").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	says(t, tagged(get("/backups")), "The last one was made, or added to", filepath.Join(f.dir, "backups"))
	says(t, tagged(get("/log")), "the bot can be watched", "a dead letter was seen to on the page")
	says(t, read((&http.Client{}).Get(base+"/votes")), "moot web")
	if resp, err := client.Get(base + "/livez"); err != nil || resp.StatusCode != 200 {
		t.Errorf("beside the page /livez is %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

// TestNoPage: without a page, and without a bot, moot web says what to do.
func TestNoPage(t *testing.T) {
	t.Parallel()
	f := newSetupFolder(t)
	if out, err := f.command("web", "--data", "data").CombinedOutput(); err == nil || !strings.Contains(string(out), "no bot has run there") {
		t.Errorf("without a bot it says %s, %v", out, err)
	}
	for page, want := range map[string]string{
		"[http]\npage = true\n": "a browser needs an address", "[http]\nlisten = \"unix:s\"\npage = true\n": "a browser needs an address",
	} {
		if err := os.WriteFile(filepath.Join(f.dir, "config.toml"), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := f.command("run").CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("with %q it says %s, %v", page, out, err)
		}
	}
}

// tagged is the text of a page without its tags.
func tagged(html string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " ")), " ")
}
