package enforce_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/challenges"
	"moot/enforce"
	"moot/internal/bot"
	"moot/internal/bot/bottest"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

const (
	lobby protocol.RoomID = "discord:lobby"
	ben   protocol.UserID = "discord:ben"
	cem   protocol.UserID = "discord:cem"
	self  protocol.UserID = "discord:moot"
)

// yard is a bot that knows of challenges and enforces them, and a network that does what it is asked as the test says.
type yard struct {
	*bottest.Rig
	t          *testing.T
	networks   []protocol.Network
	challenges *challenges.Feature
	enforce    *enforce.Feature
	next       int

	held    map[protocol.UserID]bool // by the network
	refuses protocol.Refusal
	fails   bool
	quietly bool          // whether what fails is done all the same
	silent  bool          // it does not answer
	until   time.Duration // after which the network lets go
	asked   []string
	said    []string
	orders  map[string]func(*store.Tx) error
}

func newYard(t *testing.T, networks ...protocol.Network) *yard {
	t.Helper()
	y := &yard{t: t, networks: networks, held: map[protocol.UserID]bool{}, orders: map[string]func(*store.Tx) error{}}
	y.Rig = &bottest.Rig{
		TB: t, Dir: t.TempDir(), Network: "discord", Pace: time.Millisecond, Answer: y.answer,
		Kinds: append(challenges.Kinds(), rooms.Kind), Features: y.features,
	}
	y.Open()
	t.Cleanup(y.close)
	y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	y.join(ben)
	y.join(cem)
	y.wait(time.Minute) // until the bot has looked around
	return y
}

func (y *yard) features(r *bottest.Rig) []bot.Feature {
	y.t.Helper()
	var err error
	if y.challenges, err = challenges.New(challenges.Config{
		Bus: r.Bus, Changed: func(tx *store.Tx, user protocol.UserID) { y.enforce.Changed(tx, user) },
	}); err != nil {
		y.t.Fatal(err)
	}
	if y.enforce, err = enforce.New(enforce.Config{Sanctions: y.challenges, Networks: y.networks}); err != nil {
		y.t.Fatal(err)
	}
	return []bot.Feature{obedient{y}, y.challenges, y.enforce}
}

func (y *yard) close() {
	if err := y.Bus.Verify(context.Background(), y.Dir); err != nil {
		y.t.Error(err)
	}
	y.Close()
}

// obedient is a feature that obeys a message which names an order of the test.
type obedient struct{ *yard }

func (o obedient) Handle(tx *store.Tx, ev protocol.Event) (out store.Outcome, err error) {
	if m, ok := ev.Body.(protocol.Message); ok {
		return store.Outcome{Final: true}, o.orders[m.Text](tx)
	}
	return out, nil
}

func (obedient) Told(*store.Tx, protocol.Internal) (bool, error) { return false, nil }
func (obedient) Timed(*store.Tx, protocol.Timer) (bool, error)   { return false, nil }

func (y *yard) answer(a outbox.Attempt) []bot.Input {
	if y.silent && a.Ask != nil {
		y.asked = append(y.asked, "nothing heard")
		return nil
	}
	return []bot.Input{y.attempt(a)}
}

func (y *yard) attempt(a outbox.Attempt) bot.Input {
	if a.Ask == nil {
		if say, ok := a.Out.Act.(protocol.Say); ok {
			y.said = append(y.said, say.Text.Plain())
		}
		y.next++
		return bot.Sent{Key: a.Key, Ref: protocol.Ref{Room: a.Out.Room, Event: protocol.EventID(fmt.Sprint("m", y.next))}}
	}
	ans := bot.Answered{Ask: *a.Ask, Attempt: a.Try.N}
	switch want := a.Ask.Want.(type) {
	case protocol.AskMembers:
		ans.Result = protocol.MemberList{Last: true, Members: []protocol.Member{{User: self, Self: true}, {User: ben, Name: "Ben"}, {User: cem, Name: "Cem"}}}
	case protocol.AskRestrain:
		y.asked = append(y.asked, fmt.Sprint(want.User.Local(), " ", want.On))
		switch {
		case y.fails:
			if y.quietly {
				y.held[want.User] = want.On
			}
			ans.Err = &protocol.SendError{Final: true, Err: os.ErrDeadlineExceeded}
		case y.refuses != "":
			ans.Result = protocol.Restrained{User: want.User, On: y.held[want.User], Refused: y.refuses}
		default:
			y.held[want.User] = want.On
			r := protocol.Restrained{User: want.User, On: want.On}
			if want.On && y.until > 0 {
				r.Until = y.Now.Add(y.until)
			}
			ans.Result = r
		}
	}
	return ans
}

func (y *yard) admit(body protocol.Body) {
	y.t.Helper()
	y.next++
	y.Step(bot.Admitted{Batch: &bot.Batch{Network: "discord", Events: []protocol.Event{{
		Room: lobby, ID: protocol.EventID(fmt.Sprint("e", y.next)), Sender: cem, Time: y.Now, Body: body,
	}}}})
}

func (y *yard) join(user protocol.UserID) {
	y.t.Helper()
	y.admit(protocol.MemberChange{User: user, Membership: protocol.Joined, Name: strings.ToUpper(user.Local()[:1]) + user.Local()[1:]})
}

func (y *yard) order(f func(*store.Tx) error) {
	y.t.Helper()
	name := fmt.Sprint("order ", y.next)
	y.orders[name] = f
	y.admit(protocol.Message{Text: name})
}

func (y *yard) challenge(user protocol.UserID) {
	y.t.Helper()
	y.order(func(tx *store.Tx) error { return y.challenges.Challenge(tx, y.Bus.Number(tx, user), 1, 0) })
}

func (y *yard) restore(user protocol.UserID) {
	y.t.Helper()
	y.order(func(tx *store.Tx) error { return y.challenges.Restore(tx, y.Bus.Number(tx, user), 2) })
}

func (y *yard) wait(d time.Duration) {
	y.t.Helper()
	for end := y.Now.Add(d); y.Now.Before(end); {
		y.Now = y.Now.Add(d / 200)
		y.Step()
	}
}

// expect checks what was asked of the network since the last call.
func (y *yard) expect(want ...string) {
	y.t.Helper()
	if !slices.Equal(y.asked, want) {
		y.t.Fatalf("asked %q, not %q", y.asked, want)
	}
	y.asked = nil
}

func (y *yard) crash() {
	y.t.Helper()
	y.close()
	y.Open()
}

// rows returns how many rows there are.
func (y *yard) rows() (n int) {
	y.View(func(tx *store.Tx) {
		for range tx.Range(store.ScopedBucket("enforce"), "", "") {
			n++
		}
		for range tx.Range(store.ScopedBucket("enforce-asks"), "", "") {
			n++
		}
	})
	return n
}

func TestHeldBackAndLetGo(t *testing.T) {
	y := newYard(t, "discord")
	y.challenge(ben)
	y.expect("ben true")
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Left})
	y.join(ben) // comes back, which is no way out
	y.expect("ben true")
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Joined, Profile: true, Name: "Benjamin"})
	y.join(cem)
	y.expect()
	y.restore(ben)
	y.expect("ben false")
	if y.rows() != 0 {
		t.Errorf("%d rows are left", y.rows())
	}
	y.wait(48 * time.Hour)
	y.expect()
}

func TestOffByDefault(t *testing.T) {
	y := newYard(t)
	y.challenge(ben)
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Left})
	y.join(ben)
	y.wait(48 * time.Hour)
	y.restore(ben)
	y.expect()
	if y.rows() != 0 {
		t.Errorf("%d rows are left", y.rows())
	}
}

// TestSwitchedOnAndOff: who was challenged before it was switched on is held back from then on, and whoever is held back
// when it is switched off is let go.
func TestSwitchedOnAndOff(t *testing.T) {
	y := newYard(t)
	y.challenge(ben)
	y.networks = []protocol.Network{"discord"}
	y.crash()
	y.wait(time.Minute)
	y.expect("ben true")
	y.networks = nil
	y.crash()
	y.restore(ben)
	y.expect("ben false")
}

// TestItEndsByItself: what the network ends after a while is asked for before.
func TestItEndsByItself(t *testing.T) {
	y := newYard(t, "discord")
	y.until = 8 * time.Hour
	y.challenge(ben)
	y.expect("ben true")
	y.wait(5 * time.Hour)
	y.expect()
	y.wait(2 * time.Hour)
	y.expect("ben true")
	y.wait(6*time.Hour + time.Minute)
	y.expect("ben true")
}

// TestAssertedAgain: a state is wanted, and no act. Whoever is let go by somebody else is held back again within a day, and
// soon where the bot has been away; but not each time that the connection is lost for a moment.
func TestAssertedAgain(t *testing.T) {
	for _, until := range []time.Duration{0, 27 * 24 * time.Hour} {
		y := newYard(t, "discord")
		y.until = until
		y.challenge(ben)
		y.expect("ben true")
		y.wait(23 * time.Hour)
		y.expect()
		y.wait(90 * time.Minute)
		y.expect("ben true")
		for range 3 {
			y.Step(bot.Online{Network: "discord"})
			y.Step(bot.Online{Network: "discord", Up: true})
			y.wait(time.Minute)
		}
		y.expect()
		y.wait(time.Hour)
		y.Step(bot.Online{Network: "discord"})
		y.Step(bot.Online{Network: "discord", Up: true})
		y.wait(time.Minute)
		y.expect("ben true")
		y.wait(2 * time.Hour)
		y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
		y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
		y.wait(time.Minute)
		y.expect("ben true")
	}
}

func TestRefused(t *testing.T) {
	for refusal, says := range map[protocol.Refusal]string{
		protocol.RefusedPower:     "Ben is suspended and still cannot use my features here. But I cannot hold them back in this room in any other way: I lack the permission",
		protocol.RefusedOutranked: "they rank as high in it as I do",
		protocol.RefusedMeans:     "the role that I use for that ranks as high as mine",
		protocol.RefusedSetting:   "my configuration names something for that which does not exist here",
	} {
		y := newYard(t, "discord")
		y.refuses = refusal
		y.challenge(ben)
		y.expect("ben true")
		if len(y.said) != 1 || !strings.Contains(y.said[0], says) {
			t.Fatalf("%s: said %q", refusal, y.said)
		}
		y.wait(7 * time.Hour)
		y.expect("ben true") // tried again, and not said again
		y.refuses = ""
		switch refusal {
		case protocol.RefusedPower:
			y.admit(protocol.RoomChange{Changes: []protocol.Change{protocol.PowersChanged{Moderators: []protocol.UserID{self}}}})
		case protocol.RefusedOutranked:
			y.admit(protocol.MemberChange{User: ben, Membership: protocol.Joined, Profile: true, Name: "Ben", Power: protocol.PowerMember})
		default:
			y.admit(protocol.RoomChange{Changes: []protocol.Change{protocol.OwnPowersChanged{}}})
		}
		y.wait(time.Minute)
		y.expect("ben true")
		y.refuses = refusal
		y.restore(ben)
		y.expect("ben false")
		if len(y.said) != 2 || !strings.Contains(y.said[1], "Ben is restored. But I cannot lift what holds them back") {
			t.Fatalf("%s: said %q", refusal, y.said)
		}
		y.refuses = ""
		y.wait(7 * time.Hour)
		y.expect("ben false")
		if y.rows() != 0 {
			t.Errorf("%d rows are left", y.rows())
		}
	}
}

// TestAbsent: who is not there is looked at when they come back.
func TestAbsent(t *testing.T) {
	y := newYard(t, "discord")
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Left})
	y.refuses = protocol.RefusedAbsent
	y.challenge(ben)
	y.wait(24 * time.Hour)
	y.expect("ben true")
	y.refuses = ""
	y.join(ben)
	y.expect("ben true")
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Left})
	y.refuses = protocol.RefusedAbsent
	y.restore(ben)
	y.expect("ben false")
	y.refuses = ""
	y.join(ben) // and what they left with is lifted
	y.expect("ben false")
	if y.rows() != 0 || len(y.said) > 0 {
		t.Errorf("%d rows are left, and %q was said", y.rows(), y.said)
	}
}

// TestOffForTheNetwork: an adapter that says that it is switched off is not asked again.
func TestOffForTheNetwork(t *testing.T) {
	y := newYard(t, "discord")
	y.refuses = protocol.RefusedOff
	y.challenge(ben)
	y.wait(24 * time.Hour)
	y.expect("ben true")
	if y.rows() != 0 || len(y.said) > 0 {
		t.Errorf("%d rows are left, and %q was said", y.rows(), y.said)
	}
}

// TestFaults: what fails is asked again, later each time, and what is wanted by then.
func TestFaults(t *testing.T) {
	y := newYard(t, "discord")
	y.fails = true
	y.challenge(ben)
	y.wait(10 * time.Minute)
	if n := len(y.asked); n < 3 || n > 5 {
		t.Fatalf("asked %d times: %q", n, y.asked)
	}
	y.asked = nil
	y.fails = false
	y.wait(time.Hour)
	y.expect("ben true")
	y.fails = true
	y.restore(ben)
	y.fails = false
	y.challenge(ben) // before it was let go: it still is held back
	y.wait(2 * time.Hour)
	y.expect("ben false")
	if !y.held[ben] {
		t.Error("they were let go")
	}
}

// TestAnswerIsLost: whom the network may hold back, though its answer never came, is let go when they are restored.
func TestAnswerIsLost(t *testing.T) {
	y := newYard(t, "discord")
	y.fails, y.quietly = true, true
	y.challenge(ben)
	if !y.held[ben] {
		t.Fatal("they are not held back")
	}
	y.restore(ben)
	y.fails = false
	y.wait(2 * time.Hour)
	if y.held[ben] {
		t.Error("they are restored, and held back for ever")
	}
	if y.rows() != 0 {
		t.Errorf("%d rows are left", y.rows())
	}
}

// TestOutOfTheRoom: while the bot is out of the room it asks nothing, and when it is back everything that is wanted.
func TestOutOfTheRoom(t *testing.T) {
	y := newYard(t, "discord")
	y.challenge(ben)
	y.expect("ben true")
	y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
	y.order2(func(tx *store.Tx) error { return y.challenges.Restore(tx, y.Bus.Number(tx, ben), 2) })
	y.order2(func(tx *store.Tx) error { return y.challenges.Challenge(tx, y.Bus.Number(tx, cem), 3, 0) })
	y.wait(time.Hour)
	y.expect()
	y.admit(protocol.MemberChange{User: self, Self: true, Membership: protocol.Joined})
	y.wait(time.Minute)
	y.expect("ben false", "cem true")
}

// order2 does something in the room of which the bot is out.
func (y *yard) order2(f func(*store.Tx) error) {
	y.t.Helper()
	y.Now = y.Now.Add(time.Second)
	err := y.Store.Commit(y.Now, func(c *store.Commit) error {
		return c.Run(protocol.Scope(lobby), protocol.Ref{Room: lobby, Event: "vote"}, f)
	})
	if err != nil {
		y.t.Fatal(err)
	}
	y.Step()
}

// TestManyInSlices: all in a room are looked at, however many they are.
func TestManyInSlices(t *testing.T) {
	y := newYard(t)
	for i := range 150 {
		user := protocol.UserID(fmt.Sprintf("discord:p%03d", i))
		y.order2(func(tx *store.Tx) error { return y.challenges.Challenge(tx, y.Bus.Number(tx, user), 1, 0) })
	}
	y.networks = []protocol.Network{"discord"}
	y.crash()
	y.wait(time.Minute)
	if len(y.asked) != 150 {
		t.Errorf("asked for %d", len(y.asked))
	}
}

// TestSilence: while an answer is out nothing is asked a second time.
func TestSilence(t *testing.T) {
	y := newYard(t, "discord")
	y.silent = true
	y.challenge(ben)
	y.admit(protocol.MemberChange{User: ben, Membership: protocol.Left})
	y.join(ben)
	y.wait(30 * time.Minute)
	y.expect("nothing heard")
	y.silent = false
	y.crash() // what was asked of a bot that died is asked again by the outbox
	y.wait(3 * time.Hour)
	y.expect("ben true")
}

// TestSwitchedOffMeanwhile: where the network cannot let go any more, the room is told who can.
func TestSwitchedOffMeanwhile(t *testing.T) {
	y := newYard(t, "discord")
	y.challenge(ben)
	y.refuses = protocol.RefusedOff
	y.restore(ben)
	y.expect("ben true", "ben false")
	if len(y.said) != 1 || !strings.Contains(y.said[0], "Ben is restored. But I can no longer lift what holds them back in this room") || y.rows() != 0 {
		t.Errorf("said %q, and %d rows are left", y.said, y.rows())
	}
}
