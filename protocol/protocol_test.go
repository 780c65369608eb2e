package protocol

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"
)

func TestEventsSurviveJSON(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 5, time.UTC)
	list := MemberList{List: "l", Part: 1, Last: true, Members: []Member{{User: "console:ann", Name: "Ann", Power: PowerModerator, Since: at}}}
	for _, body := range []Body{
		Message{Text: "hi", Addressed: true, ReplyTo: "e0"}, Edit{Target: "e1", Text: "ho"}, Deletion{Target: "e1", Reason: "spam"},
		ReactionAdded{Target: "e1", Reaction: "👍"}, ReactionRemoved{Target: "e1", Reaction: "👍"},
		PollResponse{Target: "e1", Answers: []string{"3-1", "3-2"}}, PollResponse{Target: "e1"},
		ReactionSet{Target: "e1", Reactions: []Reaction{{User: "console:ann", Reaction: "👍", Event: "e2"}}},
		MemberChange{User: "console:ann", Membership: Banned, Reason: "why"}, list,
		RoomChange{Changes: []Change{Renamed{"Lobby"}, Realiased{"a"}, TopicChanged{"t"}, EncryptionEnabled{}, Outdated{}, Upgraded{"console:new"}, PowersChanged{Moderators: []UserID{"console:ann"}}, Available{true}}},
		VoicePresence{Call: "c", AFK: true}, Invocation{Path: []string{"vote", "cast"}, Args: map[string]string{"a": "b"}},
		Receipt{Key: "k"}, Receipt{Key: "k", Message: PartsRef("console:lobby", "e1", "e2")}, Answer{Ask: "k", Result: list}, Answer{Ask: "k", Fault: "gone"},
		Restrained{User: "console:ann", On: true, Until: at, Refused: RefusedPower},
		RoleHolders{Role: "1", Name: "council", Alike: 1, Count: 1, Holders: []UserID{"console:ann"}},
		Gap{From: at, Until: at, Lost: []string{"edits"}}, Timer{Name: "n", Data: []byte{0, 1}}, Internal{Kind: "k", Data: []byte("d")},
		Malformed{Kind: "m.room.message", Reason: "no text"}, Other{Kind: "m.sticker"},
		Sealed{Session: "s", Content: []byte(`{"a": 1}`), Reason: "withheld"},
		TaskDone{Output: []byte(`{"answer":"yes"}`)}, Order{What: OrderRetry, Job: "k", Text: "t"},
		Collected{Kind: "webhook", Name: "push", Data: []byte(`{"a":1}`)},
	} {
		want := Event{Room: "console:lobby", Place: "p", ID: "e", Sender: "console:ann", Time: at, Private: true, Backlog: true, Late: true, Handle: "h", Body: body}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatalf("%s: %v", KindOf(body), err)
		}
		var got Event
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", data, d)
		}
	}
	if len(kinds[reflect.TypeFor[Body]()]) != 25 {
		t.Errorf("%d kinds of body, of which this test knows 25", len(kinds[reflect.TypeFor[Body]()]))
	}
}

func TestOutgoingsAndAsksSurviveJSON(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	text := Join("hello ", Mention("console:ann", "Ann"), " at ", Moment(at))
	controls := []Control{{
		Label: "Vote", Tone: ToneGood, Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": "3"},
		Form: []string{"reason"}, Param: "ballot", Options: []Option{{Label: "One", Detail: "the first", Value: "1"}}, Least: 1, Most: 1,
	}}
	for _, act := range []Act{Say{Text: text, ReplyTo: "e", Controls: controls}, Whisper{User: "console:ann", Text: text, Controls: controls},
		Revise{Original: "k0", Text: text, Controls: controls}, Revise{Original: "k0", Text: text},
		React{Target: "e", Reaction: "👍"},
		StartPoll{Question: "q", Options: []Option{{Label: "One", Value: "1"}, {Label: "Two", Value: "2"}}, Most: 2, Disclosed: true},
		EndPoll{Original: "k0", Text: text}} {
		want := Outgoing{Key: "k", Room: "console:lobby", Place: "p", Expires: at, Cause: Ref{Room: "console:lobby", Event: "e"}, Act: act}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Outgoing
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	for _, w := range []Want{AskMembers{}, AskReactions{Target: "e"}, AskRole{Role: "council"}, AskJoin{}, AskLeave{Reason: "r"},
		AskRestrain{User: "console:ann", On: true, Reason: "r"}, AskTask{Task: "t", Input: []byte(`{"a":1}`), Once: true}} {
		want := Ask{Key: "k", Room: "console:lobby", Expires: at, Want: w}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Ask
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestPollsThatNobodyCouldShow(t *testing.T) {
	good := func() StartPoll {
		return StartPoll{Question: "Which?", Options: []Option{{Label: "One", Value: "1"}, {Label: "Two", Value: "2"}}, Most: 2}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*StartPoll){
		"no question":      func(p *StartPoll) { p.Question = "" },
		"two lines":        func(p *StartPoll) { p.Question = "a\nb" },
		"a long question":  func(p *StartPoll) { p.Question = strings.Repeat("é", MaxPollText+1) },
		"one option":       func(p *StartPoll) { p.Options = p.Options[:1] },
		"too many at once": func(p *StartPoll) { p.Most = 3 },
		"fewer than none":  func(p *StartPoll) { p.Most = -1 },
		"an empty option":  func(p *StartPoll) { p.Options[0].Label = "" },
		"no value":         func(p *StartPoll) { p.Options[1].Value = "" },
		"one value twice":  func(p *StartPoll) { p.Options[1].Value = "1" },
		"twenty-one options": func(p *StartPoll) {
			p.Options = nil
			for i := range MaxPollOptions + 1 {
				p.Options = append(p.Options, Option{Label: "o", Value: string(rune('a' + i))})
			}
		},
	} {
		p := good()
		spoil(&p)
		if err := p.Check(); !errors.Is(err, ErrPoll) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControlsThatNobodyCouldShow(t *testing.T) {
	good := Control{
		Label: "Vote", Path: []string{"vote", "cast"}, Args: map[string]string{"ballot": "3"}, Param: "ballot",
		Options: []Option{{Label: "One", Value: "1"}, {Label: "Two", Value: "2", Detail: "the second"}}, Least: 1, Most: 2,
	}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	button := Control{Label: "Yes", Path: []string{"vote", "cast"}}
	if err := button.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Control){
		"no command":        func(c *Control) { c.Path = nil },
		"no label":          func(c *Control) { c.Label = "" },
		"two lines":         func(c *Control) { c.Label = "a\nb" },
		"long label":        func(c *Control) { c.Label = strings.Repeat("é", MaxControlLabel+1) },
		"long command":      func(c *Control) { c.Args = map[string]string{"a": strings.Repeat("b", MaxControlBytes)} },
		"button's options":  func(c *Control) { c.Param = "" },
		"no options":        func(c *Control) { c.Options = nil },
		"many options":      func(c *Control) { c.Options = make([]Option, MaxOptions+1) },
		"more than all":     func(c *Control) { c.Most = 3 },
		"least above most":  func(c *Control) { c.Least, c.Most = 2, 1 },
		"two of one value":  func(c *Control) { c.Options = []Option{{Label: "a", Value: "1"}, {Label: "b", Value: "1"}} },
		"option of no name": func(c *Control) { c.Options = []Option{{Value: "1"}, {Label: "b", Value: "2"}} },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); !errors.Is(err, ErrControl) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestUnknownKindsAreRefused(t *testing.T) {
	for _, data := range []string{`{"Body":{"Nonsense":{}}}`, `{"Body":{"Message":{},"Edit":{}}}`, `{"Body":7}`, `{"Body":{"Message":7}}`} {
		var e Event
		if err := json.Unmarshal([]byte(data), &e); err == nil {
			t.Errorf("%s was read as %+v", data, e)
		}
	}
}

func TestCheck(t *testing.T) {
	good := Event{Room: "console:lobby", ID: "e", Sender: "console:ann", Body: Message{Text: "hi"}}
	if err := good.Check(Console); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		spoil func(*Event)
		want  error
	}{
		"no room":          {func(e *Event) { e.Room = "" }, ErrEmptyID},
		"no network":       {func(e *Event) { e.Room = "lobby" }, ErrNoNetwork},
		"nothing behind":   {func(e *Event) { e.Room = "console:" }, ErrNoNetwork},
		"foreign room":     {func(e *Event) { e.Room = "matrix:!a:b" }, ErrForeignID},
		"separator":        {func(e *Event) { e.ID = "a" + Separator + "b" }, ErrBadID},
		"invalid UTF-8":    {func(e *Event) { e.ID = "a\xff" }, ErrBadID},
		"long":             {func(e *Event) { e.ID = EventID(strings.Repeat("a", MaxID+1)) }, ErrLongID},
		"place":            {func(e *Event) { e.Place = "\n" }, ErrBadID},
		"sender":           {func(e *Event) { e.Sender = "ann" }, ErrNoNetwork},
		"order in a room":  {func(e *Event) { e.Body = Order{What: OrderRun} }, ErrNotService},
		"hook in a room":   {func(e *Event) { e.Body = Collected{Kind: "webhook"} }, ErrNotService},
		"no body":          {func(e *Event) { e.Body = nil }, ErrNoBody},
		"malformed":        {func(e *Event) { e.Body = Malformed{"m.room.message", "no body"} }, ErrMalformed},
		"timer":            {func(e *Event) { e.Body = Timer{Name: "x"} }, ErrInternal},
		"internal":         {func(e *Event) { e.Body = Internal{Kind: "x"} }, ErrInternal},
		"target":           {func(e *Event) { e.Body = Edit{} }, ErrEmptyID},
		"member":           {func(e *Event) { e.Body = MemberList{Members: []Member{{User: "x"}}} }, ErrNoNetwork},
		"within an answer": {func(e *Event) { e.Body = Answer{Result: Timer{}} }, ErrInternal},
		"membership":       {func(e *Event) { e.Body = MemberChange{User: "console:ann", Membership: "lurking"} }, ErrMembership},
		"successor":        {func(e *Event) { e.Body = RoomChange{Changes: []Change{Upgraded{"x"}}} }, ErrNoNetwork},
	} {
		e := good
		tc.spoil(&e)
		if err := e.Check(Console); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestCleanTakesAwayWhatDeceives(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                   "plain",
		"a\tb\x00\x1b[31mc\u0085": "a b[31mc",
		"evil\u202egnp.exe":       "evilgnp.exe",
		"\u2066iso\u2069lated":    "isolated",
		"zero\u200bwidth\ufeff":   "zerowidth",
		"family 👩\u200d👩\u200d👧":  "family 👩\u200d👩\u200d👧",
		"bad\xffutf":              "bad\uFFFDutf",
		"two\nlines":              "two\nlines",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := OneLine(" a\n\n b\r\nc "); got != "a b c" {
		t.Errorf("OneLine gave %q", got)
	}
	if got := Quoted(strings.Repeat("é", 100), 10); got != "«ééééééééé…»" {
		t.Errorf("Quoted gave %q", got)
	}
}

const wales = "🏴\U000E0067\U000E0062\U000E0077\U000E006C\U000E0073\U000E007F"

// What is one character to a reader is not cut apart.
func TestShortenKeepsCharactersWhole(t *testing.T) {
	parts := []string{wales, "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "e\u0301", "❤\ufe0f\u200d🔥", "한", "\u1112\u1161\u11ab", "a", " ", "日", "🏴", "1\ufe0f\u20e3"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.SampledFrom(parts)).Draw(t, "parts"), "")
		most := rapid.IntRange(12, 60).Draw(t, "most")
		short := Shorten(s, most)
		if utf8.RuneCountInString(short) > most {
			t.Fatalf("%q is longer than %d", short, most)
		}
		kept, cut := strings.CutSuffix(short, "…")
		if !cut {
			return
		}
		for g := uniseg.NewGraphemes(s); kept != ""; {
			if !g.Next() || !strings.HasPrefix(kept, g.Str()) {
				t.Fatalf("%q is cut within a character: %q is left", s, kept)
			}
			kept = kept[len(g.Str()):]
		}
	})
	if got := Shorten("a"+strings.Repeat("\u0301", 100), 10); utf8.RuneCountInString(got) != 10 {
		t.Errorf("a letter with 100 accents becomes %q", got)
	}
}

func TestTextIsCompleteInPlainForm(t *testing.T) {
	at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.FixedZone("", 3600))
	text := Lines(Join(Strong("Vote 3"), " by ", Mention("console:ann", "Ann\n@everyone"), ", until ", Moment(at), ": ", 7), Code("!moot vote\ncast"))
	want := "Vote 3 by Ann @everyone, until 2026-11-21 07:00 UTC: 7\n!moot vote cast"
	if got := text.Plain(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d := cmp.Diff([]UserID{"console:ann"}, text.Mentions()); d != "" {
		t.Error(d)
	}
}

func TestMentionTokens(t *testing.T) {
	for _, id := range []UserID{"console:ann", "matrix:@ann:example.org", "discord:1234"} {
		if got, ok := ParseMention(MentionToken(id)); !ok || got != id {
			t.Errorf("%s came back as %q, %v", id, got, ok)
		}
	}
	for _, bad := range []string{"", "<@>", "<@ann>", "@ann", "<@console:ann", "console:ann>"} {
		if id, ok := ParseMention(bad); ok {
			t.Errorf("%q was read as %q", bad, id)
		}
	}
}

func TestKeysAreStableAndShort(t *testing.T) {
	k := DeriveKey("console:lobby", "e1", "0")
	if k != DeriveKey("console:lobby", "e1", "0") {
		t.Error("the same parts gave another key")
	}
	if k == DeriveKey("console:lobbye", "1", "0") || k == DeriveKey("console:lobby", "e1") {
		t.Error("other parts gave the same key")
	}
	if len(k) != 24 {
		t.Errorf("key %q has %d characters", k, len(k))
	}
}

func TestScope(t *testing.T) {
	e := Event{Room: "console:dm", Sender: "console:ann", Private: true, Body: Message{}}
	if e.Scope() != "console:ann" {
		t.Errorf("a private message has the scope %q", e.Scope())
	}
	e.Body = MemberChange{}
	if e.Scope() != "console:dm" {
		t.Errorf("a member change in a private conversation has the scope %q", e.Scope())
	}
	e.Private, e.Body = false, Message{}
	if e.Scope() != "console:dm" {
		t.Errorf("a message in a room has the scope %q", e.Scope())
	}
}
