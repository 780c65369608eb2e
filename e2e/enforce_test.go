//go:build goolm

package e2e

import (
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"moot/e2e/client"
)

// power returns the power of somebody in a room, as the server has it.
func power(c *client.Client, t *testing.T, where id.RoomID, who id.UserID) int {
	t.Helper()
	var levels event.PowerLevelsEventContent
	if err := c.StateEvent(t.Context(), where, event.StatePowerLevels, "", &levels); err != nil {
		t.Fatal(err)
	}
	return levels.GetUserLevel(who)
}

// give gives somebody power in a room.
func give(c *client.Client, t *testing.T, where id.RoomID, who id.UserID, level int) {
	t.Helper()
	var levels event.PowerLevelsEventContent
	if err := c.StateEvent(t.Context(), where, event.StatePowerLevels, "", &levels); err != nil {
		t.Fatal(err)
	}
	levels.SetUserLevel(who, level)
	if _, err := c.SendStateEvent(t.Context(), where, event.StatePowerLevels, "", &levels); err != nil {
		t.Fatal(err)
	}
}

// TestEnforced: where it is switched on, who is challenged loses the power to write, as soon as the bot has the power to
// take it, and gets back what they had when they are restored. The server itself refuses what they write meanwhile.
func TestEnforced(t *testing.T) {
	each(t, "", func(w *town) {
		w.Bot.Kill()
		w.Bot.Matrix = `enforcement = "power_level"`
		w.Bot.Configure("")
		w.Bot.Start()
		ben := w.person("ben")
		where := w.room("hall", ben)
		give(w.Ann, t, where, ben.UserID, 10)
		w.ping(ben, where)

		w.Ann.Say(where, "!moot override challenge "+string(ben.UserID)+" floods the room")
		w.Ann.Message(where, w.BotID, "I lack the permission for that")
		if got := power(w.Ann, t, where, ben.UserID); got != 10 {
			t.Errorf("Ben has the power %d", got)
		}
		w.again()
		give(w.Ann, t, where, w.BotID, 100) // which is what it takes to give power in a new room
		w.until("Ben without the power to write", func() (string, bool) {
			return w.Ann.Ask(where, "!moot ping"), power(w.Ann, t, where, ben.UserID) < 0
		})
		if _, err := ben.SendText(t.Context(), where, "can you hear me?"); err == nil && !w.Encrypted {
			t.Error("Ben can write")
		}
		w.again()
		w.Ann.Say(where, "!moot override restore "+string(ben.UserID)+" has stopped")
		w.until("Ben with the power that he had", func() (string, bool) {
			return w.Ann.Ask(where, "!moot ping"), power(w.Ann, t, where, ben.UserID) == 10
		})
		w.ping(ben, where)
		if n := w.Ann.Count(where, w.BotID, "I lack the permission"); n != 1 {
			t.Errorf("it was said %d times that the permission is missing", n)
		}
		w.well()
	})
}
