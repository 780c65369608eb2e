package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/events"
	"moot/internal/bot"
	"moot/internal/finding"
	"moot/protocol"
	"moot/store"
)

// wantErr checks the kind and the words of an error.
func wantErr(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

func TestWhySaysWhatBecameOfAnEvent(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.say(lobby, "e7", "console:ann", "hello")

	why, err := w.inspector.Why(WhyQuery{Event: "e7"})
	if err != nil {
		t.Fatal(err)
	}
	if why.Event != (Ref{lobby, "e7"}) || why.RoomName != "Lobby" || why.Disposition != "handled" || why.Reason != "repeated" {
		t.Errorf("got %+v", why)
	}
	if len(why.Sent) != 2 || why.Sent[0].State != store.StateQueued || why.Sent[0].Kind != "Say" || why.Sent[0].Attempts != 1 || why.Sent[1].Attempts != 0 {
		t.Errorf("before they are sent: %+v", why.Sent)
	}
	if len(why.Facts) != 1 || why.Facts[0].Kind != "said" || why.Facts[0].People["by"].User != "console:ann" || string(why.Facts[0].Payload) != `{"length":5}` {
		t.Errorf("facts: %+v", why.Facts)
	}
	w.answer(nil)
	w.answer(errors.New("no way"))
	if why, err = w.inspector.Why(WhyQuery{Room: "lobby", Event: "e7"}); err != nil {
		t.Fatal(err)
	}
	if len(why.Sent) != 2 || why.Sent[0].State != store.StateSent || why.Sent[0].Where.Event != "own1" || why.Sent[1].Reason != "no way" {
		t.Errorf("after one was sent and one was not: %+v", why.Sent)
	}
	if _, err := json.Marshal(why); err != nil {
		t.Error(err)
	}
}

func TestWhyOfEventsThatWereNotHandled(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.say(lobby, "e1", "console:ann", "hush")
	w.say(lobby, "e2", "console:ann", "fail")
	w.admit(protocol.Event{Room: lobby, ID: "e3", Sender: "matrix:@a:b", Body: protocol.Message{Text: "x"}})
	for id, want := range map[string]string{"e1": "ignored hushed", "e2": "failed dead letter 1: it was to fail", "e3": "refused "} {
		why, err := w.inspector.Why(WhyQuery{Room: string(lobby), Event: id})
		if got := why.Disposition + " " + why.Reason; err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, %v; want %q", id, got, err, want)
		}
	}
}

func TestWhyAsksBackWhereItIsNotClear(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.join("console:attic", "Lobby", "console:ann")
	w.say(lobby, "e1", "console:ann", "hush")
	w.say("console:attic", "e1", "console:ann", "hush")

	_, err := w.inspector.Why(WhyQuery{Event: "e1"})
	wantErr(t, err, ErrAmbiguous, "moot why console:attic e1", "moot why console:lobby e1")
	_, err = w.inspector.Why(WhyQuery{Room: "attic", Event: "e1"})
	if err != nil {
		t.Error(err)
	}
	_, err = w.inspector.Why(WhyQuery{Event: "e99"})
	wantErr(t, err, ErrNotFound, "e99")
	_, err = w.inspector.Why(WhyQuery{Room: "attic", Event: "e99"})
	wantErr(t, err, ErrNotFound, "e99", "console:attic")
	_, err = w.inspector.Why(WhyQuery{Room: "cellar", Event: "e1"})
	wantErr(t, err, ErrNotFound, "cellar", "console:attic, console:lobby")
	_, err = w.inspector.Why(WhyQuery{})
	wantErr(t, err, ErrNotFound)
}

// TestARoomIsFoundByItsNameInAllForms: as a program composes it, as the operator's terminal does, and in wide letters.
func TestARoomIsFoundByItsNameInAllForms(t *testing.T) {
	w := newWorld(t)
	w.join("console:cafe", "Café Ａ", "console:ann")
	w.say("console:cafe", "e1", "console:ann", "hush")
	for _, typed := range []string{"Café Ａ", "cafe\u0301 a", "CAFÉ  A"} {
		if _, err := w.inspector.Why(WhyQuery{Room: typed, Event: "e1"}); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

func TestLogGoesThroughTheFactsInPages(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann", "console:ben")
	var times []time.Time
	for i := range 450 {
		times = append(times, w.Now)
		w.say(lobby, protocol.EventID(fmt.Sprintf("e%d", i)), []protocol.UserID{"console:ann", "console:ben"}[i%2], strings.Repeat("x", 1+i%3))
	}
	all := w.log(LogQuery{})
	if n := len(all); n < 450 || !slices.IsSortedFunc(all, func(a, b Fact) int { return int(a.Seq) - int(b.Seq) }) {
		t.Fatalf("%d facts", n)
	}
	back := w.log(LogQuery{Backward: true})
	slices.Reverse(back)
	if !slices.EqualFunc(all, back, func(a, b Fact) bool { return a.Seq == b.Seq }) {
		t.Error("backward there are others than forward")
	}
	for name, tt := range map[string]struct {
		query LogQuery
		want  int
	}{
		"kind":           {LogQuery{Kind: "said"}, 450},
		"room":           {LogQuery{Kind: "said", Room: "Lobby"}, 450},
		"person":         {LogQuery{Person: "console:ann"}, 225},
		"short name":     {LogQuery{Person: "ben"}, 225},
		"key":            {LogQuery{Keys: map[string]string{"length": "2"}}, 150},
		"key and person": {LogQuery{Person: "ann", Keys: map[string]string{"length": "2"}}, 75},
		"role":           {LogQuery{Keys: map[string]string{"by": "1"}}, 225},
		"since":          {LogQuery{Kind: "said", Since: times[400]}, 50},
		"since backward": {LogQuery{Kind: "said", Since: times[400], Backward: true}, 50},
		"since ever":     {LogQuery{Since: times[0].Add(-time.Hour)}, len(all)},
		"since tomorrow": {LogQuery{Since: w.Now.Add(time.Hour)}, 0},
	} {
		if got := len(w.log(tt.query)); got != tt.want {
			t.Errorf("%s: %d facts, want %d", name, got, tt.want)
		}
	}
	_, err := w.inspector.Log(LogQuery{Kind: "vote"})
	wantErr(t, err, ErrNotFound, "«vote»", "room, said")
	_, err = w.inspector.Log(LogQuery{Room: "cellar"})
	wantErr(t, err, ErrNotFound, "cellar")
	_, err = w.inspector.Log(LogQuery{Person: "zoe"})
	wantErr(t, err, ErrNotFound, "zoe")
	if _, err = w.inspector.Log(LogQuery{Keys: map[string]string{"Länge": "2"}}); err == nil {
		t.Error("a key that cannot be was accepted")
	}
}

// log returns all that a query wants, page by page.
func (w *world) log(q LogQuery) (all []Fact) {
	w.Helper()
	for {
		page, err := w.inspector.Log(q)
		if err != nil {
			w.Fatal(err)
		}
		if len(page.Facts) > PageSize {
			w.Fatalf("a page of %d facts", len(page.Facts))
		}
		all = append(all, page.Facts...)
		if !page.More {
			return all
		}
		last := page.Facts[len(page.Facts)-1].Seq
		if q.Backward {
			q.Before = last
		} else {
			q.After = last
		}
	}
}

func TestForgottenPeopleAreNotNamed(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.say(lobby, "e1", "console:ann", "hello")
	err := w.Store.Commit(w.Now, func(c *store.Commit) error {
		return c.Run("console:ann", protocol.Ref{}, func(tx *store.Tx) error {
			w.Bus.Forget(tx, "console:ann", false)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	facts := w.log(LogQuery{Kind: "said"})
	if got := facts[0].People["by"]; got.User != "" || got.String() != "#1 (forgotten)" {
		t.Errorf("she is shown as %s", got)
	}
}

func TestOutboxShowsWhatWaitsAndWhatEnded(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.join("console:attic", "Attic", "console:ann")
	w.say(lobby, "e1", "console:ann", "hello")
	w.answer(nil)
	w.answer(&protocol.SendError{Final: true, Err: errors.New("never")})
	w.say("console:attic", "e1", "console:ann", "hello")

	page, err := w.inspector.Outbox(OutboxQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Waiting) != 2 || page.Waiting[0].Lane != "console:attic" || page.Waiting[0].Cause.Event != "e1" || page.MoreWaiting {
		t.Errorf("waiting: %+v", page.Waiting)
	}
	if len(page.Ended) < 2 || page.Ended[0].State != store.StateFailed || page.Ended[0].Reason != "never" || page.Ended[1].State != store.StateSent {
		t.Errorf("ended: %+v", page.Ended)
	}
	if page, err = w.inspector.Outbox(OutboxQuery{Room: "lobby", States: []store.State{store.StateFailed}}); err != nil || len(page.Waiting) != 0 || len(page.Ended) != 1 {
		t.Errorf("failed ones of the lobby: %+v, %v", page, err)
	}
	if page, err = w.inspector.Outbox(OutboxQuery{Limit: 1}); err != nil || len(page.Waiting) != 1 || !page.MoreWaiting || len(page.Ended) != 1 || !page.MoreEnded {
		t.Errorf("one of each: %+v, %v", page, err)
	}
	if encoded, err := json.Marshal(page); err != nil || strings.Contains(string(encoded), "hello") {
		t.Errorf("it shows what is said: %s, %v", encoded, err)
	}
}

func TestDeadLetters(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	for room := range 3 { // no room has that many
		w.join(protocol.RoomID(fmt.Sprintf("console:%d", room)), "Room", "console:ann")
	}
	for i := range PageSize + 5 {
		w.say(protocol.RoomID(fmt.Sprintf("console:%d", i%3)), protocol.EventID(fmt.Sprintf("e%d", i)), "console:ann", "fail")
	}
	w.admit(protocol.Event{
		Room: lobby, ID: "last", Sender: "console:ann", Time: w.Now, Handle: "a token", Body: protocol.Message{Text: "panic"},
	})
	page, err := w.inspector.Dead(0)
	if err != nil || len(page.Letters) != PageSize || !page.More || page.Letters[0].ID != 1 {
		t.Fatalf("first page: %d letters, more %v, %v", len(page.Letters), page.More, err)
	}
	page, err = w.inspector.Dead(page.Letters[PageSize-1].ID)
	if err != nil || len(page.Letters) != 6 || page.More {
		t.Fatalf("second page: %d letters, more %v, %v", len(page.Letters), page.More, err)
	}
	l, err := w.inspector.Letter(page.Letters[5].ID)
	if err != nil || l.Event.Event != "last" || !strings.Contains(l.Stack, "talker") || !strings.Contains(string(l.Content), `"Text":"panic"`) || strings.Contains(string(l.Content), "a token") {
		t.Errorf("got %+v, %v", l, err)
	}
	_, err = w.inspector.Letter(999)
	wantErr(t, err, ErrNotFound, "999")
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.answer(nil)
	if got := w.check(true); strings.Contains(got, "warn") || strings.Contains(got, "fail") || !strings.Contains(got, "ok replay") {
		t.Errorf("all is well, and it says:\n%s", got)
	}
	w.say(lobby, "e1", "console:ann", "hello")
	w.answer(nil)
	w.answer(errors.New("the line is cut"))
	w.say(lobby, "e2", "console:ann", "fail")
	for i, lost := range []string{"edits", "edits", "voice"} {
		w.admit(protocol.Event{Room: lobby, ID: protocol.EventID(fmt.Sprintf("gap%d", i)), Body: protocol.Gap{
			From: w.Now.Add(-time.Hour), Until: w.Now.Add(-time.Duration(i) * time.Minute), Lost: []string{lost},
		}})
	}
	w.admit(protocol.Event{Room: lobby, ID: "list2", Body: protocol.MemberList{Last: true, Fault: "no answer"}})
	got := w.check(false)
	for _, want := range []string{
		"warn dead letters: 1 event could not be handled", "warn outbox: 1 message waits", "the line is cut",
		"warn missed: in the last day the bot was disconnected 3 times in 1 room, most recently until 2m1s ago; lost: voice, edits (",
		"warn members: the bot does not know who is in console:lobby; the list could not be read because: no answer",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	w.inspector.Bus, w.inspector.BusErr = nil, events.ErrArchive
	if got := w.check(false); !strings.Contains(got, "fail log of facts") {
		t.Errorf("without an archive it says:\n%s", got)
	}
}

func (w *world) check(full bool) string {
	w.Helper()
	findings, err := w.inspector.Check(context.Background(), CheckQuery{Full: full})
	if err != nil {
		w.Fatal(err)
	}
	return lines(findings)
}

func lines(findings []finding.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s: %s (%s)\n", f.Status, f.What, f.Text, f.Do)
	}
	return b.String()
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if got := lines(Folder(dir)); !strings.HasPrefix(got, "ok data folder: "+dir+" is not there yet") {
		t.Errorf("without a folder: %s", got)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "moot.db")
	if err := os.WriteFile(file, make([]byte, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := lines(Folder(dir)); strings.Contains(got, "warn") || !strings.Contains(got, "2.9 KiB") {
		t.Errorf("a good folder: %s", got)
	}
	link := filepath.Join(filepath.Dir(dir), "link") // as /var/lib/moot is one under systemd
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if got := lines(Folder(link)); strings.Contains(got, "warn") || !strings.Contains(got, "2.9 KiB") {
		t.Errorf("a good folder by a link: %s", got)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := lines(Folder(dir)); !strings.Contains(got, "chmod 600 "+file) {
		t.Errorf("a file that others can read: %s", got)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := lines(Folder(dir)); !strings.Contains(got, "chmod 700 "+dir) {
		t.Errorf("a folder that others can read: %s", got)
	}
	if got := lines(Folder(file)); !strings.HasPrefix(got, "fail data folder: ") {
		t.Errorf("a file for a folder: %s", got)
	}
}

// A log whose middle was dropped is searched by time as well.
func TestSinceFindsItsPlace(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	for i := range 20 {
		w.say(lobby, protocol.EventID(fmt.Sprintf("e%d", i)), "console:ann", "hello")
	}
	all := w.log(LogQuery{})
	err := w.Store.Commit(w.Now, func(c *store.Commit) error {
		return c.Run("", protocol.Ref{}, func(tx *store.Tx) error {
			for n := uint64(3); n < 15; n++ {
				f, _, err := w.inspector.Bus.Get(tx, n)
				if err != nil {
					return err
				}
				tx.DropFact(n, store.Key(f.Kind, "", "")) // the term by which all of a kind are found
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	left := w.log(LogQuery{})
	for _, f := range all {
		want := 0
		for _, l := range left {
			if !l.Time.Before(f.Time) {
				want++
			}
		}
		if got := len(w.log(LogQuery{Since: f.Time})); got != want {
			t.Errorf("since fact %d: %d facts, want %d", f.Seq, got, want)
		}
	}
}

// TestWhatWaitsForANetworkThatIsNotConfigured: it is said once, and is no reason to worry.
func TestWhatWaitsForANetworkThatIsNotConfigured(t *testing.T) {
	w := newWorld(t)
	w.join(lobby, "Lobby", "console:ann")
	w.answer(nil)
	w.step(bot.Online{Network: protocol.Console})
	w.say(lobby, "e1", "console:ann", "hello")
	w.Now = w.Now.Add(time.Hour / 5)
	w.step()
	w.inspector.Networks = []protocol.Network{"matrix"}
	found, err := w.inspector.Check(t.Context(), CheckQuery{})
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, f := range found {
		if f.What != "outbox" {
			continue
		}
		if lines++; f.Status != finding.OK {
			t.Errorf("%+v", f)
		}
	}
	if lines != 2 {
		t.Errorf("%d lines in %+v", lines, found)
	}
}
