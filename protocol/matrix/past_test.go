package matrix_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/matrix"
	"moot/protocol/matrix/matrixtest"
	"moot/rooms"
	"moot/store"
)

// What happened before, or while the bot was away.

func TestTheFirstSyncIsHistory(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	old := w.Server.Say(w.town, w.ann, "ping old")
	w.start()
	if d := w.disposition(w.town, old); d.Disposition != store.Ignored {
		t.Errorf("what was said before the first sync is %s (%s)", d.Disposition, d.Reason)
	}
	w.Server.Say(w.town, w.ann, "ping new")
	w.settle()
	w.expect(w.town, "pong new")
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", w.ben, w.bot}) {
		t.Errorf("the members are %q", got)
	}
	w.view(func(tx *store.Tx) {
		if m, _ := rooms.Lookup(tx, w.Room(), mx(w.ben)); m.Since.IsZero() {
			t.Errorf("it is not known since when ben is there")
		}
	})
	if info := w.info(w.town); info.Name != "Town" || info.Members != rooms.Known || info.Private {
		t.Errorf("the room is recorded as %+v", info)
	}
}

// After a kick and a new invitation servers replay the timeline as if it were new (observed with Dendrite, and in the source
// of Synapse).
func TestARejoinActsOnNothingOld(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Server.Say(w.town, w.ann, "ping 1")
	w.settle()
	w.KickBot(w.Room())
	w.settle()
	if info := w.info(w.town); info.Own != protocol.Kicked {
		t.Errorf("after a kick the bot counts as %s", info.Own)
	}
	out := w.Server.Say(w.town, w.ann, "ping out")
	carl := w.Account("carl", "Carl")
	w.Member(w.town, carl, carl, "join", nil)
	w.State(w.town, w.ann, "m.room.name", "", map[string]any{"name": "City"})
	w.enter(w.town)
	w.settle()
	w.Server.Say(w.town, carl, "ping 2")
	w.settle()
	w.expect(w.town, "pong 1", "pong 2")
	if d := w.disposition(w.town, out); d.Disposition != store.Ignored || !strings.Contains(d.Reason, "before the bot joined") {
		t.Errorf("what was said while the bot was out is %s (%s)", d.Disposition, d.Reason)
	}
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", w.ben, carl, w.bot}) {
		t.Errorf("the members are %q", got)
	}
	if info := w.info(w.town); info.Name != "City" || info.Generation != 2 {
		t.Errorf("the room is recorded as %+v", info)
	}
}

// The same while the bot is not running: kick, talk, invitation, join by hand of somebody else with the account.
func TestARejoinWhileAwayActsOnNothingOld(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.stop()
	missed := w.Server.Say(w.town, w.ann, "ping before the kick")
	w.KickBot(w.Room())
	w.Server.Say(w.town, w.ann, "ping out")
	w.enter(w.town)
	w.Server.Say(w.town, w.ann, "ping 2")
	w.start()
	w.expect(w.town, "pong 2")
	if d := w.disposition(w.town, missed); d.Disposition != store.Ignored {
		t.Errorf("what was said before the kick is %s", d.Disposition)
	}
}

func TestAKickAndANewInvitationWhileAway(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.stop()
	w.KickBot(w.Room())
	w.Member(w.town, w.ann, w.bot, "invite", nil)
	w.start()
	if info := w.info(w.town); info.Own != protocol.Invited {
		t.Errorf("the bot counts as %s", info.Own)
	}
	if len(w.members(w.town)) != 0 {
		t.Errorf("members are left: %q", w.members(w.town))
	}
}

func TestBanAndUnban(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	w.Member(w.town, w.ann, w.bot, "ban", map[string]any{"reason": "noise"})
	w.settle()
	if info := w.info(w.town); info.Own != protocol.Banned {
		t.Errorf("after a ban the bot counts as %s", info.Own)
	}
	w.Member(w.town, w.ann, w.bot, "leave", nil)
	w.settle()
	if info := w.info(w.town); info.Own != protocol.Left {
		t.Errorf("after the end of the ban the bot counts as %s", info.Own)
	}
	w.enter(w.town)
	w.Server.Say(w.town, w.ben, "ping 1")
	w.settle()
	w.expect(w.town, "pong 1")
}

func TestWhatWasMissedIsAnsweredOnceAndInOrder(t *testing.T) {
	t.Parallel()
	for _, missed := range []int{3, 120, 1300} {
		t.Run(fmt.Sprint(missed), func(t *testing.T) {
			w := newTown(t)
			w.start()
			w.Server.Say(w.town, w.ann, "ping before")
			w.settle()
			w.stop()
			want := []string{"pong before"}
			for i := range missed {
				if missed > 200 && i%20 != 0 {
					w.Server.Say(w.town, w.ben, "chat")
					continue
				}
				w.Server.Say(w.town, w.ann, fmt.Sprintf("ping %d", i))
				want = append(want, fmt.Sprintf("pong %d", i))
			}
			w.start()
			w.expect(w.town, want...)
			w.stop()
			w.start()
			w.expect(w.town, want...)
			for _, ev := range w.feature.events(w.town) {
				if m, ok := ev.Body.(protocol.Message); ok && m.Text != "ping before" && !m.Bot && !ev.Backlog {
					t.Errorf("%q was missed and is not marked so", m.Text)
				}
			}
		})
	}
}

// TestWhatWasPressedInAGap: responses to polls that a sync leaves out are fetched as messages are, and shown once and in order; those
// too that are sealed.
func TestWhatWasPressedInAGap(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"clear", "encrypted"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			room := w.town
			if in == "encrypted" {
				w.encrypt(&toy{})
				room = w.Create(w.ann, "Vault", encrypted)
			}
			others := w.config
			w.config = func(c *matrix.Config) {
				if c.Timeline = 5; others != nil {
					others(c)
				}
			}
			w.start()
			if in == "encrypted" {
				w.enter(room)
				w.settle()
			}
			w.stop()
			respond := func(i int) {
				content := map[string]any{
					"org.matrix.msc3381.poll.response": map[string]any{"answers": []string{fmt.Sprint(i)}},
					"m.relates_to":                     map[string]any{"rel_type": "m.reference", "event_id": "$poll"},
				}
				if in == "encrypted" {
					w.Send(room, w.ann, "m.room.encrypted", sealedEvent("open", "org.matrix.msc3381.poll.response", content))
					return
				}
				w.Send(room, w.ann, "org.matrix.msc3381.poll.response", content)
			}
			var want []string
			for i := range 250 {
				if i%3 > 0 && in == "clear" {
					w.Server.Say(room, w.ann, "chat")
				}
				respond(i)
				want = append(want, fmt.Sprint(i))
			}
			for range 2 { // nothing comes a second time
				w.start()
				w.stop()
			}
			var got []string
			for _, ev := range w.feature.events(room) {
				if r, is := ev.Body.(protocol.PollResponse); is {
					got = append(got, r.Answers...)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("of %d responses %d were shown: %q", len(want), len(got), got)
			}
		})
	}
}

func TestTenThousandMissedEvents(t *testing.T) {
	effort.Slow(t)
	t.Parallel()
	w := newTown(t)
	w.start()
	w.stop()
	for i := range 10_000 {
		w.Server.Say(w.town, w.ben, fmt.Sprintf("chat %d", i))
	}
	w.Server.Say(w.town, w.ann, "ping now")
	w.start()
	w.expect(w.town, "pong now")
	texts := w.feature.texts(w.town)
	if len(texts) != 10_001 {
		t.Fatalf("%d of 10001 messages came", len(texts))
	}
	for i, text := range texts[:10_000] {
		if text != fmt.Sprintf("chat %d", i) {
			t.Fatalf("message %d is %q", i, text)
		}
	}
}

// A server may tell more than what was missed; the gap ends at what was seen.
func TestAGapEndsAtWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) { c.Timeline = 5 }
	w.start()
	for i := range 500 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("old %d", i))
	}
	w.settle()
	w.stop()
	w.Overrun(true)
	for i := range 150 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("new %d", i))
	}
	before := len(w.Requests())
	w.start()
	if got := len(w.feature.texts(w.town)); got != 650 {
		t.Errorf("%d messages came", got)
	}
	asked := 0
	for _, r := range w.Requests()[before:] {
		if strings.HasSuffix(r, "/messages") {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("the server was asked for %d pages of 100 to read 145 events", asked)
	}
}

func TestAGapThatTheServerFailsToTellIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) { c.Timeline = 5 }
	w.start()
	w.stop()
	for i := range 20 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("ping %d", i))
	}
	w.Break("/messages", 2, matrixtest.Refusal(http.StatusBadGateway, "M_UNKNOWN"))
	w.start()
	w.eventually(func() bool { return len(w.answers(w.town)) == 20 })
	if got := w.answers(w.town); len(got) != 20 || got[0] != "pong 0" || got[19] != "pong 19" {
		t.Errorf("the bot has said %q", got)
	}
}

func TestAGapThatTheServerRefusesIsTold(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) { c.Timeline = 5 }
	w.start()
	w.stop()
	for i := range 20 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("ping %d", i))
		if i == 3 {
			w.Member(w.town, w.ben, w.ben, "leave", nil)
		}
	}
	w.HideMoves(true)
	w.Break("/messages", -1, matrixtest.Refusal(http.StatusForbidden, "M_FORBIDDEN"))
	w.start()
	w.expect(w.town, "pong 15", "pong 16", "pong 17", "pong 18", "pong 19")
	if got := w.members(w.town); slices.Contains(got, w.ben) || len(got) != 2 {
		t.Errorf("the members are %q", got)
	}
	gaps := 0
	for _, ev := range w.feature.events(w.town) {
		if _, ok := ev.Body.(protocol.Gap); ok {
			gaps++
		}
	}
	if gaps != 1 || w.log.count("goes on without") != 1 {
		t.Errorf("the gap was told %d times, and logged %d times", gaps, w.log.count("goes on without"))
	}
}

// A change of membership may come as state alone, and again later.
func TestAChangeOfMembershipThatComesAsStateAlone(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	carl := w.Account("carl", "Carl")
	w.Quietly(w.town, carl, carl, "join")
	w.Server.Say(w.town, w.ann, "ping 1")
	w.settle()
	if got := w.members(w.town); !slices.Contains(got, carl) {
		t.Errorf("the members are %q", got)
	}
	w.Quietly(w.town, w.ben, w.ben, "leave")
	w.Server.Say(w.town, w.ann, "ping 2")
	w.settle()
	w.expect(w.town, "pong 1", "pong 2")
	if got := w.members(w.town); slices.Contains(got, w.ben) || !slices.Contains(got, carl) {
		t.Errorf("the members are %q", got)
	}
}

func TestMembersWhoChangeInAGap(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) { c.Timeline = 5 }
	w.start()
	w.stop()
	carl := w.Account("carl", "Carl")
	w.Member(w.town, carl, carl, "join", nil)
	w.Member(w.town, w.ann, w.ben, "leave", nil)
	for i := range 20 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("chat %d", i))
	}
	w.start()
	if got := w.members(w.town); !slices.Equal(got, []string{w.ann + "*", carl, w.bot}) {
		t.Errorf("the members are %q", got)
	}
	joins := 0
	for _, ev := range w.feature.events(w.town) {
		if m, ok := ev.Body.(protocol.MemberChange); ok && m.User == mx(carl) && m.Membership == protocol.Joined && !m.Profile {
			joins++
		}
	}
	if joins != 1 {
		t.Errorf("one join was seen %d times", joins)
	}
}

// TestARenameInAGapIsNoJoin, also where the server does not say what a state has replaced; a leave and a new join are.
func TestARenameInAGapIsNoJoin(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.config = func(c *matrix.Config) { c.Timeline = 5 }
	w.start()
	w.stop()
	w.HideBefore(true)
	w.Member(w.town, w.ann, w.ann, "join", map[string]any{"displayname": "Anna"})
	w.Member(w.town, w.ben, w.ben, "leave", nil)
	w.Member(w.town, w.ben, w.ben, "join", nil)
	w.HideBefore(false)
	for i := range 20 {
		w.Server.Say(w.town, w.ann, fmt.Sprintf("chat %d", i))
	}
	w.start()
	var seen []string
	for _, ev := range w.feature.events(w.town) {
		if m, ok := ev.Body.(protocol.MemberChange); ok && !m.Self && ev.Backlog {
			seen = append(seen, fmt.Sprintf("%s %s %v", m.User.Local(), m.Membership, m.Profile))
		}
	}
	if want := []string{w.ann + " joined true", w.ben + " left false", w.ben + " joined false"}; !slices.Equal(seen, want) {
		t.Errorf("the changes are %q, not %q", seen, want)
	}
}

func TestDuplicatesAndOldEventsOutOfOrderAreHandledOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	var ids []string
	for i := range 5 {
		ids = append(ids, w.Server.Say(w.town, w.ann, fmt.Sprintf("ping %d", i)))
	}
	w.settle()
	for _, i := range []int{3, 1, 4, 0, 2, 2} {
		w.Server.Again(w.town, ids[i])
	}
	w.Server.Say(w.town, w.ann, "ping 5")
	w.settle()
	w.expect(w.town, "pong 0", "pong 1", "pong 2", "pong 3", "pong 4", "pong 5")
}

// Dendrite now and then says that the bot is in a room a moment before it shows the join (seen once in e2e). That is one
// stay: the join does not begin another, which would drop the answers that are on their way.
func TestAJoinThatIsShownLate(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.start()
	hall := w.Create(w.ann, "Hall", nil)
	old := w.Server.Say(hall, w.ann, "ping before it came")
	w.settle()
	w.EarlyJoin()
	w.enter(hall)
	w.settle()
	w.Server.Say(hall, w.ann, "ping now")
	w.settle()
	w.expect(hall, "pong now")
	if d := w.disposition(hall, old); d.Disposition != store.Ignored || !strings.Contains(d.Reason, "before the bot joined") {
		t.Errorf("what was said before the bot came is %s (%s)", d.Disposition, d.Reason)
	}
	if info := w.info(hall); info.Generation != 1 || info.Name != "Hall" {
		t.Errorf("the room is recorded as %+v", info)
	}
}
