package votes_test

import (
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

// minutesTown has a lobby that mia moderates, and a hall that she moderates, too; zed moderates the lobby alone.
func minutesTown(t *testing.T) *town {
	w := newTown(t)
	w.mods[person("mia")], w.mods[person("zed")] = true, true
	w.settle(lobby, "ann", "ben", "cem", "mia", "zed")
	w.settle(hall, "eve", "mia", "zed")
	w.power(hall, "zed", protocol.PowerMember)
	for room, called := range map[protocol.RoomID]string{lobby: "Lobby", hall: "Council log"} {
		w.admit(protocol.Event{Room: room, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Renamed{Name: called}}}})
	}
	w.heard()
	return w
}

func (w *town) power(room protocol.RoomID, who string, p protocol.Power) {
	w.t.Helper()
	w.admit(protocol.Event{Room: room, Sender: person(who), Body: protocol.MemberChange{User: person(who), Membership: protocol.Joined, Profile: true, Power: p}})
}

// carries opens a motion in the lobby, of which three say why, and lets it pass.
func (w *town) carries(text string) string {
	w.t.Helper()
	w.say(lobby, "ann", "!moot vote motion "+text)
	for _, p := range []string{"ann", "ben", "cem"} {
		w.say(lobby, p, "!moot vote yes because of what "+p+" thinks")
	}
	w.wait(3 * 24 * time.Hour)
	return w.heard()
}

// TestMinutesInAnotherRoom: each outcome is said there once, in the language of that room and without what people have written for
// their own.
func TestMinutesInAnotherRoom(t *testing.T) {
	w := minutesTown(t)
	w.say(lobby, "zed", "!moot room set votes.minutes Council\u00a0log")
	w.say(lobby, "zed", `!moot room set votes.minutes "council log"`)
	w.expect("Outcomes are said in another room only while the one who has set it moderates both.")
	w.say(lobby, "mia", `!moot room set votes.minutes "council log"`)
	out := w.heard()
	for _, part := range []string{
		"@lobby: Mia has set votes.minutes from nowhere to another room: the channel, thread or room in which each outcome is said, too.",
		"@hall: Mia has set that what comes of the votes in «Lobby» is said here, too.",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing:\n%s", part, out)
		}
	}
	for _, who := range []string{"ann", "mia"} {
		w.say(lobby, who, "!moot room set")
		if out := w.heard(); !strings.Contains(out, "Each outcome is said in another room, too") || strings.Contains(out, "ouncil log") {
			t.Errorf("the settings are shown %s so:\n%s", who, out)
		}
	}
	w.say(hall, "mia", "!moot room set language de")
	out = w.carries("we sing")
	if n := strings.Count(out, "@hall: In «Lobby»: Abstimmung 1: Antrag «we sing» ist beendet."); n != 1 {
		t.Errorf("said %d times in the hall:\n%s", n, out)
	}
	for said := range strings.SplitSeq(out, "\n@") {
		if strings.HasPrefix(said, "hall: ") && (strings.Contains(said, "thinks") || strings.Contains(said, "!moot")) {
			t.Errorf("the hall is told: %s", said)
		}
	}
	w.crash(time.Second)
	if out := w.heard(); strings.Contains(out, "@hall") {
		t.Errorf("said once more after a crash:\n%s", out)
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestMinutesNeedBothRooms: outcomes are said in another room only while whoever has set that moderates both, the bot is in it, and
// nothing that is sealed here would be open there. That it is over is said once.
func TestMinutesNeedBothRooms(t *testing.T) {
	set := func(w *town) {
		w.say(lobby, "mia", "!moot room set votes.minutes console:hall")
		w.expect("from nowhere to another room")
	}
	for what, tt := range map[string]struct {
		do  func(*town)
		why string
	}{
		"not a moderator there": {func(w *town) { w.power(hall, "mia", protocol.PowerMember) }, "only while the one who has set it moderates both"},
		"not a moderator here":  {func(w *town) { w.power(lobby, "mia", protocol.PowerMember) }, "only while the one who has set it moderates both"},
		"not there any more":    {func(w *town) { w.member(hall, person("mia"), protocol.Left) }, "only while the one who has set it moderates both"},
		"the bot is out":        {func(w *town) { w.botKicked(hall) }, "I am not in that room."},
		"the room goes on": {func(w *town) {
			w.admit(protocol.Event{Room: hall, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: "console:hall2"}}}})
		}, "I am not in that room."},
		"this one is encrypted now": {func(w *town) {
			w.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.EncryptionEnabled{}}}})
		}, "This room is encrypted and that one is not"},
		"forgotten": {func(w *town) { w.forget("mia") }, "only while the one who has set it moderates both"},
	} {
		t.Run(what, func(t *testing.T) {
			w := minutesTown(t)
			set(w)
			tt.do(w)
			w.heard()
			out := w.carries("we sing")
			if strings.Contains(out, "@hall") || strings.Count(out, "@lobby: From now on I say outcomes in this room alone (votes.minutes). ") != 1 || !strings.Contains(out, tt.why) {
				t.Errorf("heard:\n%s", out)
			}
			if out = w.carries("we dance"); strings.Contains(out, "@hall") || strings.Contains(out, "From now on") {
				t.Errorf("later:\n%s", out)
			}
			if err := w.bus.Verify(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMinutesThatCannotBeWritten: the room is told so, once for each outcome, and nothing waits or has failed.
func TestMinutesThatCannotBeWritten(t *testing.T) {
	w := minutesTown(t)
	w.say(lobby, "mia", "!moot room set votes.minutes hall")
	w.heard()
	w.shut[hall] = true
	out := w.carries("we sing")
	if n := strings.Count(out, "@lobby: I could not say what came of vote 1 where the outcomes are kept (votes.minutes): it is gone, or I may not write there."); n != 1 {
		t.Errorf("said %d times:\n%s", n, out)
	}
	w.view(func(tx *store.Tx) {
		for range tx.Queue("", 0) {
			t.Error("something waits")
		}
		for s := range tx.RecentDeliveries() {
			if s.State == store.StateFailed {
				t.Errorf("failed: %+v", s)
			}
		}
	})
}

// TestNoMinutesInRoomsOfOthers: a room in which one is not is none, also where the bot is in it.
func TestNoMinutesInRoomsOfOthers(t *testing.T) {
	w := minutesTown(t)
	w.settle("console:den", "eve")
	w.heard()
	w.say(lobby, "mia", "!moot room set votes.minutes console:den")
	w.say(lobby, "mia", "!moot room set votes.minutes console:nowhere")
	lines := strings.Split(strings.TrimSpace(w.heard()), "\n")
	if len(lines) != 2 || strings.ReplaceAll(lines[0], "den", "") != strings.ReplaceAll(lines[1], "nowhere", "") || strings.Contains(lines[0], "has set") {
		t.Errorf("heard %q", lines)
	}
}
