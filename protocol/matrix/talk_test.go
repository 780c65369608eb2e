package matrix_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/matrix/matrixtest"
	"moot/store"
)

func TestPrivateConversations(t *testing.T) {
	t.Parallel()
	for name, counts := range map[string]bool{"with counts of members": true, "without": false} {
		t.Run(name, func(t *testing.T) { testPrivateConversations(t, counts) })
	}
}

func testPrivateConversations(t *testing.T, counts bool) {
	w := newTown(t)
	w.HideCounts(!counts)
	w.start()
	// One that a person opens.
	ref := w.Tell(mx(w.ben), "ping 1")
	dm := ref.Room.Local()
	w.eventually(func() bool { return len(w.answers(dm)) == 1 })
	w.expect(dm, "pong 1")
	evs := w.feature.events(dm)
	if last := evs[slices.IndexFunc(evs, func(e protocol.Event) bool { return e.ID == ref.Event })]; !last.Private {
		t.Errorf("what is said there is not private")
	}
	if !w.info(dm).Private {
		t.Errorf("it is not recorded as private")
	}
	// A whisper goes there, also after a restart.
	w.Server.Say(w.town, w.ben, "whisper 1")
	w.eventually(func() bool { return len(w.answers(dm)) == 2 })
	w.stop()
	w.start()
	w.Server.Say(w.town, w.ben, "whisper 2")
	w.eventually(func() bool { return len(w.answers(dm)) == 3 })
	w.expect(dm, "pong 1", "psst 1", "psst 2")
	if rooms := w.Rooms(w.ben, "join", "invite"); len(rooms) != 2 {
		t.Errorf("ben is now in %q", rooms)
	}
	// A third person ends its being private, and the next whisper goes elsewhere.
	w.Member(dm, w.ben, w.ann, "invite", nil)
	w.Member(dm, w.ann, w.ann, "join", nil)
	w.settle()
	if w.info(dm).Private {
		t.Errorf("a room of three is recorded as private")
	}
	w.Server.Say(w.town, w.ben, "whisper 3")
	w.eventually(func() bool { return len(w.Rooms(w.ben, "join")) == 3 })
	w.settle()
	w.expect(dm, "pong 1", "psst 1", "psst 2")
	other := w.Rooms(w.ben, "join")[2]
	w.expect(other, "psst 3")
}

func TestTheBotOpensOneConversationAndFindsItAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	e := &toy{}
	w.encrypt(e)
	w.start()
	w.Server.Say(w.town, w.ben, "whisper 1")
	w.eventually(func() bool { return len(w.Rooms(w.ben, "join")) == 2 })
	dm := w.Rooms(w.ben, "join")[1]
	w.eventually(func() bool { return len(w.sealed(dm)) == 1 })
	w.stop()
	w.start()
	w.Server.Say(w.town, w.ben, "whisper 2")
	w.eventually(func() bool { return len(w.sealed(dm)) == 2 })
	if got := w.sealed(dm); !slices.Equal(got, []string{"psst 1", "psst 2"}) {
		t.Errorf("in private the bot has said %q", got)
	}
	if got := e.audience[dm]; !slices.Equal(got, []string{w.ben, w.bot}) {
		t.Errorf("what it said can be read by %q", got)
	}
	if n := w.clear(dm) + len(w.answers(w.town)); n != 0 {
		t.Errorf("%d messages in clear", n)
	}
	if !w.info(dm).Private {
		t.Errorf("the conversation is recorded as %+v", w.info(dm))
	}
	// Who has left it is not written to there.
	w.Member(dm, w.ben, w.ben, "leave", nil)
	w.Server.Say(w.town, w.ben, "whisper 3")
	w.eventually(func() bool { return len(w.Rooms(w.ben, "join")) == 2 && w.Rooms(w.ben, "join")[1] != dm })
	w.settle()
	if got := w.sealed(dm); len(got) != 2 {
		t.Errorf("in the conversation that was left the bot has said %q", got)
	}
}

// whisperPastLists has the bot open an encrypted conversation with Ben while the server tells twice, of the members there,
// what is given; and looks who can read what it says.
func (w *town) whisperPastLists(members string) (dm string) {
	w.Helper()
	e := &toy{}
	w.encrypt(e)
	w.start()
	w.settle()
	w.Break("GET /_matrix/client/v3/rooms/!room2:fake.test/members", 2, matrixtest.Fault{Status: http.StatusOK, Body: `{"chunk":[` + members + `]}`})
	w.Server.Say(w.town, w.ben, "whisper 1")
	w.eventually(func() bool { return len(w.Rooms(w.ben, "join")) == 2 })
	dm = w.Rooms(w.ben, "join")[1]
	w.eventually(func() bool { return len(w.sealed(dm)) == 1 })
	if got := e.audience[dm]; !slices.Equal(got, []string{w.ben, w.bot}) || w.Faults() != 0 {
		w.Errorf("what it said can be read by %q; %d lists were not asked for", got, w.Faults())
	}
	return dm
}

// Right after a room is made Dendrite may give an empty list of its members. Nothing is sealed for nobody, or for the bot
// alone.
func TestAListWithoutTheBotIsNone(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	dm := w.whisperPastLists("")
	w.settle()
	if got := w.members(dm); !slices.Equal(got, []string{w.ben, w.bot + "*"}) {
		t.Errorf("the members are %q", got)
	}
}

// Or a list of the bot alone, for whoever it has invited.
func TestWhoIsInvitedReadsWhatIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.whisperPastLists(fmt.Sprintf(`{"type":"m.room.member","state_key":%q,"sender":%q,"event_id":"$own","content":{"membership":"join"}}`, w.bot, w.bot))
}

// A conversation that was made in the last moment of an earlier life is found by what stands in it.
func TestAConversationMadeBeforeACrashIsFound(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.stop()
	dm := w.Create(w.bot, "", nil)
	w.Member(dm, w.bot, w.ben, "invite", map[string]any{"is_direct": true})
	w.start()
	w.Server.Say(w.town, w.ben, "whisper 1")
	w.eventually(func() bool { return len(w.answers(dm)) == 1 })
	w.expect(dm, "psst 1")
	if rooms := w.Rooms(w.bot, "join"); len(rooms) != 2 {
		t.Errorf("the bot is in %q", rooms)
	}
}

func TestAnInvitationThatIsTurnedDownTellsNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	dm := w.Create(w.ann, "", nil)
	w.Member(dm, w.ann, w.bot, "invite", map[string]any{"is_direct": true})
	w.settle()
	if info := w.info(dm); info.Own != protocol.Invited || !info.Private {
		t.Errorf("the invitation is recorded as %+v", info)
	}
	said := w.Server.Say(dm, w.ann, "ping 1")
	w.Member(dm, w.bot, w.bot, "leave", nil)
	w.settle()
	if d := w.disposition(dm, said); d.Disposition != store.Ignored {
		t.Errorf("what was said in a room that the bot was never in is %s", d.Disposition)
	}
	if info := w.info(dm); info.Own != protocol.Left {
		t.Errorf("the room is recorded as %+v", info)
	}
}

// What a server has to allow cannot be hidden from it.
func TestASealedRemovalRemovesNothing(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.encrypt(&toy{})
	vault := w.Create(w.ann, "Vault", encrypted)
	w.enter(vault)
	w.start()
	id := w.Send(vault, w.ben, "m.room.encrypted", map[string]any{
		"algorithm": "m.megolm.v1.aes-sha2", "session_id": "s", "sender_key": "k", "device_id": "D",
		"ciphertext": string(seal("m.room.redaction", map[string]any{"redacts": "$1"})),
	})
	w.settle()
	if d := w.disposition(vault, id); d.Disposition != store.Refused {
		t.Errorf("it is %s (%s)", d.Disposition, d.Reason)
	}
}

func TestARoomOfTwoWithANameIsNoPrivateConversation(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	for _, tc := range []struct {
		name    string
		private bool
	}{{"Hall", false}, {"", true}} {
		room := w.Create(w.ann, tc.name, nil)
		w.enter(room)
		w.Server.Say(room, w.ann, "hello")
		w.settle()
		evs := w.feature.events(room)
		at := slices.IndexFunc(evs, func(e protocol.Event) bool { return e.Body == protocol.Message{Text: "hello"} })
		if at < 0 || evs[at].Private != tc.private {
			t.Errorf("what was said in the room with the name %q came as %+v", tc.name, evs)
		}
	}
}

func TestALongAnswerComesInPartsInOrderAndOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Break("/send/m.room.message/", 1, matrixtest.Fault{Late: true}) // the answer to the first part is lost
	w.Server.Say(w.town, w.ann, "long")
	w.eventually(func() bool { return strings.Contains(strings.Join(w.answers(w.town), "\n"), "line 399 ") })
	parts := w.answers(w.town)
	if len(parts) < 4 {
		t.Errorf("the answer has %d parts", len(parts))
	}
	lines := strings.Split(strings.Join(parts, "\n"), "\n")
	if len(lines) != 400 {
		t.Errorf("the parts have %d lines together", len(lines))
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, fmt.Sprintf("line %d ", i)) {
			t.Fatalf("line %d is %q", i, line)
		}
	}
	for i, p := range parts {
		if len(p) > 8<<10 {
			t.Errorf("part %d has %d bytes", i, len(p))
		}
	}
}

// TestAMessageOfSeveralPartsIsOne: its address names all parts, also where it is learned from the echo, edits go part by part, and
// reactions to any part are read.
func TestAMessageOfSeveralPartsIsOne(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	text := func(letter string, n int) protocol.Text {
		return protocol.Plain(strings.Repeat(strings.Repeat(letter, 99)+"\n", n))
	}
	key := protocol.DeriveKey("long")
	ref, err := a.Send(t.Context(), protocol.Outgoing{Key: key, Room: h.Room(), Act: protocol.Say{Text: text("a", 200)}}, protocol.Attempt{N: 1})
	if err != nil || len(ref.Parts()) != 3 {
		t.Fatalf("it stands at %+v, %v", ref, err)
	}
	last := ref.Parts()[2]
	wait, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at, err := rec.Wait(wait, 0, func(ev protocol.Event) bool { return ev.ID == last })
	if err != nil {
		t.Fatal(err)
	}
	echo := rec.Events()[at]
	if got, ok := echo.Body.(protocol.Receipt); !ok || got.Key != key || got.Message != ref {
		t.Errorf("the echo is %+v, and it stands at %+v", echo.Body, ref)
	}
	h.React(h.Room(), mx(h.ann), ref.Event, "👍")
	h.React(h.Room(), mx(h.ben), last, "👎")
	set, err := a.Ask(t.Context(), protocol.Ask{Room: h.Room(), Want: protocol.AskReactions{Original: key}}, protocol.Attempt{N: 1, Original: ref})
	if got, ok := set.(protocol.ReactionSet); err != nil || !ok || got.Target != ref.Event || len(got.Reactions) != 2 {
		t.Errorf("the reactions are %+v, %v", set, err)
	}
	standing := func(text protocol.Text) (parts []string) {
		t.Helper()
		out := protocol.Outgoing{Key: protocol.DeriveKey(text.Plain()), Room: h.Room(), Act: protocol.Revise{Original: key, Text: text}}
		if _, err := a.Send(t.Context(), out, protocol.Attempt{N: 1, Original: ref}); err != nil {
			t.Fatal(err)
		}
		for _, s := range h.Read(h.Room()) {
			if ref.Has(s.ID) {
				parts = append(parts, s.Text)
			}
		}
		return parts
	}
	if got := standing(text("b", 200)); strings.Join(got, "\n")+"\n" != text("b", 200).Plain() {
		t.Errorf("edited it is %q", got)
	}
	if got := standing(text("c", 1)); !slices.Equal(got, []string{strings.Repeat("c", 99) + "\n", "…", "…"}) {
		t.Errorf("shorter it is %q", got)
	}
	if got := standing(text("d", 400)); len(got) != 3 || !strings.HasSuffix(got[2], "…") || !strings.HasPrefix(got[2], "d") {
		t.Errorf("longer it is %q", got)
	}
	rec.stop()
}

func TestThreadsRepliesAndMentionsAsTheyStand(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	root := h.Server.Say(h.town, h.ann, "a thread")
	send := func(key string, out protocol.Outgoing) map[string]any {
		t.Helper()
		out.Key, out.Room = protocol.DeriveKey(t.Name(), key), h.Room()
		ref, err := a.Send(t.Context(), out, protocol.Attempt{N: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range h.Timeline(h.town) {
			if ev.ID == string(ref.Event) {
				return ev.Content
			}
		}
		t.Fatal("it does not stand")
		return nil
	}
	text := protocol.Join(protocol.Mention(mx(h.ben), "Ben <b>"), " & ", protocol.Person(mx(h.ann), "Ann"), ": ", protocol.Strong("<script>"), "\n", protocol.Code("!moot"))
	c := send("1", protocol.Outgoing{Place: protocol.PlaceID(root), Act: protocol.Say{Text: text, ReplyTo: "$42"}})
	want := `{"body":"Ben <b> & Ann: <script>\n!moot","format":"org.matrix.custom.html","formatted_body":"<a href=\"https://matrix.to/#/@ben:fake.test\">Ben &lt;b&gt;</a> &amp; <a href=\"https://matrix.to/#/@ann:fake.test\">Ann</a>: <strong>&lt;script&gt;</strong><br><code>!moot</code>","m.mentions":{"user_ids":["@ben:fake.test"]},"m.relates_to":{"event_id":"` + root + `","is_falling_back":false,"m.in_reply_to":{"event_id":"$42"},"rel_type":"m.thread"},"msgtype":"m.text","org.moot.key":"` + string(protocol.DeriveKey(t.Name(), "1")) + `"}`
	if got := encode(c); got != want {
		t.Errorf("it stands as\n%s\nand not as\n%s", got, want)
	}
	c = send("2", protocol.Outgoing{Act: protocol.Say{Text: protocol.Plain("hello")}})
	want = `{"body":"hello","m.mentions":{},"msgtype":"m.notice","org.moot.key":"` + string(protocol.DeriveKey(t.Name(), "2")) + `"}`
	if got := encode(c); got != want {
		t.Errorf("it stands as\n%s\nand not as\n%s", got, want)
	}
	// Nobody is notified of a notice: what people are to notice is none.
	c = send("3", protocol.Outgoing{Act: protocol.Say{Text: protocol.Plain("a vote is open"), Notify: true}})
	if c["msgtype"] != "m.text" {
		t.Errorf("what people are to notice stands as %v", c["msgtype"])
	}
	rec.stop()
}

func encode(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func TestARoomThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	next := w.Create(w.ann, "New Town", map[string]map[string]any{"m.room.join_rules": {"join_rule": "public"}})
	w.State(w.town, w.ann, "m.room.tombstone", "", map[string]any{"body": "moved", "replacement_room": next})
	w.eventually(func() bool { return w.Membership(next, w.bot) == "join" })
	w.settle()
	if info := w.info(w.town); info.Successor != mxRoom(next) {
		t.Errorf("the old room is recorded as %+v", info)
	}
}

func TestWhoMayKickIsAModerator(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100, w.ben: "60", "nobody": 100}, "kick": 60})
	w.settle()
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", w.ben + "*", w.bot}) {
		t.Errorf("the members are %q", got)
	}
	w.KickBot(w.Room())
	w.enter(w.town)
	w.settle()
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", w.ben + "*", w.bot}) {
		t.Errorf("after a rejoin the members are %q", got)
	}
	// Who joins later has what is written of them.
	carl := w.Account("carl", "Carl")
	w.State(w.town, w.ann, "m.room.power_levels", "", map[string]any{"users": map[string]any{w.ann: 100, carl: 50}})
	w.Member(w.town, carl, carl, "join", nil)
	w.settle()
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", w.ben, carl + "*", w.bot}) {
		t.Errorf("with another moderator the members are %q", got)
	}
}

func TestTheBotShowsThatItIsAtWork(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	release := make(chan struct{})
	w.Break("/send/", 1, matrixtest.Fault{Hold: release})
	w.Server.Say(w.town, w.ann, "ping 1")
	ctx := w.ctx()
	if !w.Typed(w.town, w.bot, true, ctx.Done()) {
		t.Errorf("it did not")
	}
	close(release)
	w.expect(w.town, "pong 1")
	if !w.Typed(w.town, w.bot, false, ctx.Done()) {
		t.Errorf("it goes on showing it")
	}
}

func TestAnAskThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	h, a, rec := directly(t)
	private := h.Create(h.ann, "Private", nil)
	ask := func(room string, want protocol.Want) error {
		_, err := a.Ask(t.Context(), protocol.Ask{Key: protocol.DeriveKey(t.Name()), Room: mxRoom(room), Want: want}, protocol.Attempt{N: 1})
		return err
	}
	var se *protocol.SendError
	if err := ask(private, protocol.AskJoin{}); !errors.As(err, &se) || !se.Final {
		t.Errorf("joining without an invitation gave %v", err)
	}
	if err := ask(private, protocol.AskLeave{}); err != nil {
		t.Errorf("leaving a room that the bot is not in gave %v", err)
	}
	if err := ask(private, protocol.AskMembers{}); !errors.As(err, &se) || !se.Final || !errors.Is(err, protocol.ErrGone) {
		t.Errorf("asking for the members of a room that the bot is not in gave %v", err)
	}
	h.Break("/join/", 1, matrixtest.TooMany("3000"))
	if err := ask(private, protocol.AskJoin{}); !errors.As(err, &se) || se.RetryAfter.Seconds() != 3 {
		t.Errorf("joining too often gave %v", err)
	}
	rec.stop()
}

// with returns the rooms beside the town that the bot shares with a person, or has invited them to.
func (w *town) with(user string) (rooms []string) {
	for _, room := range w.Rooms(w.bot, "join") {
		if is := w.Membership(room, user); room != w.town && (is == "join" || is == "invite") {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// TestWhoTurnsAConversationDownIsLeftAlone: nobody is invited again within a week who has turned an invitation down, whatever
// they are told, and also after a restart.
func TestWhoTurnsAConversationDownIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.Accept(false)
	w.start()
	w.Server.Say(w.town, w.ann, "whisper 1")
	w.eventually(func() bool { return len(w.with(w.ann)) == 1 })
	private := w.with(w.ann)[0]
	w.expect(private, "psst 1")
	w.Server.Say(w.town, w.ann, "nudge 2") // they are still invited there
	w.expect(private, "psst 1", "psst 2")
	w.Member(private, w.ann, w.ann, "leave", nil)
	w.settle()
	w.Member(private, w.bot, w.bot, "leave", nil)
	w.settle()
	w.stop()
	w.start()
	for i := range 3 {
		w.Server.Say(w.town, w.ann, fmt.Sprint("whisper again ", i))
		w.Server.Say(w.town, w.ann, fmt.Sprint("nudge again ", i))
		w.settle()
	}
	if n := w.Count("/createRoom"); n != 1 {
		t.Errorf("%d invitations in all\n%s", n, w.log)
	}
	if n := w.Count("GET /_matrix/client/v3/rooms/" + private + "/members"); n > 2 {
		t.Errorf("of the conversation that is over it was asked %d times who is there", n)
	}
}

// TestWhoLeavesTheConversationIsAnsweredAndNotTold: a command brings the private answer, in a new conversation; what nobody
// has asked for brings no invitation within a week.
func TestWhoLeavesTheConversationIsAnsweredAndNotTold(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Server.Say(w.town, w.ann, "whisper 1")
	w.eventually(func() bool { return len(w.with(w.ann)) == 1 })
	first := w.with(w.ann)[0]
	w.expect(first, "psst 1")
	w.Member(first, w.ann, w.ann, "leave", nil)
	w.settle()
	for i := range 3 {
		w.Server.Say(w.town, w.ann, fmt.Sprint("nudge ", i))
		w.settle()
	}
	if n := w.Count("/createRoom"); n != 1 {
		t.Errorf("who has left was invited for what they did not ask for: %d rooms in all\n%s", n, w.log)
	}
	w.stop()
	w.start()
	w.Server.Say(w.town, w.ann, "whisper 2")
	w.eventually(func() bool { return len(w.with(w.ann)) == 1 })
	second := w.with(w.ann)[0]
	w.expect(second, "psst 2")
	w.Server.Say(w.town, w.ann, "nudge 3")
	w.expect(second, "psst 2", "psst 3")
}

// TestMarksOfConversationsThatAreOverAreTakenAway from the account, also those from before a restart.
func TestMarksOfConversationsThatAreOverAreTakenAway(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	marked := func(room string) bool { return strings.Contains(w.Data(w.bot, "m.direct"), room) }
	w.Server.Say(w.town, w.ann, "whisper 1")
	w.Server.Say(w.town, w.ben, "whisper 1")
	w.eventually(func() bool { return len(w.with(w.ann))+len(w.with(w.ben)) == 2 })
	with := append(w.with(w.ann), w.with(w.ben)...)
	w.eventually(func() bool { return marked(with[0]) && marked(with[1]) })
	w.Member(with[0], w.bot, w.bot, "leave", nil)
	w.eventually(func() bool { return !marked(with[0]) })
	w.stop()
	w.Member(with[1], w.bot, w.bot, "leave", nil)
	w.start()
	w.eventually(func() bool { return !marked(with[1]) })
	if marked(with[0]) || marked(with[1]) {
		t.Errorf("marked are still %s", w.Data(w.bot, "m.direct"))
	}
}

// TestWhoLeavesTheirOwnConversationIsInvitedOnce: they made it, and have turned nothing down yet.
func TestWhoLeavesTheirOwnConversationIsInvitedOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	own := w.Server.Create(w.ann, "", nil)
	w.Member(own, w.ann, w.bot, "invite", map[string]any{"is_direct": true})
	w.Member(own, w.bot, w.bot, "join", nil)
	w.start()
	w.Server.Say(own, w.ann, "ping 1")
	w.expect(own, "pong 1")
	w.Member(own, w.ann, w.ann, "leave", nil)
	w.settle()
	w.Server.Say(w.town, w.ann, "whisper 1")
	w.settle()
	if got := w.Count("/createRoom"); got != 1 {
		t.Errorf("%d conversations were opened\n%s", got, w.log)
	}
}
