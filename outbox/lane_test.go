package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestAnAskOfNobodyIsRefused(t *testing.T) {
	r := newRig(t)
	for _, a := range []protocol.Ask{{Want: protocol.AskMembers{}}, {Want: protocol.AskReactions{Target: "e"}}} {
		r.commit(func(c *store.Commit) {
			err := c.Run(protocol.Scope(lobby), protocol.Ref{}, func(tx *store.Tx) error {
				_, err := Ask(tx, a)
				return err
			})
			if err == nil {
				t.Errorf("%+v was enqueued and would wait for ever", a)
			}
		})
	}
}

func TestAnEntryExpiresAlsoWhileTheNetworkWantsToBeLeftAlone(t *testing.T) {
	r := newRig(t)
	key := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskMembers{}, Expires: r.now.Add(time.Minute)})
	r.only()
	r.done(key, &protocol.SendError{RetryAfter: time.Hour, Err: errors.New("slow down")})
	if wake := r.d.Wake(); wake.After(r.now.Add(time.Minute)) {
		t.Errorf("wakes only at %v", wake)
	}
	r.now = r.now.Add(time.Minute)
	if _, answers := r.next(); len(answers) != 1 {
		t.Errorf("answers %+v", answers)
	}
	r.expect(key, store.StateExpired)
}

func TestSlowAsksHoldUpNoMessages(t *testing.T) {
	r := newRig(t)
	for i := range 2 * inFlight {
		r.ask(protocol.Ask{Room: protocol.RoomID(fmt.Sprintf("console:%d", i)), Want: protocol.AskMembers{}})
	}
	attempts, _ := r.next()
	if len(attempts) != inFlight {
		t.Fatalf("%d asks at once", len(attempts))
	}
	r.send(say(lobby, "hi"))
	if a := r.only(); a.Out == nil || a.Network != protocol.Console {
		t.Errorf("%+v", a)
	}
}

func TestANetworkMaySayHowManyAsksItTakes(t *testing.T) {
	for _, most := range []int{1, 2 * inFlight} {
		r := newRig(t)
		r.d.AtOnce(protocol.Console, most)
		for i := range 3 * inFlight {
			room := protocol.RoomID(fmt.Sprintf("console:%d", i))
			r.ask(protocol.Ask{Room: room, Want: protocol.AskMembers{}})
			r.send(say(room, "hi"))
		}
		var asks, messages int
		attempts, _ := r.next()
		for _, a := range attempts {
			if a.Ask != nil {
				asks++
			} else {
				messages++
			}
		}
		if asks != most || messages != inFlight {
			t.Errorf("with %d at once there are %d asks and %d messages", most, asks, messages)
		}
	}
}

func TestAnAskAboutAMessageWaitsUntilThatIsSent(t *testing.T) {
	r := newRig(t)
	m := r.send(say(lobby, "vote"))[0]
	ask := r.ask(protocol.Ask{Room: lobby, Want: protocol.AskReactions{Original: m}})
	if a := r.only(); a.Key != m {
		t.Fatalf("%+v", a)
	}
	r.expect(ask, store.StateQueued)
	r.none()
	r.done(m, nil) // which lets it go on at once
	if a := r.only(); a.Key != ask || a.Try.Original.Event == "" {
		t.Errorf("%+v", a)
	}
}

func TestWhatEndsWithoutAnAttemptEndsInSlices(t *testing.T) {
	r := newRig(t)
	var outs []protocol.Outgoing
	for range 2*endTurn + 1 {
		outs = append(outs, say(lobby, "x"))
	}
	r.send(outs...)
	r.now = r.now.Add(time.Hour)
	fresh := r.send(say(lobby, "fresh"))[0]
	left := func() (n int) {
		_ = r.store.View(func(tx *store.Tx) error {
			for range tx.Queue("", 0) {
				n++
			}
			return nil
		})
		return n
	}
	r.none()
	if n := left(); n != endTurn+2 {
		t.Errorf("after one commit %d entries are left", n)
	}
	if r.d.Wake().After(r.now) {
		t.Error("nothing is due although work is left")
	}
	r.none()
	if a := r.only(); a.Key != fresh {
		t.Errorf("%+v", a)
	}
}

// in is a message to a channel of the room.
func in(place protocol.PlaceID, text string) protocol.Outgoing {
	o := say(lobby, text)
	o.Place = place
	return o
}

// TestALimitHoldsUpItsPlaceAndNothingElse: one channel is limited for 40 seconds. Other channels of the room, people, the
// answers of interactions in that very channel and edits go on at once.
func TestALimitHoldsUpItsPlaceAndNothingElse(t *testing.T) {
	r := newRig(t)
	board := r.send(in("slow", "vote"))[0]
	r.only()
	r.done(board, nil)
	limited := r.send(in("slow", "hi"))[0]
	r.only()
	r.done(limited, &protocol.SendError{RetryAfter: 40 * time.Second, Err: errors.New("slow down")})
	behind := r.send(in("slow", "behind it"))[0]
	native := in("slow", "pong")
	native.Handle = "token"
	goesOn := r.send(in("other", "hi"), say(lobby, "hi"), native,
		protocol.Outgoing{Act: protocol.Whisper{User: "console:ann", Text: protocol.Plain("psst")}},
		protocol.Outgoing{Room: lobby, Place: "slow", Act: protocol.Revise{Original: board, Text: protocol.Plain("1 yes")}})
	attempts, _ := r.next()
	tried := map[protocol.Key]bool{}
	for _, a := range attempts {
		tried[a.Key] = true
		r.done(a.Key, nil)
	}
	for i, key := range goesOn {
		if !tried[key] {
			t.Errorf("outgoing %d waits for a limit that is not its own", i)
		}
	}
	if len(attempts) != len(goesOn) || tried[behind] {
		t.Errorf("%d attempts, and behind the limited one: %t", len(attempts), tried[behind])
	}
	r.now = r.now.Add(40 * time.Second)
	if a := r.only(); a.Key != limited {
		t.Errorf("after the limit: %+v", a)
	}
	r.done(limited, nil)
	if a := r.only(); a.Key != behind {
		t.Errorf("then: %+v", a)
	}
}

// TestALimitOfTheAccountIsFoundOutOnce: nothing else is tried until it is over, but for the answers of interactions, and another
// network does not notice.
func TestALimitOfTheAccountIsFoundOutOnce(t *testing.T) {
	r := newRig(t)
	r.d.SetOnline("matrix", true)
	first := r.send(say(lobby, "1"))[0]
	r.only()
	r.done(first, &protocol.SendError{RetryAfter: 40 * time.Second, Limits: protocol.LimitAccount, Err: errors.New("slow down")})
	native := in("channel", "pong")
	native.Handle = "token"
	keys := r.send(say("console:garden", "2"), in("channel", "3"), native, say("matrix:!a:b", "4"))
	r.ask(protocol.Ask{Room: lobby, Want: protocol.AskMembers{}})
	attempts, _ := r.next()
	if len(attempts) != 2 || attempts[0].Key != keys[2] || attempts[1].Key != keys[3] {
		t.Errorf("tried while the account is limited: %+v", attempts)
	}
	if wake := r.d.Wake(); wake.Sub(r.now) < 39*time.Second {
		t.Errorf("looks again after %v", wake.Sub(r.now))
	}
	r.now = r.now.Add(40 * time.Second)
	if attempts, _ := r.next(); len(attempts) != 4 || attempts[0].Key == "" {
		t.Errorf("after the limit: %+v", attempts)
	}
}

func TestAnEditGoesOutAsSoonAsItsMessageStands(t *testing.T) {
	r := newRig(t)
	m := r.send(in("channel", "vote"))[0]
	edit := r.send(protocol.Outgoing{Room: lobby, Place: "channel", Act: protocol.Revise{Original: m, Text: protocol.Plain("1 yes")}})[0]
	r.only()
	r.none()
	if wake := r.d.Wake(); !wake.After(r.now.Add(time.Minute)) {
		t.Errorf("it is looked at again after %v", wake.Sub(r.now))
	}
	r.done(m, nil)
	if a := r.only(); a.Key != edit {
		t.Errorf("%+v", a)
	}
	r.done(edit, nil)
	// An edit that expires meanwhile does so.
	m = r.send(in("channel", "another"))[0]
	edit = r.send(protocol.Outgoing{Room: lobby, Act: protocol.Revise{Original: m, Text: protocol.Plain("1 yes")}, Expires: r.now.Add(time.Minute)})[0]
	r.only()
	r.now = r.now.Add(2 * time.Minute)
	r.none()
	r.expect(edit, store.StateExpired)
	r.done(m, nil)
	if len(r.d.waiting) != 0 || len(r.d.lanes) != 0 {
		t.Errorf("%d messages are waited for, and %d lanes are left", len(r.d.waiting), len(r.d.lanes))
	}
}

func TestLeavingARoomEndsAllItsLanes(t *testing.T) {
	r := newRig(t)
	native := in("b", "pong")
	native.Handle = "token"
	m := r.send(in("a", "1"))[0]
	keys := append(r.send(in("b", "2"), native, protocol.Outgoing{Room: lobby, Act: protocol.Revise{Original: m, Text: protocol.Plain("x")}}), m)
	other := r.send(say("console:lobby-2", "3"))[0]
	r.commit(func(c *store.Commit) { r.d.LeaveRoom(c, lobby, protocol.Ref{}) })
	for _, k := range keys {
		r.expect(k, store.StateEnded)
	}
	if a := r.only(); a.Key != other {
		t.Errorf("%+v", a)
	}
}

// TestManyLanesCostNothing: a limit of the account and ten thousand lanes that wait for it make no commit longer.
func TestManyLanesCostNothing(t *testing.T) {
	r := newRig(t)
	var outs []protocol.Outgoing
	for i := range 10_000 {
		outs = append(outs, in(protocol.PlaceID(fmt.Sprint(i)), "x"))
	}
	r.send(outs...)
	attempts, _ := r.next()
	r.done(attempts[0].Key, &protocol.SendError{RetryAfter: time.Hour, Limits: protocol.LimitAccount, Err: errors.New("slow down")})
	for _, a := range attempts[1:] {
		r.done(a.Key, nil)
	}
	began := time.Now()
	for range 1000 {
		_ = r.store.View(func(tx *store.Tx) error { r.d.Wake(); r.d.Busy(r.now); r.d.Backlog(); return nil })
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("a thousand looks at %d lanes took %s", r.d.Waiting(), took)
	}
}

// TestWhatSomebodyWaitsForIsAskedFirst: the members of a room in which somebody has just spoken do not wait for those of a
// thousand others.
func TestWhatSomebodyWaitsForIsAskedFirst(t *testing.T) {
	r := newRig(t)
	var last protocol.RoomID
	for i := range 10 * inFlight {
		last = protocol.RoomID(fmt.Sprintf("console:%d", i))
		r.ask(protocol.Ask{Room: last, Want: protocol.AskMembers{}})
	}
	if attempts, _ := r.next(); len(attempts) != inFlight {
		t.Fatalf("%d asks at once", len(attempts))
	}
	r.none()
	r.d.Hurry(last, r.now)
	r.d.Hurry("console:nobody", r.now)
	if a := r.only(); a.Ask == nil || a.Ask.Room != last {
		t.Errorf("%+v", a)
	}
	r.none()
}

// TestWhatHasNoPlaceGoesToTheNext: a channel that is gone, and a default that is closed to the bot, leave people; who is told
// what is part of the commit in which the failure is noted.
func TestWhatHasNoPlaceGoesToTheNext(t *testing.T) {
	r := newRig(t)
	text := protocol.Plain("accepted")
	o := in("gone", "accepted")
	o.Expires = Never
	o.Else = []protocol.Outgoing{{Room: lobby, Act: protocol.Say{Text: text}, Else: []protocol.Outgoing{
		{Act: protocol.Whisper{User: "console:ann", Text: text}}, {Act: protocol.Whisper{User: "console:ben", Text: text}},
	}}}
	key := r.send(o)[0]
	r.only()
	r.done(key, &protocol.SendError{Final: true, Err: protocol.ErrGone})
	r.expect(key, store.StateReplaced)
	r.crash()
	second := r.only()
	if second.Out.Place != "" || second.Out.Room != lobby || second.Out.Expires != (time.Time{}) {
		t.Errorf("then %+v", second.Out)
	}
	r.done(second.Key, &protocol.SendError{Final: true, Err: errors.New("the bot may not write there")})
	r.expect(second.Key, store.StateReplaced)
	r.crash()
	attempts, _ := r.next()
	told := map[protocol.UserID]bool{}
	for _, a := range attempts {
		told[a.Out.Act.(protocol.Whisper).User] = true
		r.done(a.Key, nil)
	}
	if len(attempts) != 2 || !told["console:ann"] || !told["console:ben"] {
		t.Errorf("at last %+v", attempts)
	}
	// What was sent, or may have been, is told nobody else.
	for _, err := range []error{nil, &protocol.SendError{Ambiguous: true, Err: errors.New("cut off")}} {
		key := r.send(o)[0]
		r.only()
		r.done(key, err)
		r.none()
	}
}
