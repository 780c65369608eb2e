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
