//go:build goolm

package witness_test

import (
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
	"moot/e2e/homeserver"
	"moot/e2e/witness"
)

// TestWitnessTalks shows that the witness and the clients of the tests understand each other in clear, and that the
// witness refuses a device that is not cross-signed: that it is what proves the cross-signing of the bot.
func TestWitnessTalks(t *testing.T) {
	s := homeserver.StartT(t)
	bob := client.NewUnsigned(t, s, "bob")
	w := witness.New(t, s, client.Register(t, s, "will"))
	room := w.Create(witness.Room{Name: "hall", Invite: string(bob.UserID)})
	bob.Accept(id.RoomID(room))
	w.Await(room, string(bob.UserID), "join")
	asked := w.Say(room, "how are you?")
	bob.Message(id.RoomID(room), id.UserID(w.Account.UserID), "how are you?")
	said := bob.Send(id.RoomID(room), &event.MessageEventContent{
		MsgType: event.MsgText, Body: "well", RelatesTo: (&event.RelatesTo{}).SetReplyTo(id.EventID(asked)),
	})
	if got := w.Answer(room, asked); got.Body() != "well" || got.Encrypted {
		t.Errorf("the witness saw %+v", got)
	}
	bob.Edit(id.RoomID(room), said, "very well")
	if got := w.Edited(room, string(said), "very"); got.Body() != "very well" || got.Content["body"] != "well" {
		t.Errorf("the witness saw %+v", got)
	}
	if signed, devices := w.Signed(string(bob.UserID)); signed || devices != 1 {
		t.Errorf("signed: %v, %d devices", signed, devices)
	}
	sealed := w.Create(witness.Room{Encrypted: true, Direct: true, Invite: string(bob.UserID)})
	bob.Accept(id.RoomID(sealed))
	w.Await(sealed, string(bob.UserID), "join")
	w.Say(sealed, "secret")
	bob.Await("a message that it cannot read", func() bool { return bob.Unreadable(id.RoomID(sealed)) == 1 })
}

// TestWhyAPollIsNoMessage shows why a vote is a message and a poll, and not one event: the clients on this library take no poll
// for a message or a message for a poll, and their model of a poll stays as it was first asked, whatever edits say. So in one event
// nobody could read how the vote stands, and who has another client could not read it at all.
func TestWhyAPollIsNoMessage(t *testing.T) {
	s := homeserver.StartT(t)
	w := witness.New(t, s, client.Register(t, s, "will"))
	me := w.Account.UserID
	room := w.Create(witness.Room{Name: "hall"})
	start := func(question string) map[string]any {
		text := func(s string) map[string]any { return map[string]any{"org.matrix.msc1767.text": s} }
		yes := text("Yes")
		yes["id"] = "1"
		return map[string]any{
			"msgtype": "m.notice", "body": question, "org.matrix.msc1767.text": question,
			"org.matrix.msc3381.poll.start": map[string]any{
				"question": text(question), "kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1, "answers": []any{yes},
			},
		}
	}
	w.Send(room, "m.room.message", start("a message with a poll in it"))
	w.Message(room, me, "a message with a poll in it")
	if n := w.Polls(room); n != 0 {
		t.Errorf("a message with a poll in it is %d polls", n)
	}
	poll := w.Send(room, "org.matrix.msc3381.poll.start", start("Turnout: 0 of 3"))
	w.Poll(room, me, "Turnout: 0 of 3")
	edit := start("* Turnout: 1 of 3")
	edit["m.new_content"] = start("Turnout: 1 of 3")
	edit["m.relates_to"] = map[string]any{"rel_type": "m.replace", "event_id": poll}
	w.Send(room, "org.matrix.msc3381.poll.start", edit)
	w.Say(room, "behind it")
	w.Message(room, me, "behind it")
	if got := w.Poll(room, me, "Turnout: 0 of 3"); got.ID != poll {
		t.Errorf("after an edit the poll asks %q", got.Question)
	}
}
