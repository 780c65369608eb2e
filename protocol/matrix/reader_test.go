package matrix

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
)

var ourReader = reader{self: "@moot:fake.test", name: "Moot Bot", room: "matrix:!r:fake.test"}

const (
	ann = protocol.UserID("matrix:@ann:fake.test")
	ben = protocol.UserID("matrix:@ben:other.test")
	key = "aaaabbbbccccddddeeeeffff"
)

// readJSON reads an event of Ann with the id $e, of which the fields are given.
func readJSON(t testing.TB, fields string) protocol.Event {
	t.Helper()
	raw := `{"event_id":"$e","sender":"@ann:fake.test","origin_server_ts":1795000000000,` + fields + `}`
	if !json.Valid([]byte(raw)) {
		t.Fatalf("the test is wrong: %s", raw)
	}
	return ourReader.read(readEvents([]object{object(raw)})[0])
}

func message(content string) string { return `"type":"m.room.message","content":` + content }

func TestMessages(t *testing.T) {
	t.Parallel()
	ends := time.UnixMilli(1795000000000).UTC().Add(4 * time.Hour) // of a call that says nothing of it
	for fields, want := range map[string]protocol.Body{
		message(`{"msgtype":"m.text","body":"hello"}`):                                                                            protocol.Message{Text: "hello"},
		message(`{"msgtype":"m.emote","body":"waves"}`):                                                                           protocol.Message{Text: "waves", Emote: true},
		message(`{"msgtype":"m.notice","body":"!moot help"}`):                                                                     protocol.Message{Text: "!moot help", Bot: true},
		message(`{"msgtype":"m.image","body":"!moot help","url":"mxc://a/b"}`):                                                    protocol.Message{},
		message(`{"msgtype":"m.text"}`):                                                                                           protocol.Message{},
		`"type":"m.sticker","content":{"body":"a cat"}`:                                                                           protocol.Message{},
		message(`{"msgtype":"m.text","body":"Moot Bot: help"}`):                                                                   protocol.Message{Text: "help", Addressed: true},
		message(`{"msgtype":"m.text","body":"moot bot, help"}`):                                                                   protocol.Message{Text: "help", Addressed: true},
		message(`{"msgtype":"m.text","body":"moot: help"}`):                                                                       protocol.Message{Text: "help", Addressed: true},
		message(`{"msgtype":"m.text","body":"@moot:fake.test: help"}`):                                                            protocol.Message{Text: "help", Addressed: true},
		message(`{"msgtype":"m.text","body":"moot is a bot"}`):                                                                    protocol.Message{Text: "moot is a bot"},
		message(`{"msgtype":"m.text","body":"hey moot: help"}`):                                                                   protocol.Message{Text: "hey moot: help"},
		message(`{"msgtype":"m.text","body":"moot:"}`):                                                                            protocol.Message{Addressed: true},
		message(`{"msgtype":"m.text","body":"> <@ann:a> hi\n> there\n\nyes","m.relates_to":{"m.in_reply_to":{"event_id":"$r"}}}`): protocol.Message{Text: "yes", ReplyTo: "$r"},
		message(`{"msgtype":"m.text","body":"> a quote of my own"}`):                                                              protocol.Message{Text: "> a quote of my own"},
		message(`{"msgtype":"m.text","body":"x","m.relates_to":{"m.in_reply_to":{"event_id":"$r\u001f"}}}`):                       protocol.Message{Text: "x"},
		// Mentions: as pills, as ids, and as neither.
		message(`{"msgtype":"m.text","body":"challenge Ben","format":"org.matrix.custom.html","formatted_body":"challenge <a href=\"https://matrix.to/#/@ben:other.test\">Ben</a> &amp; co<br>now"}`): protocol.Message{Text: "challenge <@matrix:@ben:other.test> & co\nnow"},
		message(`{"msgtype":"m.text","body":"Ben","format":"org.matrix.custom.html","formatted_body":"<a href=\"https://matrix.to/#/%40ben%3Aother.test?via=x\">Ben</a>"}`):                           protocol.Message{Text: "<@matrix:@ben:other.test>"},
		message(`{"msgtype":"m.text","body":"Ben","format":"org.matrix.custom.html","formatted_body":"<a href='matrix:u/ben:other.test'>Ben</a>"}`):                                                   protocol.Message{Text: "<@matrix:@ben:other.test>"},
		message(`{"msgtype":"m.text","body":"moot: help","format":"org.matrix.custom.html","formatted_body":"<a href=\"https://matrix.to/#/@moot:fake.test\">Moot</a>: help"}`):                       protocol.Message{Text: "help", Addressed: true},
		message(`{"msgtype":"m.text","body":"see","format":"org.matrix.custom.html","formatted_body":"<mx-reply>In reply to <a href=\"https://matrix.to/#/@ben:other.test\">Ben</a></mx-reply>see"}`): protocol.Message{Text: "see"},
		message(`{"msgtype":"m.text","body":"room","format":"org.matrix.custom.html","formatted_body":"<a href=\"https://matrix.to/#/!room:x\">room</a>"}`):                                           protocol.Message{Text: "room"},
		message(`{"msgtype":"m.text","body":"ask @ben:other.test","m.mentions":{"user_ids":["@ben:other.test","@ben:other.test",7,"nobody"]}}`):                                                       protocol.Message{Text: "ask <@matrix:@ben:other.test>"},
		message(`{"msgtype":"m.text","body":"ask @ben:other.test"}`):                                                 protocol.Message{Text: "ask @ben:other.test"},
		message(`{"msgtype":"m.text","body":"**x**","format":"org.matrix.custom.html","formatted_body":"<b>x</b>"}`): protocol.Message{Text: "**x**"},

		message(`{"msgtype":"m.text","body":"* new","m.new_content":{"msgtype":"m.text","body":"new"},"m.relates_to":{"rel_type":"m.replace","event_id":"$o"}}`):     protocol.Edit{Target: "$o", Text: "new"},
		message(`{"msgtype":"m.text","body":"* new","m.relates_to":{"rel_type":"m.replace","event_id":"$o"}}`):                                                       protocol.Edit{Target: "$o", Text: "* new"},
		message(`{"msgtype":"m.notice","body":"* new","m.new_content":{"msgtype":"m.notice","body":"new"},"m.relates_to":{"rel_type":"m.replace","event_id":"$o"}}`): protocol.Edit{Target: "$o", Text: "new", Bot: true},
		`"type":"m.reaction","content":{"m.relates_to":{"rel_type":"m.annotation","event_id":"$o","key":"👍"}}`:                                                       protocol.ReactionAdded{Target: "$o", Reaction: "👍"},
		`"type":"m.room.redaction","redacts":"$o","content":{"reason":"spam"}`:                                                                                       protocol.Deletion{Target: "$o", Reason: "spam"},
		`"type":"m.room.redaction","content":{"redacts":"$o"}`:                                                                                                       protocol.Deletion{Target: "$o"},
		`"type":"m.room.message","content":{},"unsigned":{"redacted_because":{"type":"m.room.redaction"}}`:                                                           protocol.Other{Kind: "redacted m.room.message"},
		// The key of somebody else's message is no key.
		message(`{"msgtype":"m.text","body":"x","org.moot.key":"` + key + `"}`): protocol.Message{Text: "x"},

		`"type":"m.call.member","state_key":"_@ann:fake.test_A","content":{"application":"m.call","call_id":"","device_id":"A"}`:                             protocol.VoicePresence{Call: "call", Device: "_@ann:fake.test_A", Until: ends},
		`"type":"m.call.member","state_key":"_@ann:fake.test_A","content":{"call_id":"stage"}`:                                                               protocol.VoicePresence{Call: "stage", Device: "_@ann:fake.test_A", Until: ends},
		`"type":"m.call.member","state_key":"_@ann:fake.test_A","content":{}`:                                                                                protocol.VoicePresence{Device: "_@ann:fake.test_A"},
		`"type":"org.matrix.msc3401.call.member","state_key":"@ann:fake.test","content":{"memberships":[{"call_id":"x","device_id":"A"}]}`:                   protocol.VoicePresence{Call: "x", Device: "@ann:fake.test", Until: ends},
		`"type":"org.matrix.msc3401.call.member","state_key":"@ann:fake.test","content":{"memberships":[]}`:                                                  protocol.VoicePresence{Device: "@ann:fake.test"},
		`"type":"m.call.member","content":{"call_id":"stage"}`:                                                                                               protocol.Other{Kind: "m.call.member"},
		`"type":"m.room.name","content":{"name":"not a state"}`:                                                                                              protocol.Other{Kind: "m.room.name"},
		`"type":"m.room.name","state_key":"","content":{"name":"Hall"}`:                                                                                      protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: "Hall"}}},
		`"type":"m.room.name","state_key":"","content":{}`:                                                                                                   protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{}}},
		`"type":"m.room.name","state_key":"other","content":{"name":"Hall"}`:                                                                                 protocol.Other{Kind: "m.room.name"},
		`"type":"m.room.topic","state_key":"","content":{"topic":"all"}`:                                                                                     protocol.RoomChange{Changes: []protocol.Change{protocol.TopicChanged{Topic: "all"}}},
		`"type":"m.room.canonical_alias","state_key":"","content":{"alias":"#hall:x"}`:                                                                       protocol.RoomChange{Changes: []protocol.Change{protocol.Realiased{Alias: "#hall:x"}}},
		`"type":"m.room.encryption","state_key":"","content":{}`:                                                                                             protocol.RoomChange{Changes: []protocol.Change{protocol.EncryptionEnabled{}}},
		`"type":"m.room.tombstone","state_key":"","content":{"replacement_room":"!n:x"}`:                                                                     protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: "matrix:!n:x"}}},
		`"type":"m.room.power_levels","state_key":"","content":{"users":{"@ben:other.test":50,"@ann:fake.test":100,"@carl:x":49}}`:                           protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{ann, ben}}}},
		`"type":"m.room.power_levels","state_key":"","content":{"users":{"@ben:other.test":"75","@ann:fake.test":100.0,"@c:x":1e400,"@d:x":null},"kick":75}`: protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{ann, ben}}}},
	} {
		got := readJSON(t, fields)
		if d := cmp.Diff(want, got.Body); d != "" {
			t.Errorf("%s: %s", fields, d)
		}
		if got.ID != "$e" || got.Sender != ann || !got.Time.Equal(time.UnixMilli(1795000000000)) || got.Room != ourReader.room {
			t.Errorf("%s came as %+v", fields, got)
		}
		if err := got.Check(Network); err != nil {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

// TestACallEndsWhereItsProgramIsSilent: by what the membership says of itself, and after four hours where it says nothing.
func TestACallEndsWhereItsProgramIsSilent(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_000).UTC()
	for content, want := range map[string]time.Time{
		`{"application":"m.call"}`:                                              at.Add(4 * time.Hour),
		`{"application":"m.call","expires":60000}`:                              at.Add(time.Minute),
		`{"application":"m.call","expires":7200000,"created_ts":1699996400000}`: at.Add(time.Hour),
		`{"application":"m.call","expires":60000,"created_ts":1800000000000}`:   at.Add(time.Minute),
		`{"application":"m.call","expires":"soon","created_ts":"x"}`:            at.Add(4 * time.Hour),
		`{"memberships":[{"call_id":"x","device_id":"A","expires":60000}]}`:     at.Add(time.Minute),
		`{"memberships":[{"expires":60000},{"expires":120000},{"expires":1}]}`:  at.Add(2 * time.Minute),
		`{"application":"m.call","expires":9000000000000000}`:                   at.Add(365 * 24 * time.Hour),
	} {
		ev := readEvent(object(`{"event_id":"$e","sender":"@ann:fake.test","type":"m.call.member","state_key":"_@ann:fake.test_A","origin_server_ts":1700000000000,"content":` + content + `}`))
		if got, ok := (reader{}).call(ev).(protocol.VoicePresence); !ok || !got.Until.Equal(want) {
			t.Errorf("%s: until %s", content, got.Until)
		}
	}
}

// Who is meant, by what people and their programs write. The account of the bot is @moot:fake.test, called "Moot Bot".
func TestWhoIsAddressed(t *testing.T) {
	t.Parallel()
	const mentioned = `,"m.mentions":{"user_ids":["@moot:fake.test"]}`
	for body, want := range map[string]string{
		`@moot:fake.test ping`:                                     "ping",
		`@moot:fake.test`:                                          "",
		`@moot:fake.test\nping`:                                    "ping",
		`@MOOT:fake.test ping`:                                     "ping",
		`moot：ping`:                                                "ping",
		`Moot Bot， ping`:                                           "ping",
		`Moot  Bot: ping`:                                          "ping",
		`Moot Bot ping"` + mentioned + `,"x":"`:                    "ping",
		`@moot ping"` + mentioned + `,"x":"`:                       "ping",
		`https://matrix.to/#/@moot:fake.test: ping`:                "ping",
		`[Moot Bot](https://matrix.to/#/@moot:fake.test): ping`:    "ping",
		`<https://matrix.to/#/%40moot%3Afake.test?via=x.org> ping`: "ping",
	} {
		got := readJSON(t, message(`{"msgtype":"m.text","body":"`+body+`"}`)).Body
		if d := cmp.Diff(protocol.Message{Text: want, Addressed: true}, got); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
	for _, body := range []string{
		"@moot:other.example: hello", "@moot:other.example hello", "moot:fake.test is a server", "moot:other.example", "@moot:fake.test.example ping",
		"moot ping", "Moot Bot ping", "@mootx:fake.test ping", "is moot: here", "moot:8448 is its port", "moot://x", "@moot:fake.test:8448 ping",
		`hello Moot Bot"` + mentioned + `,"x":"`,
	} {
		got, ok := readJSON(t, message(`{"msgtype":"m.text","body":"`+body+`"}`)).Body.(protocol.Message)
		if !ok || got.Addressed {
			t.Errorf("%s is taken for the bot: %+v", body, got)
		}
	}
}

// A link to a person is a mention of them, also where the program that wrote it sends no HTML.
func TestLinksToPeopleInPlainText(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"history https://matrix.to/#/@ben:other.test":                  "history <@matrix:@ben:other.test>",
		"history matrix:u/ben:other.test":                              "history <@matrix:@ben:other.test>",
		"history matrix:u/ben:other.test?action=chat":                  "history <@matrix:@ben:other.test>",
		"ask http://matrix.to/#/%40ben%3Aother.test, please":           "ask <@matrix:@ben:other.test>, please",
		"ask [Ben \"B\"](https://matrix.to/#/@ben:other.test) (or so)": `ask <@matrix:@ben:other.test> (or so)`,
		"(see https://matrix.to/#/@ben:other.test)":                    "(see <@matrix:@ben:other.test>)",
		"<https://matrix.to/#/@ben:other.test>!":                       "<@matrix:@ben:other.test>!",
		"https://matrix.to/#/!room:x":                                  "https://matrix.to/#/!room:x",
		"https://matrix.to/#/@nobody":                                  "https://matrix.to/#/@nobody",
		"two: matrix:u/ben:other.test matrix:u/ann:fake.test":          "two: <@matrix:@ben:other.test> <@matrix:@ann:fake.test>",
		"https://example.org/?to=https://matrix.to/#/@ben:other.test":  "https://example.org/?to=<@matrix:@ben:other.test>",
	} {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		got := readJSON(t, message(`{"msgtype":"m.text","body":`+string(encoded)+`}`)).Body
		if d := cmp.Diff(protocol.Message{Text: want}, got); d != "" {
			t.Errorf("%s: %s", body, d)
		}
	}
	got := readJSON(t, message(`{"msgtype":"m.text","body":"x","format":"org.matrix.custom.html","formatted_body":"history https://matrix.to/#/@ben:other.test"}`)).Body
	if d := cmp.Diff(protocol.Message{Text: "history <@matrix:@ben:other.test>"}, got); d != "" {
		t.Error(d)
	}
}

// FuzzText: whatever a program sends, the text can be read, and is no longer than it should be.
func FuzzText(f *testing.F) {
	for _, s := range []string{"@moot:fake.test ping", "[x](matrix:u/a:b)", "<https://matrix.to/#/@a:b.>)(", "matrix.to/#/@", "moot：\u0301", "(matrix:u/"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, body, markup string) {
		for _, format := range []string{"", "org.matrix.custom.html"} {
			text := ourReader.text(messageContent{Kind: "m.text", Body: word(body), Format: word(format), HTML: word(markup)}, false)
			if len(text) > 2*len(body)+2*len(markup)+64 {
				t.Fatalf("%q, %q became %d bytes", body, markup, len(text))
			}
			rest, _ := ourReader.addressed(text, nil)
			if !strings.HasSuffix(text, rest) {
				t.Fatalf("%q says %q", text, rest)
			}
		}
	})
}

func TestThreads(t *testing.T) {
	t.Parallel()
	got := readJSON(t, message(`{"msgtype":"m.text","body":"x","m.relates_to":{"rel_type":"m.thread","event_id":"$root","is_falling_back":true,"m.in_reply_to":{"event_id":"$last"}}}`))
	if got.Place != "$root" || got.Body != (protocol.Message{Text: "x"}) {
		t.Errorf("a message in a thread came as %+v", got)
	}
	got = readJSON(t, message(`{"msgtype":"m.text","body":"x","m.relates_to":{"rel_type":"m.thread","event_id":"$root","m.in_reply_to":{"event_id":"$last"}}}`))
	if got.Place != "$root" || got.Body != (protocol.Message{Text: "x", ReplyTo: "$last"}) {
		t.Errorf("a reply in a thread came as %+v", got)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	member := func(sender, user, content, before string) string {
		s := `"sender":"` + sender + `","type":"m.room.member","state_key":"` + user + `","content":` + content
		if before != "" {
			s += `,"unsigned":{"prev_content":` + before + `}`
		}
		return s
	}
	const benID, annID, self = "@ben:other.test", "@ann:fake.test", "@moot:fake.test"
	for _, tc := range []struct {
		fields string
		want   protocol.MemberChange
	}{
		{member(benID, benID, `{"membership":"join","displayname":"Ben"}`, ""), protocol.MemberChange{User: ben, Membership: protocol.Joined, Name: "Ben"}},
		{member(benID, benID, `{"membership":"join"}`, `{"membership":"invite"}`), protocol.MemberChange{User: ben, Membership: protocol.Joined, Name: benID}},
		{member(benID, benID, `{"membership":"join","displayname":"Benny"}`, `{"membership":"join"}`), protocol.MemberChange{User: ben, Membership: protocol.Joined, Name: "Benny", Profile: true}},
		{member(benID, benID, `{"membership":"leave","reason":"bye"}`, `{"membership":"join"}`), protocol.MemberChange{User: ben, Membership: protocol.Left, Reason: "bye"}},
		{member(annID, benID, `{"membership":"leave","reason":"spam"}`, `{"membership":"join"}`), protocol.MemberChange{User: ben, Membership: protocol.Kicked, Reason: "spam"}},
		{member(annID, benID, `{"membership":"leave"}`, `{"membership":"ban"}`), protocol.MemberChange{User: ben, Membership: protocol.Left}},
		{member(annID, benID, `{"membership":"leave"}`, `{"membership":"invite"}`), protocol.MemberChange{User: ben, Membership: protocol.Left}},
		{member(annID, benID, `{"membership":"ban"}`, `{"membership":"join"}`), protocol.MemberChange{User: ben, Membership: protocol.Banned}},
		{member(annID, benID, `{"membership":"invite"}`, ""), protocol.MemberChange{User: ben, Membership: protocol.Invited}},
		{member(benID, benID, `{"membership":"knock","reason":"please"}`, ""), protocol.MemberChange{User: ben, Membership: protocol.Knocking, Reason: "please"}},
		{member(annID, self, `{"membership":"invite","is_direct":true}`, ""), protocol.MemberChange{User: "matrix:" + self, Membership: protocol.Invited, Direct: true, Self: true, Bot: true}},
	} {
		if d := cmp.Diff(protocol.Body(tc.want), readJSON(t, tc.fields).Body); d != "" {
			t.Errorf("%s: %s", tc.fields, d)
		}
	}
}

func TestOwnEchoes(t *testing.T) {
	t.Parallel()
	own := func(fields string) protocol.Body { return readJSON(t, `"sender":"@moot:fake.test",`+fields).Body }
	for fields, want := range map[string]protocol.Body{
		message(`{"msgtype":"m.notice","body":"x","org.moot.key":"` + key + `"}`):                                                           protocol.Receipt{Key: key},
		message(`{"msgtype":"m.notice","body":"x"}`) + `,"unsigned":{"transaction_id":"` + key + `"}`:                                       protocol.Receipt{Key: key},
		message(`{"msgtype":"m.notice","body":"x","org.moot.key":"` + key + `.1-2"}`):                                                       protocol.Other{Kind: "a part of a message of the bot"},
		message(`{"msgtype":"m.notice","body":"x","org.moot.key":"` + key + `.2-2"}`):                                                       protocol.Receipt{Key: key},
		message(`{"msgtype":"m.text","body":"by hand"}`):                                                                                    protocol.Message{Text: "by hand", Bot: true},
		`"type":"m.reaction","content":{"org.moot.key":"` + key + `","m.relates_to":{"rel_type":"m.annotation","event_id":"$o","key":"x"}}`: protocol.Receipt{Key: key},
		`"type":"m.room.redaction","redacts":"$o","content":{}`:                                                                             protocol.Deletion{Target: "$o"},
	} {
		if d := cmp.Diff(want, own(fields)); d != "" {
			t.Errorf("%s: %s", fields, d)
		}
	}
}

func TestShallow(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for in, want := range map[string]string{
		`{"a":"[[[\"{","b":[1,{"c":2}]}`: `{"a":"[[[\"{","b":[1,{"c":2}]}`,
		nest(maxDepth):                   nest(maxDepth),
		nest(maxDepth + 1):               nest(maxDepth)[:maxDepth] + "null" + strings.Repeat("]", maxDepth),
		nest(50_000):                     nest(maxDepth)[:maxDepth] + "null" + strings.Repeat("]", maxDepth),
		`[` + strings.Repeat(`{"a\\":`, 100) + `"]"` + strings.Repeat("}", 100) + `,"x\\\"]"]`: `[` + strings.Repeat(`{"a\\":`, maxDepth-1) + "null" + strings.Repeat("}", maxDepth-1) + `,"x\\\"]"]`,
	} {
		got, err := io.ReadAll(newShallow(strings.NewReader(in)))
		if err != nil || string(got) != want {
			t.Errorf("%.80s came as %.80s, %v", in, got, err)
		}
	}
}

// FuzzRead reads whatever a server may send. The result is refused by its own reason or fit to enter, and the same each time.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"event_id":"$e","sender":"@ann:fake.test","type":"m.room.message","content":{"msgtype":"m.text","body":"hi <b>","format":"org.matrix.custom.html","formatted_body":"<a href=\"https://matrix.to/#/@ben:x\">B</a><p><mx-reply>"}}`,
		`{"event_id":"$e","sender":"@moot:fake.test","type":"m.reaction","content":{"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":"y"}},"unsigned":{"transaction_id":"aaaabbbbccccddddeeeeffff.1-2"}}`,
		`{"event_id":"$e","sender":"@ann:fake.test","type":"m.room.member","state_key":"@ann:fake.test","content":{"membership":"join"},"unsigned":{"prev_content":{"membership":"leave"}}}`,
		`{"event_id":"$e","sender":"@ann:fake.test","type":"m.room.power_levels","state_key":"","content":{"users":{"@a:b":"50"},"kick":null}}`,
		`{"type":"m.call.member","state_key":"x","sender":"@ann:fake.test","content":{"memberships":[{}]}}`,
		`[]`, `7`, `{"origin_server_ts":"1e9"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		shallow, err := io.ReadAll(newShallow(strings.NewReader(string(data))))
		if err != nil {
			t.Fatal(err)
		}
		if json.Valid(data) && !json.Valid(shallow) {
			t.Fatalf("%q became %q", data, shallow)
		}
		if !json.Valid(shallow) {
			return
		}
		ev := readEvents([]object{shallow})[0]
		got := ourReader.read(ev)
		if d := cmp.Diff(got, ourReader.read(ev)); d != "" {
			t.Fatalf("read twice: %s", d)
		}
		if len(got.ID) > protocol.MaxID+1 {
			t.Fatalf("the id has %d bytes", len(got.ID))
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", got, err)
		}
		var back protocol.Event
		if err := json.Unmarshal(written, &back); err != nil {
			t.Fatalf("%s cannot be read: %v", written, err)
		}
		if _, bad := got.Body.(protocol.Malformed); bad || protocol.CheckID(string(ev.ID)) != nil {
			return
		}
		if err := got.Check(Network); err != nil {
			t.Fatalf("%s came as %+v: %v", data, got, err)
		}
	})
}

func TestSplitKeepsAllAndFits(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]protocol.Text{
		"short":        protocol.Plain("hello"),
		"paragraphs":   protocol.Plain(strings.Repeat(strings.Repeat("word ", 100)+"\n\n", 100)),
		"quotes":       protocol.Join(protocol.Strong(strings.Repeat("\"", 9000))),
		"no breaks":    protocol.Plain(strings.Repeat("é", 20_000)),
		"styles":       protocol.Join(protocol.Strong(strings.Repeat("s", 5000)), protocol.Mention(ann, strings.Repeat("Ann", 2000)), protocol.Plain(strings.Repeat("<&>", 4000))),
		"empty at end": protocol.Plain(strings.Repeat("a", 8<<10) + "\n\n\n"),
	} {
		parts := split(text)
		var all strings.Builder
		mentions := 0
		for _, p := range parts {
			if n := size(p); n > maxPart || n == 0 {
				t.Errorf("%s: a part has %d bytes", name, n)
			}
			if content, err := json.Marshal(textContent(p)); err != nil || len(content) > 44<<10 {
				t.Errorf("%s: a part has %d bytes, %v", name, len(content), err)
			}
			all.WriteString(p.Plain())
			mentions += len(p.Mentions())
		}
		same := func(s string) string { return strings.ReplaceAll(s, "\n", "") }
		if same(all.String()) != same(text.Plain()) {
			t.Errorf("%s: something is lost", name)
		}
		if mentions != len(text.Mentions()) {
			t.Errorf("%s: %d mentions", name, mentions)
		}
	}
}

// Names are taken exactly: servers pass on what is written with other letters, and whoever writes it would be who they like.
func TestNamesAreTakenExactly(t *testing.T) {
	t.Parallel()
	got := readJSON(t, `"type":"m.room.message","content":{"msgtype":"m.text","body":"hi","Body":"!moot","MSGTYPE":"m.notice"},`+
		`"Sender":"@boss:fake.test","SENDER":"@boss:fake.test","Event_ID":"$other","State_Key":"","Type":"m.room.name","Content":{"name":"x"}`)
	if got.Sender != ann || got.ID != "$e" || got.Body != (protocol.Message{Text: "hi"}) {
		t.Errorf("it came as %+v", got)
	}
	got = readJSON(t, `"type":"m.room.member","state_key":"@ben:other.test","content":{"membership":"invite","Membership":"join"},"unsigned":{"prev_content":{"membership":"leave"},"Prev_Content":{"membership":"join"}}`)
	if m, _ := got.Body.(protocol.MemberChange); m.Membership != protocol.Invited {
		t.Errorf("an invitation came as %+v", got.Body)
	}
	got = readJSON(t, `"type":"m.room.power_levels","state_key":"","content":{"users":{"@ann:fake.test":100},"USERS":{"@ben:other.test":100}}`)
	if d := cmp.Diff(protocol.Body(protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{ann}}}}), got.Body); d != "" {
		t.Error(d)
	}
}

func TestCreatorsOfNewRoomsMayDoEverything(t *testing.T) {
	t.Parallel()
	create := readEvent(object(`{"type":"m.room.create","sender":"@ann:fake.test","state_key":"","content":{"room_version":"12","additional_creators":["@ben:other.test",7,"nobody"]}}`))
	in := ourReader
	in.creators = creatorsOf(create)
	got := in.read(readEvent(object(`{"event_id":"$p","sender":"@ann:fake.test","type":"m.room.power_levels","state_key":"","content":{"users":{"@carl:x":50}}}`)))
	want := protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{ann, ben, "matrix:@carl:x"}}}}
	if d := cmp.Diff(protocol.Body(want), got.Body); d != "" {
		t.Error(d)
	}
	if !createdByAll("!abc") || createdByAll("!abc:fake.test") {
		t.Error("the version of a room is not known by its id")
	}
}

func TestAnEditMentionsNobodyAnew(t *testing.T) {
	t.Parallel()
	c := editContent(protocol.Join(protocol.Mention(ann, "Ann"), " has voted"), "$o")
	got, err := json.Marshal(c)
	want := `{"body":"* Ann has voted","format":"org.matrix.custom.html","formatted_body":"* \u003ca href=\"https://matrix.to/#/@ann:fake.test\"\u003eAnn\u003c/a\u003e has voted","m.mentions":{},` +
		`"m.new_content":{"body":"Ann has voted","format":"org.matrix.custom.html","formatted_body":"\u003ca href=\"https://matrix.to/#/@ann:fake.test\"\u003eAnn\u003c/a\u003e has voted","m.mentions":{"user_ids":["@ann:fake.test"]},"msgtype":"m.notice"},` +
		`"m.relates_to":{"event_id":"$o","rel_type":"m.replace"},"msgtype":"m.notice"}`
	if err != nil || string(got) != want {
		t.Errorf("it is %s, %v", got, err)
	}
}

// TestTheBotKnowsWhetherItMaySpeak, in clear and sealed.
func TestTheBotKnowsWhetherItMaySpeak(t *testing.T) {
	t.Parallel()
	for content, mute := range map[string]bool{
		`{}`:                    false,
		`{"events_default":50}`: true,
		`{"events_default":50,"users":{"@moot:fake.test":50}}`: false,
		`{"events":{"m.room.encrypted":50}}`:                   true,
		`{"events":{"m.room.message":"50"}}`:                   true,
		`{"users_default":-1}`:                                 true,
	} {
		none := word("")
		changes := reader{self: "@moot:fake.test"}.changes(&rawEvent{Type: "m.room.power_levels", Key: &none, Content: object(content)})
		if got := changes[0].(protocol.PowersChanged).Mute; got != mute {
			t.Errorf("by %s it is mute: %v", content, got)
		}
	}
}
