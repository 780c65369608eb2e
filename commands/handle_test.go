package commands_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/commands"
	"moot/protocol"
	"moot/store"
)

func TestHugeAndBrokenInput(t *testing.T) {
	w := newWorld(t)
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben")
	mega := strings.Repeat("ping ", 1<<18)
	begin := time.Now()
	for range 3 {
		if a := w.say(ann, "console:lobby", mega); a.outcome.Reason != "not addressed to the bot" {
			t.Errorf("a long message is %v", a.outcome)
		}
	}
	for _, text := range []string{"!moot " + mega, "!moot ping " + strings.Repeat("\u202e<@console:ann>", 1<<17), "!moot " + strings.Repeat("\xff", 1<<20), "!moot ping" + strings.Repeat("\u200b", 1<<17) + " more"} {
		a := w.say(ann, "console:lobby", text)
		if want := "That is too long for me: I read at most 4000 characters at once."; a.text() != want {
			t.Errorf("a long command is answered %.80q", a.text())
		}
	}
	if a := w.say(ben, dm(ben), mega); !strings.HasPrefix(a.text(), "That is too long") || !strings.HasSuffix(a.outcome.Reason, "too long for a command") {
		t.Errorf("in private: %v %.80q", a.outcome, a.text())
	}
	a := w.event(protocol.Event{Room: dm(ben), Sender: ben, Body: protocol.Invocation{Path: []string{"ping"}, Args: map[string]string{"x": mega}}})
	if !strings.HasPrefix(a.text(), "That is too long") {
		t.Errorf("through a native interface: %.80q", a.text())
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	for text, want := range map[string]string{
		"":                 "",
		" \n\u202e":        "",
		"\xff":             "Hi! I know no command «\uFFFD». help says what you can ask of me, and rooms lists the rooms that we share.",
		"!":                "",
		"\x00ping\x1f":     "pong",
		"p\u200bi\u00adng": "pong",
	} {
		if got := w.say(ben, dm(ben), text); got.text() != want && !(text == "!" && got.text() != "") {
			t.Errorf("%q is answered %q", text, got.text())
		}
		w.pass(time.Minute)
	}
	for _, year := range []int{-5, 12000} {
		ev := protocol.Event{Room: dm(ben), Sender: ben, Time: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), Body: protocol.Message{Text: "room"}}
		if a := w.event(ev); a.err != nil || !strings.Contains(a.text(), "lobby") {
			t.Errorf("in the year %d: %v %q", year, a.err, a.text())
		}
	}
}

func TestAPrefixThatIsShared(t *testing.T) {
	w := newWorldWith(t, commands.Config{Prefixes: []string{"!", "moot,"}})
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben")
	for text, want := range map[string]string{
		"!ping":                               "pong",
		"!gamble 2d6":                         "",
		"!":                                   "",
		"!gamble" + strings.Repeat("x", 5000): "",
		"moot, romo":                          "I know no command «romo»; did you mean !room?",
		"!forget you":                         "I know no command «forget you». !help forget lists those that there are.",
	} {
		if got := w.say(ann, "console:lobby", text).text(); got != want {
			t.Errorf("%.20q is answered %q", text, got)
		}
	}
	if got := w.say(ben, dm(ben), "!romo").text(); got != "I know no command «romo»; did you mean room?" {
		t.Errorf("in private it is answered %q", got)
	}
}

func TestWhatIsNoCommand(t *testing.T) {
	w := newWorld(t)
	w.room("console:lobby", "lobby", "ann", "ben")
	for _, body := range []protocol.Body{protocol.ReactionAdded{Target: "e1"}, protocol.Deletion{Target: "e1"}, protocol.VoicePresence{}} {
		if a := w.event(protocol.Event{Room: "console:lobby", Sender: ann, Body: body}); a.outcome != (store.Outcome{}) || len(a.out) > 0 {
			t.Errorf("%T: %v", body, a.outcome)
		}
	}
	for _, ev := range []protocol.Event{
		{History: true, Body: protocol.Message{Text: "!moot ping"}},
		{History: true, Body: protocol.Invocation{Path: []string{"ping"}}},
		{Body: protocol.Invocation{Path: []string{"ping"}, Bot: true}},
		{Sender: "-", Body: protocol.Message{Text: "!moot ping"}},
		{Sender: self, Body: protocol.Message{Text: "!moot ping"}},
	} {
		ev.Room = "console:lobby"
		switch ev.Sender {
		case "":
			ev.Sender = ann
		case "-":
			ev.Sender = ""
		}
		if a := w.event(ev); a.outcome.Disposition != store.Ignored || len(a.out) > 0 {
			t.Errorf("%+v is %v", ev, a.outcome)
		}
	}
}

// TestAStrangerInARoomIsAMember: the list of the members may not be in yet, or not be whole.
func TestAStrangerInARoomIsAMember(t *testing.T) {
	w := newWorld(t)
	w.bodies("console:lobby", protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	if a := w.say(ann, "console:lobby", "!moot members"); !strings.HasPrefix(a.text(), "I am still reading the list of its members; I know of these:") {
		t.Errorf("answered %q", a.text())
	}
	w.bodies("console:lobby", protocol.MemberList{Fault: "forbidden"})
	if a := w.say(ann, "console:lobby", "!moot room"); !strings.Contains(a.text(), "could not read the list") {
		t.Errorf("answered %q", a.text())
	}
}

func TestAFaultIsAnError(t *testing.T) {
	fault := errors.New("the disk is on fire")
	w := newWorld(t,
		&commands.Command{Name: "fail", Summary: "fails", Where: commands.NeedsRoom, Run: func(c *commands.Call) error {
			commands.Choose(c.Tx, "")
			return fault
		}},
		&commands.Command{Name: "panic", Summary: "panics", Run: func(c *commands.Call) error { return c.Answerf("%s", c.Word("nothing")) }},
		&commands.Command{Name: "trespass", Summary: "writes where it must not", Where: commands.Personal, Run: func(c *commands.Call) error {
			commands.Choose(c.Tx.In("console:cleo"), "console:lobby")
			c.Tx.Put(store.ScopedBucket("chosen-rooms"), "console:ann", nil)
			return nil
		}},
		&commands.Command{Name: "silent", Summary: "says nothing", Run: func(*commands.Call) error { return nil }},
	)
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben")
	for _, room := range []protocol.RoomID{"console:lobby", dm(ben)} {
		a := w.say(ben, room, "!moot fail")
		if !errors.Is(a.err, fault) && !errors.Is(a.err, store.ErrScope) || len(a.out) > 0 {
			t.Errorf("in %s the error is %v, the answer %q", room, a.err, a.text())
		}
		if !strings.Contains(a.err.Error(), "command fail") {
			t.Errorf("%q does not name the command", a.err)
		}
	}
	var p *store.PanicError
	if a := w.say(ben, "console:lobby", "!moot panic"); !errors.As(a.err, &p) || !strings.Contains(fmt.Sprint(p.Value), `no parameter "nothing"`) {
		t.Errorf("a parameter that is not there: %v", a.err)
	}
	if a := w.say(ben, dm(ben), "trespass"); !errors.Is(a.err, store.ErrScope) {
		t.Errorf("writing under another scope: %v", a.err)
	}
	if a := w.say(ben, "console:lobby", "!moot silent"); a.text() != "" || a.outcome.Reason != "command silent" {
		t.Errorf("a silent command: %q %v", a.text(), a.outcome)
	}
	a := w.event(protocol.Event{Room: "console:lobby", Sender: ben, Body: protocol.Invocation{Path: []string{"silent"}}})
	if a.text() != "Done." {
		t.Errorf("a native interface is left waiting: %q", a.text())
	}
}

func TestTheCallHasWhatWasGiven(t *testing.T) {
	var got string
	w := newWorldWith(t, unlimited, &commands.Command{
		Name: "all", Summary: "takes all kinds", Where: commands.NeedsRoom,
		Params: []commands.Param{
			{Name: "count", Kind: commands.Integer, Summary: "how many"},
			{Name: "place", Kind: commands.Room, Summary: "where", Choices: []string{"here"}},
			{Name: "options", Kind: commands.Choice, Choices: []string{"Red", "Blue"}, Repeat: 3, Optional: true, Summary: "which"},
			{Name: "who", Kind: commands.Person, Flag: true, Outside: true, Summary: "who"},
			{Name: "for", Kind: commands.Duration, Flag: true, Summary: "how long"},
			{Name: "sure", Kind: commands.Switch, Summary: "whether"},
		},
		Run: func(c *commands.Call) error {
			who, in := c.Somebody("who")
			got = fmt.Sprintln(c.Integer("count"), c.Place("place").ID, c.Word("place"), c.Words("options"), who.User, in, c.Duration("for"),
				c.Switch("sure"), c.Has("for"), c.Role, c.Room.ID, c.Person, c.Tx.Scope(), c.Command.Title())
			return nil
		},
	})
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "*ben")
	for line, want := range map[string]string{
		`all 3 lobby`: "3 console:lobby  []  false 0s false false moderator console:lobby console:ben console:lobby all",
		`all -3 HERE red BLUE red --who ann --for 1d --sure`: "-3  here [Red Blue Red] console:ann true 24h0m0s true true moderator console:lobby console:ben console:lobby all",
		`all 0 here --who <@console:eve> --sure=no`:          "0  here [] console:eve false 0s false false moderator console:lobby console:ben console:lobby all",
		`all 0 here --who console:eve`:                       "0  here [] console:eve false 0s false false moderator console:lobby console:ben console:lobby all",
	} {
		for _, room := range []protocol.RoomID{"console:lobby", dm(ben)} {
			got = ""
			if a := w.say(ben, room, "!moot "+line); strings.TrimSpace(got) != want || a.err != nil {
				t.Errorf("%s: %q, %q, %v", line, got, a.text(), a.err)
			}
		}
	}
	for line, want := range map[string]string{
		"all x here":              "has to be a whole number, not «x»",
		"all 1 here green":        "it is one of Red and Blue",
		"all 1 here bleu":         "Did you mean Blue?",
		"all 1 here --who eve":    "Nobody here is called «eve»",
		"all 1 here --sure=maybe": "yes or no",
		"all 1 here --for ever":   "not a length of time",
	} {
		if a := w.say(ben, dm(ben), line); !strings.Contains(a.text(), want) {
			t.Errorf("%s is answered %q", line, a.text())
		}
	}
}

func TestWhoSeesTheAnswer(t *testing.T) {
	done := func(c *commands.Call) error { return c.Answerf("done") }
	w := newWorldWith(t, unlimited,
		&commands.Command{Name: "secret", Summary: "is for private ears", Where: commands.PrivateOnly, Run: done},
		&commands.Command{Name: "quietly", Summary: "is answered aside", Where: commands.NeedsRoom, Visibility: commands.Private, Run: done},
		&commands.Command{Name: "both", Summary: "answers twice", Run: func(c *commands.Call) error {
			return errors.Join(c.Answerf("aloud"), c.Whisper(protocol.Plain("softly")))
		}},
		&commands.Command{Name: "visit", Summary: "goes elsewhere", Run: done,
			Params: []commands.Param{{Name: "place", Kind: commands.Room, Summary: "where"}}},
	)
	w.meet(ben)
	w.room("console:lobby", "lobby", "ann", "ben")
	w.room("console:club", "Secret club", "ann", "ben")
	shown := func(a answer) (out string) {
		for _, o := range a.out {
			where := string(o.Room)
			if act, ok := o.Act.(protocol.Whisper); ok {
				where = "to " + string(act.User)
			}
			out += fmt.Sprintf("[%s %s] %s ", where, o.Place, textOf(o).Plain())
		}
		return strings.TrimSpace(out)
	}
	for _, test := range []struct {
		room       protocol.RoomID
		line, want string
	}{
		{"console:lobby", "!moot secret", "[console:lobby thread] !moot secret is for our private conversation. Write to me there."},
		{dm(ben), "secret", "[console:dm-ben thread] done"},
		{"console:lobby", "!moot quietly", "[to console:ben ] In «lobby»: done"},
		{dm(ben), "quietly --in lobby", "[console:dm-ben thread] In «lobby»: done"},
		{"console:lobby", "!moot both", "[console:lobby thread] aloud [to console:ben ] softly"},
		{dm(ben), "both", "[console:dm-ben thread] aloud [console:dm-ben thread] softly"},
		{"console:lobby", "!moot visit secret", "[to console:ben ] I find no room called «secret»; did you mean «Secret club»?"},
		{"console:lobby", "!moot visit --place x", "[console:lobby thread] !moot visit knows no «--place». If it is no name, put -- before it. More: !moot help visit"},
	} {
		a := w.event(protocol.Event{Room: test.room, Place: "thread", Sender: ben, Body: protocol.Message{Text: test.line}})
		if got := shown(a); got != test.want {
			t.Errorf("%s in %s: %s", test.line, test.room, got)
		}
	}
	keys := map[protocol.Key]bool{}
	for _, o := range w.say(ben, "console:lobby", "!moot both").out {
		keys[o.Key] = true
	}
	if len(keys) != 2 {
		t.Errorf("two answers have %d keys", len(keys))
	}
}

func TestALargeRoomKnowsPeopleByIDOnly(t *testing.T) {
	var who protocol.UserID
	w := newWorldWith(t, unlimited, &commands.Command{Name: "greet", Summary: "greets", Where: commands.NeedsRoom,
		Params: []commands.Param{{Name: "person", Kind: commands.Person, Summary: "who"}},
		Run: func(c *commands.Call) error {
			m, _ := c.Somebody("person")
			who = m.User
			return nil
		}})
	var people []string
	for i := range 6000 {
		people = append(people, fmt.Sprintf("p%d", i))
	}
	w.room("console:lobby", "lobby", people...)
	w.join("console:lobby", ann, "Ann")
	for word, want := range map[string]protocol.UserID{"console:p17": "console:p17", "p17": "console:p17", "<@console:ann>": ann, "Ann": ""} {
		who = ""
		a := w.say(ann, "console:lobby", "!moot greet "+word)
		if word == "Ann" {
			want = ann // by its local id, "ann", it is not; by its name it cannot be
			if who != "" || !strings.Contains(a.text(), "mention or id only") {
				t.Errorf("a name in a large room finds %q, %q", who, a.text())
			}
			continue
		}
		if who != want {
			t.Errorf("%s is %q: %q", word, who, a.text())
		}
	}
	a := w.say(ann, "console:lobby", "!moot members --page 200")
	if !strings.Contains(a.text(), "these are 5000 of them") {
		t.Errorf("the last page is %.200q", a.text())
	}
}

// A command that could be read only when it was too old is not done, and whoever gave it hears so.
func TestLateCommands(t *testing.T) {
	w := newWorld(t)
	w.room("console:lobby", "lobby", "ann", "ben")
	ask := func(age time.Duration, late bool) answer {
		return w.event(protocol.Event{Room: "console:lobby", Sender: ann, Time: w.now.Add(-age), Backlog: true, Late: late, Body: protocol.Message{Text: "!moot ping"}})
	}
	if a := ask(time.Minute, true); a.text() != "pong" {
		t.Errorf("a command of a minute ago is answered %q", a.text())
	}
	if a := ask(time.Hour, true); !strings.HasPrefix(a.text(), "I could read this only now") || a.outcome.Disposition != store.Handled {
		t.Errorf("a command of an hour ago is %v, answered %q", a.outcome, a.text())
	}
	if a := ask(time.Hour, false); a.text() != "" || a.outcome.Disposition != store.Ignored {
		t.Errorf("one whose key was there is %v, answered %q", a.outcome, a.text())
	}
	// The network's own clock says that it is of a minute ago.
	a := w.event(protocol.Event{Room: "console:lobby", Sender: ann, Time: w.now.Add(-time.Hour), Age: time.Minute, Backlog: true,
		Body: protocol.Message{Text: "!moot ping"}})
	if a.text() != "pong" {
		t.Errorf("where the clocks differ it is %v, answered %q", a.outcome, a.text())
	}
}

// What people write to reach a bot in a room, by hand, by the completion of their program, or with the keyboard of another
// language. The prefixes are "!moot" and "!".
func TestHowPeopleAddressTheBot(t *testing.T) {
	w := newWorldWith(t, commands.Config{Prefixes: []string{"!moot", "!", "moot-bot"}, Every: -1})
	w.room("console:lobby", "", "ann")
	for text, is := range map[string]bool{
		"!moot ping": true, "! moot ping": true, "！moot ping": true, "！ｍｏｏｔ　ping": true, "!MOOT PING": true, "!moot: ping": true, "!moot：ping": true,
		"!moot, ping": true, "!ping": true, "! ping": true, "！ping": true, "  !moot  ping  ": true, "!m\u200boot ping": true, "moot-bot ping": true,
		"moot-bot: ping": true, "moot-bot， ping": true, "!ｐｉｎｇ": true,
		"!mootping": false, "moot-bots ping": false, "!moots ping": false, "¡moot ping": false, "moot-bot:example.org ping": false, "hey !moot ping": false,
		"moot ping": false, "!!moot ping": false, "?moot ping": false, "!": false, "!gamble 2d6": false,
	} {
		a := w.say("console:ann", "console:lobby", text)
		if got := a.text() == "pong"; got != is {
			t.Errorf("%q is answered %q (%s)", text, a.text(), a.outcome.Reason)
		}
		if !is && a.outcome.Disposition != store.Ignored {
			t.Errorf("%q is not left alone: %s", text, a.outcome.Reason)
		}
	}
	a := w.event(protocol.Event{Room: "console:lobby", Sender: "console:ann", Body: protocol.Message{Text: "!moot ping", Emote: true}})
	if a.text() != "" || a.outcome.Disposition != store.Ignored {
		t.Errorf("/me is obeyed: %q", a.text())
	}
}
