package console

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moot/internal/say"
	"moot/protocol"
)

const (
	lobby    = protocol.RoomID("console:lobby")
	garden   = protocol.RoomID("console:garden")
	workshop = protocol.RoomID("console:workshop")
	ann      = protocol.UserID("console:ann")
	ben      = protocol.UserID("console:ben")
	dan      = protocol.UserID("console:dan")
	eve      = protocol.UserID("console:eve")
)

var start = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func frozen(dir string) Config { return Config{Dir: dir, Frozen: true, Start: start} }

func open(t testing.TB, cfg Config) *World {
	t.Helper()
	w, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var unexported = cmp.Options{
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmp.Comparer(func(a, b say.Speaker) bool { return a.Language() == b.Language() }),
}

// sameState compares what two worlds are.
func sameState(t interface {
	Helper()
	Errorf(string, ...any)
}, got, want *World) {
	t.Helper()
	if d := cmp.Diff(want.state, got.state, unexported); d != "" {
		t.Errorf("the worlds differ (-want +got):\n%s", d)
	}
}

func TestEveryKindOfRecordReadsBack(t *testing.T) {
	untried := maps.Clone(deeds)
	at := start.Add(time.Millisecond)
	for _, d := range []deed{
		personMade{"console:gus", "Gus", true}, personNamed{ann, "Annie"}, clockMoved{25 * time.Hour}, membersFail{true},
		roomMade{roomState{"n", "t", []protocol.UserID{ann}}, ben},
		memberSet{ann, protocol.Joined, true, "n", "r", &roomState{"n", "t", []protocol.UserID{ann}}},
		roomNamed{"n"}, topicSet{"t"}, upgraded{garden}, powersSet{[]protocol.UserID{ann}}, voiceSet{"voice", true, true},
		said{"t", protocol.Strong("t"), "e1", "k"}, edited{"e1", "t", protocol.Code("t"), "k"},
		deleted{"e1", "r"}, reacted{"e1", "👍", "k"}, again{"e1"},
	} {
		want := record{7, at, lobby, ann, d}
		text := must[[]byte](t)(want.encode())
		if bytes.Count(text, []byte("\n")) != 1 {
			t.Errorf("%s is not one line: %q", d.kind(), text)
		}
		got := must[record](t)(decode(text))
		if diff := cmp.Diff(want, got, unexported); diff != "" {
			t.Error(diff)
		}
		delete(untried, d.kind())
	}
	for kind := range untried {
		t.Errorf("%s is not tried", kind)
	}
}

func TestANewWorldHasEverybodyActive(t *testing.T) {
	w := open(t, frozen(""))
	if !w.New() {
		t.Error("it is not new")
	}
	active := map[protocol.UserID]bool{}
	for _, r := range w.state.log {
		if r.At.After(start) {
			t.Errorf("%d lies in the future", r.Pos)
		}
		if _, ok := r.Deed.(said); ok {
			if r.At.Before(start.Add(-10 * day)) {
				t.Errorf("%d is older than ten days", r.Pos)
			}
			if !w.state.rooms[r.Room].has(r.By) {
				t.Errorf("%s speaks in %s without being in it", r.By, r.Room)
			}
			active[r.By] = true
		}
	}
	for _, name := range seedPeople {
		if !active[userID(name)] {
			t.Errorf("%s has said nothing", name)
		}
	}
	for _, id := range w.state.everywhere {
		rm := w.state.rooms[id]
		if since := rm.members[Bot].since; !rm.has(Bot) || !since.Equal(start.Add(-20*day)) {
			t.Errorf("the bot is in %s since %s", id, since)
		}
		if since := rm.members[rm.moderators[0]].since; !since.Equal(start.Add(-30 * day)) {
			t.Errorf("the moderator of %s is there since %s", id, since)
		}
	}
	if w.state.rooms[workshop].has(ann) || !w.state.rooms[garden].has(ann) {
		t.Error("ann should share some rooms with the bot and not others")
	}
}

// act does one thing at random, and need not succeed.
func act(t *rapid.T, w *World) {
	rooms, people := []protocol.RoomID{lobby, garden, workshop, "console:dm-ann", "console:nowhere"}, []protocol.UserID{ann, ben, eve, Bot, "console:nobody"}
	in, by, user := rapid.SampledFrom(rooms).Draw(t, "room"), rapid.SampledFrom(people).Draw(t, "by"), rapid.SampledFrom(people).Draw(t, "user")
	event := eventID(rapid.Uint64Range(0, w.last()+1).Draw(t, "event"))
	text := rapid.StringN(0, 20, 40).Draw(t, "text")
	on := rapid.Bool().Draw(t, "on")
	key := protocol.Key(rapid.StringMatching(`k[0-9]`).Draw(t, "key"))
	a := NewAdapter(w)
	acts := []func() error{
		func() error { _, err := w.Say(in, by, text, ""); return err },
		func() error { _, err := w.Say(in, by, text, event); return err },
		func() error { return w.Edit(in, by, event, text) },
		func() error { return w.Delete(in, by, event, text) },
		func() error { return w.React(in, by, event, text) },
		func() error { return w.Unreact(in, by, event, text) },
		func() error { return w.Join(in, user) },
		func() error { return w.Leave(in, user) },
		func() error { return w.Invite(in, by, user) },
		func() error { return w.Kick(in, by, user, text) },
		func() error { return w.Ban(in, by, user, text) },
		func() error { return w.Unban(in, by, user, text) },
		func() error { return w.SetModerator(in, by, user, on) },
		func() error { return w.RenameRoom(in, by, text) },
		func() error { return w.SetTopic(in, by, text) },
		func() error { return w.SetNick(user, text) },
		func() error { return w.Voice(in, by, protocol.VoicePresence{Call: "voice", Deafened: on}) },
		func() error { _, err := w.AddPerson(text); return err },
		func() error { _, err := w.CreateRoom(by, text); return err },
		func() error { _, err := w.Upgrade(in, by); return err },
		func() error { _, err := w.Direct(user); return err },
		func() error { return w.Again(in, event) },
		func() error { return w.Wait(time.Duration(rapid.Int64Range(-5, 1e9).Draw(t, "wait"))) },
		func() error { return w.FailMembers(on) },
		func() error { return w.acceptInvitations(w.last()) },
		func() error {
			doing := rapid.SampledFrom([]protocol.Act{
				protocol.Say{Text: protocol.Strong(text)}, protocol.Whisper{User: user, Text: protocol.Plain(text)},
				protocol.Revise{Text: protocol.Plain(text)}, protocol.React{Reaction: "x"},
			}).Draw(t, "act")
			_, err := a.Send(t.Context(), protocol.Outgoing{Key: key, Room: in, Act: doing}, protocol.Attempt{Original: protocol.Ref{Room: in, Event: event}})
			return err
		},
		func() error {
			want := rapid.SampledFrom([]protocol.Want{protocol.AskMembers{}, protocol.AskReactions{Target: event},
				protocol.AskJoin{}, protocol.AskLeave{}}).Draw(t, "want")
			_, err := a.Ask(t.Context(), protocol.Ask{Key: key, Room: in, Want: want}, protocol.Attempt{})
			return err
		},
	}
	before := w.last()
	err := rapid.SampledFrom(acts).Draw(t, "do")()
	if err != nil && w.last() != before {
		t.Fatalf("it was refused (%v) after it had begun", err)
	}
	if errors.Is(err, errMisplaced) || w.broken != nil {
		t.Fatalf("the world broke: %v", err)
	}
}

// A world that is read back is the world that was, whatever has happened in it.
func TestReloadIsReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "console")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w, err := Open(frozen(dir))
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			act(t, w)
		}
		// It is not closed: a killed process does not close it either.
		again, err := Open(frozen(dir))
		if err != nil {
			t.Fatal(err)
		}
		sameState(t, again, w)
		if now, was := again.clock.Now(), w.clock.Now(); now.Before(was.Add(-2 * time.Second)) {
			t.Errorf("the clock stood at %s and now at %s", was, now)
		}
		if again.New() || again.header != w.header {
			t.Errorf("the world is another: %+v, not %+v", again.header, w.header)
		}
		if err := errors.Join(w.Close(), again.Close()); err != nil {
			t.Fatal(err)
		}
	})
}

// Wherever a crash tears the log, what was whole before it is there, and what comes next is kept.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	w := open(t, frozen(dir))
	whole := must[protocol.EventID](t)(w.Say(lobby, ann, "this is whole", ""))
	path := filepath.Join(dir, FileName)
	before := must[[]byte](t)(os.ReadFile(path))
	must[protocol.EventID](t)(w.Say(lobby, ann, "this is torn", ""))
	after := must[[]byte](t)(os.ReadFile(path))
	for cut := len(before); cut < len(after); cut++ {
		check(t, os.WriteFile(path, after[:cut], 0o600))
		again := open(t, frozen(dir))
		if got := again.Messages(lobby); got[len(got)-1].ID != whole {
			t.Fatalf("cut at %d: the last message is %q", cut, got[len(got)-1].Text)
		}
		next := must[protocol.EventID](t)(again.Say(lobby, ben, "and on it goes", ""))
		check(t, again.Close())
		once := open(t, frozen(dir))
		if got := once.Messages(lobby); got[len(got)-1].ID != next {
			t.Fatalf("cut at %d: after that the last message is %q", cut, got[len(got)-1].Text)
		}
		check(t, once.Close())
	}
	// Torn within its first line it was never a world.
	check(t, os.WriteFile(path, after[:20], 0o600))
	if w := open(t, frozen(dir)); !w.New() {
		t.Error("a torn header is no new world")
	}
}

// TestSectorsThatWereNeverWritten: the power fails, and of what was written last the end is on the disk and the beginning is not.
func TestSectorsThatWereNeverWritten(t *testing.T) {
	dir := t.TempDir()
	w := open(t, frozen(dir))
	whole := must[protocol.EventID](t)(w.Say(lobby, ann, "this is whole", ""))
	path := filepath.Join(dir, FileName)
	before := len(must[[]byte](t)(os.ReadFile(path)))
	must[protocol.EventID](t)(w.Say(lobby, ann, "this is torn", ""))
	must[protocol.EventID](t)(w.Say(lobby, ann, "and this came after it", ""))
	check(t, w.Close())
	all := must[[]byte](t)(os.ReadFile(path))
	clear(all[before : before+20])
	check(t, os.WriteFile(path, all, 0o600))
	again := open(t, frozen(dir))
	if got := again.Messages(lobby); got[len(got)-1].ID != whole {
		t.Errorf("the last message is %q", got[len(got)-1].Text)
	}
}

func TestBadFilesAreRefusedAndLeftAlone(t *testing.T) {
	const head = `{"moot":"console","version":1,"world":"w","at":"2026-11-21T09:00:00Z"}` + "\n"
	const first = `{"pos":1,"at":"2026-11-21T09:00:00Z","kind":"person","data":{"user":"console:ann","name":"ann"}}` + "\n"
	for name, tc := range map[string]struct {
		file string
		want error
		says string
	}{
		"newer":             {strings.Replace(head, `"version":1`, `"version":2`, 1) + first, ErrNewer, "version 2"},
		"foreign":           {"hello\n", ErrForeign, FileName},
		"foreign, one line": {"hello", ErrForeign, FileName},
		"other JSON":        {"{}\n" + first, ErrForeign, FileName},
		"garbage":           {head + first + "garbage\n" + first, ErrCorrupt, "line 3"},
		"unknown kind":      {head + `{"pos":1,"kind":"x","data":{}}` + "\n", ErrCorrupt, "line 2"},
		"gap":               {head + strings.Replace(first, `"pos":1`, `"pos":2`, 1), ErrCorrupt, "line 2"},
		"twice":             {head + first + strings.Replace(first, `"pos":1`, `"pos":2`, 1), ErrCorrupt, "line 3"},
		"no such room":      {head + first + `{"pos":2,"room":"console:x","by":"console:ann","kind":"say","data":{"text":"x"}}` + "\n", ErrCorrupt, "line 3"},
		"huge line":         {head + strings.Repeat("x", maxLine+2) + "\n", ErrCorrupt, "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			check(t, os.WriteFile(path, []byte(tc.file), 0o600))
			_, err := Open(Config{Dir: dir})
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if got := must[[]byte](t)(os.ReadFile(path)); string(got) != tc.file {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := Open(Config{Dir: filepath.Join(t.TempDir(), "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder gave %v", err)
	}
}

func TestAWorldThatCannotWriteSaysSoEverAfter(t *testing.T) {
	w := open(t, frozen(t.TempDir()))
	check(t, w.journal.file.Close())
	_, err := w.Say(lobby, ann, "hello", "")
	if !errors.Is(err, os.ErrClosed) {
		t.Fatalf("got %v", err)
	}
	if _, again := w.Say(lobby, ann, "hello", ""); again == nil || again.Error() != err.Error() {
		t.Errorf("then %v", again)
	}
	w.journal.file = nil // Cleanup closes it
}

func TestClosed(t *testing.T) {
	w := open(t, frozen(""))
	check(t, w.Close())
	if _, err := w.Say(lobby, ann, "hello", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRefusalsAreSentences(t *testing.T) {
	w := open(t, frozen(""))
	first := must[protocol.EventID](t)(w.Say(lobby, ann, "hello", ""))
	check(t, w.Ban(lobby, ann, dan, ""))
	for _, tc := range []struct {
		err  error
		want error
		says string
	}{
		{errOf(w.Say(workshop, ann, "x", "")), ErrNotMember, "ann is not in workshop; /join workshop goes in"},
		{errOf(w.Say(lobby, dan, "x", "")), ErrBanned, "dan is banned from lobby"},
		{errOf(w.Say("console:x", ann, "x", "")), ErrNoRoom, "there is no room «x»"},
		{errOf(w.Say(lobby, "console:x", "x", "")), ErrNoPerson, "there is nobody called «x»"},
		{errOf(w.Say(lobby, ann, " \n", "")), ErrBadText, "there is nothing to say"},
		{errOf(w.Say(lobby, ann, strings.Repeat("x", MaxText+1), "")), ErrBadText, "a message has at most 1048576 bytes; this one has 1048577"},
		{errOf(w.Say(lobby, ann, "x", "e9999")), ErrNoMessage, "there is no such message in lobby"},
		{w.Edit(lobby, ben, first, "x"), ErrForbidden, "ann wrote that; only they can change it"},
		{w.Delete(lobby, ben, first, ""), ErrForbidden, "ben is no moderator of lobby; ann or eve can do that"},
		{w.Kick(lobby, ben, ann, ""), ErrForbidden, "ben is no moderator of lobby; ann or eve can do that"},
		{w.Join(lobby, ben), ErrNoChange, "ben is already in lobby"},
		{w.Join(lobby, dan), ErrBanned, "dan is banned from lobby; a moderator can /unban them"},
		{w.Invite(lobby, ben, dan), ErrBanned, "dan is banned from lobby; /unban dan first"},
		{w.Unreact(lobby, ben, first, "x"), ErrNoChange, "ben has not reacted with «x»"},
		{w.Voice(lobby, ben, protocol.VoicePresence{}), ErrNoChange, "nothing changes: that is how ben is already"},
		{errOf(w.AddPerson("ann")), ErrBadName, "there already is somebody called ann"},
		{errOf(w.AddPerson("two words")), ErrBadName, "the name of a person is one word of letters, digits, - _ and ."},
		{errOf(w.CreateRoom(ann, "dm-ann")), ErrBadName, "names that begin with dm- belong to private conversations"},
		{w.Wait(-1), ErrNoChange, "time goes forward, by at most a hundred years at once"},
	} {
		if !errors.Is(tc.err, tc.want) || tc.err.Error() != tc.says {
			t.Errorf("got %v, want %q", tc.err, tc.says)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestUpgradeMovesEverybody(t *testing.T) {
	w := open(t, frozen(""))
	check(t, w.Voice(lobby, ben, protocol.VoicePresence{Call: "voice"}))
	check(t, w.RenameRoom(lobby, ann, "parlour"))
	next := must[protocol.RoomID](t)(w.Upgrade(lobby, ann))
	if next != "console:lobby-2" {
		t.Errorf("the successor is %s", next)
	}
	w.look(func(s *state) {
		if old, now := s.title(s.rooms[lobby]), s.title(s.rooms[next]); old != "lobby" || now != "parlour" {
			t.Errorf("the rooms are called %s and %s", old, now)
		}
	})
	if _, err := w.Say(lobby, ann, "x", ""); !errors.Is(err, ErrNotMember) {
		t.Errorf("ann can still speak in the old room: %v", err)
	}
	check(t, w.Join(lobby, ann))
	if _, err := w.Say(lobby, ann, "x", ""); !errors.Is(err, ErrRoomClosed) {
		t.Errorf("ann can still speak in the old room: %v", err)
	}
	m := w.Members(next)
	if m[ann] != protocol.Joined || m[ben] != protocol.Joined || m[Bot] != protocol.Invited {
		t.Errorf("the members of the successor are %v", m)
	}
	if third := must[protocol.RoomID](t)(w.Upgrade(next, ann)); third != "console:lobby-3" {
		t.Errorf("the third is %s", third)
	}
}

func TestClock(t *testing.T) {
	w := open(t, frozen(""))
	c := w.Clock()
	if got := c.Now(); !got.Equal(start) {
		t.Errorf("it begins at %s", got)
	}
	jumped := c.Jumped()
	must[protocol.EventID](t)(w.Say(lobby, ann, "tick", ""))
	<-jumped
	if got := c.Now().Sub(start); got != time.Second {
		t.Errorf("one thing takes %s", got)
	}
	must[protocol.Ref](t)(NewAdapter(w).Send(t.Context(), protocol.Outgoing{Key: "k", Room: lobby, Act: protocol.Say{Text: protocol.Plain("x")}}, protocol.Attempt{}))
	if got := c.Now().Sub(start); got != time.Second {
		t.Errorf("what the bot does moves a frozen clock to %s", got)
	}
	jumped = c.Jumped()
	check(t, w.Wait(25*time.Hour))
	<-jumped
	if got := c.Now().Sub(start); got != 25*time.Hour+2*time.Second {
		t.Errorf("after waiting 25h it is %s later", got)
	}
}

func TestTheClockKeepsItsOffset(t *testing.T) {
	dir := t.TempDir()
	w := open(t, Config{Dir: dir})
	check(t, w.Wait(1000*time.Hour))
	was := w.Clock().Now()
	if ahead := time.Until(was); ahead < 999*time.Hour {
		t.Errorf("it is %s ahead", ahead)
	}
	check(t, w.Close())
	if now := open(t, Config{Dir: dir}).Clock().Now(); now.Before(was) {
		t.Errorf("it went back from %s to %s", was, now)
	}
}

func FuzzLog(f *testing.F) {
	const (
		head   = `{"moot":"console","version":1,"world":"w"}` + "\n"
		person = `{"pos":1,"kind":"person","data":{"user":"console:ann","name":"A"}}` + "\n"
		room   = `{"pos":2,"room":"console:l","kind":"room","data":{"name":"l"}}` + "\n"
		joins  = `{"pos":3,"room":"console:l","by":"console:ann","kind":"member","data":{"user":"console:ann","membership":"joined"}}` + "\n"
		says   = `{"pos":4,"room":"console:l","by":"console:ann","kind":"say","data":{"text":"hi <@console:ann>"}}` + "\n"
		reacts = `{"pos":5,"room":"console:l","by":"console:ann","kind":"react","data":{"target":"e4","reaction":"x"}}` + "\n"
	)
	f.Add([]byte(head + person))
	f.Add([]byte(head + person + room + joins + says + reacts))
	f.Add([]byte(head + person + room + `{"pos":3,"room":"console:l","kind":"again","data":{"target":"e0"}}` + "\n"))
	f.Add([]byte(head + `{"pos":1,`))
	f.Add([]byte(head + person + room + strings.Replace(strings.Replace(says, `"by":"console:ann",`, "", 1), `"pos":4`, `"pos":3`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newState()
		_, good, err := readJournal(bytes.NewReader(text), s.apply)
		if err != nil {
			return
		}
		if good > int64(len(text)) {
			t.Fatalf("%d of %d bytes are good", good, len(text))
		}
		// What is good reads back the same, and everything that can be read can be shown and delivered.
		second := newState()
		if _, again, err := readJournal(io.LimitReader(bytes.NewReader(text), good), second.apply); err != nil || again != good {
			t.Fatalf("the second time %d, %v", again, err)
		}
		v := view{said: map[protocol.Ref]string{}}
		for _, r := range s.log {
			s.deliver(r)
			v.record(s, r)
			if _, err := r.encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkSay(b *testing.B) {
	w := open(b, Config{Dir: b.TempDir()})
	for b.Loop() {
		if _, err := w.Say(lobby, ann, "hello", ""); err != nil {
			b.Fatal(err)
		}
	}
}

// Words of commands are the same in all forms in which keyboards write them, as those that are given to the bot.
func TestWordsOfCommandsInEveryForm(t *testing.T) {
	for _, name := range []string{"who", "WHO", "ｗｈｏ", "w\u200bho"} {
		if s, err := findSlash(catalogue.In(say.English), name); err != nil || s.name != "who" {
			t.Errorf("%q is %q, %v", name, s.name, err)
		}
	}
	for _, word := range []string{"on", "ＯＮ", "o\u200dn"} {
		if on, err := parseSwitch(catalogue.In(say.English), word); err != nil || !on {
			t.Errorf("%q: %v, %v", word, on, err)
		}
	}
}
