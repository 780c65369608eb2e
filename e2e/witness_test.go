//go:build goolm

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/witness"
)

// TestWitness: somebody with a client that shares no code with the bot, and that gives keys only to devices which their
// owner has cross-signed, talks with it in an encrypted private conversation.
func TestWitness(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, "")
	w.Bot.Start()
	will := witness.New(t, server, client.Register(t, server, "will"))
	bot := string(w.BotID)
	room := will.Create(witness.Room{Direct: true, Encrypted: true, Invite: bot})
	will.Await(room, bot, "join")

	greeting := will.Message(room, bot, "Hello, I am moot.")
	looks(t, greeting)
	if signed, devices := will.Signed(bot); !signed || devices == 0 {
		t.Errorf("of the %d devices of the bot not all are signed by it", devices)
	}
	asked := will.Say(room, "ping")
	pong := will.Answer(room, asked)
	looks(t, pong)
	if pong.Body() != "pong" || pong.Sender != bot {
		t.Errorf("the answer to a ping was %q by %s", pong.Body(), pong.Sender)
	}
	// A relation stands in the clear part too, so that the server can count and find (Client-Server API, section "Encrypted
	// events and relations").
	for where, content := range map[string]map[string]any{"clear": pong.WireContent, "sealed": pong.Content} {
		if got := fmt.Sprint(dig(content, "m.relates_to", "m.in_reply_to", "event_id")); got != asked {
			t.Errorf("the %s part says that it answers %s, and it was %s", where, got, asked)
		}
	}
	if _, leaked := pong.WireContent["body"]; leaked {
		t.Errorf("there is a text in the clear part: %v", pong.WireContent)
	}

	// Words of people are shown, and are no markup.
	evil := will.Answer(room, will.Say(room, `<b>bold</b> & [link](http://x) @room`))
	looks(t, evil)
	if html := fmt.Sprint(evil.Content["formatted_body"]); strings.Contains(html, "<b>bold") {
		t.Errorf("words of people are markup: %s", html)
	}
	help := will.Answer(room, will.Say(room, "help"))
	looks(t, help)
	if html := fmt.Sprint(help.Content["formatted_body"]); !strings.Contains(html, "<code>ping</code>") && !strings.Contains(html, "<code>") {
		t.Errorf("what can be typed does not look so: %s", html)
	}

	// It reads on after a restart, with the device that it had.
	w.again()
	if got := will.Answer(room, will.Say(room, "ping")); got.Body() != "pong" || !got.Shield.None {
		t.Errorf("after a restart it answers %q, with the shield %+v", got.Body(), got.Shield)
	}
}

// looks checks what all encrypted messages of the bot have in common.
func looks(t *testing.T, s witness.Seen) {
	t.Helper()
	if !s.Encrypted || s.Failure || s.WireType != "m.room.encrypted" || s.WireContent["algorithm"] != "m.megolm.v1.aes-sha2" {
		t.Errorf("%q is not encrypted, or cannot be read: %+v", s.Body(), s)
	}
	if s.Shield == nil || !s.Shield.None {
		t.Errorf("beside %q there is a warning: %+v", s.Body(), s.Shield)
	}
	if s.Content["msgtype"] != "m.notice" {
		t.Errorf("%q is a %v; what a bot says is a notice", s.Body(), s.Content["msgtype"])
	}
	mentions, ok := s.Content["m.mentions"].(map[string]any)
	if !ok || len(mentions) > 0 {
		t.Errorf("%q mentions %v, and nobody is meant", s.Body(), s.Content["m.mentions"])
	}
	if s.Content["formatted_body"] != nil && s.Content["format"] != "org.matrix.custom.html" {
		t.Errorf("%q has the format %v", s.Body(), s.Content["format"])
	}
}

func dig(m any, path ...string) any {
	for _, p := range path {
		in, ok := m.(map[string]any)
		if !ok {
			return nil
		}
		m = in[p]
	}
	return m
}

// TestWitnessOfAnEdit: the message of a vote is edited as the tally changes, and the witness shows it with its newest text.
// Whom the vote is about is mentioned, once.
func TestWitnessOfAnEdit(t *testing.T) {
	t.Parallel()
	w := newTown(t, true, quick)
	w.Bot.Start()
	ben := w.person("ben")
	will := witness.New(t, server, client.Register(t, server, "will"))
	bot := string(w.BotID)
	room := will.Create(witness.Room{Name: "hall", Encrypted: true, Invite: bot})
	will.Await(room, bot, "join")
	for _, who := range []*client.Client{ben, w.Ann, w.person("dan")} { // three can vote, beside whom it is about
		will.Invite(room, string(who.UserID))
		who.Accept(id.RoomID(room))
		will.Await(room, string(who.UserID), "join")
	}
	w.until("a list of five members", func() (string, bool) {
		got := w.Ann.Ask(id.RoomID(room), "!moot members")
		return got, strings.Contains(got, "5 members")
	})
	will.Say(room, "!moot vote challenge "+string(ben.UserID)+" floods <b>the room</b>")
	vote := will.Message(room, bot, "from using me here? Opened by")
	if got := fmt.Sprint(dig(vote.Content, "m.mentions", "user_ids")); got != "["+string(ben.UserID)+"]" {
		t.Errorf("the message mentions %s, and it is about %s", got, ben.UserID)
	}
	if !vote.Shield.None || !vote.Encrypted {
		t.Errorf("the message of the vote is encrypted: %v, its shield: %+v", vote.Encrypted, vote.Shield)
	}
	will.React(room, vote.ID, "👍")
	edited := will.Edited(room, vote.ID, "\n1 of ")
	if !strings.Contains(edited.Body(), "1 yes") || !strings.Contains(vote.Body(), "\n0 of ") {
		t.Errorf("it was shown as\n%s\nand is shown as\n%s", vote.Body(), edited.Body())
	}
	if html := fmt.Sprint(edited.Shown["formatted_body"]); strings.Contains(html, "<b>the room") {
		t.Errorf("words of people are markup: %s", html)
	}
	if got := dig(edited.Shown, "m.mentions", "user_ids"); got != nil {
		t.Errorf("the edit mentions %v once more", got)
	}
}
