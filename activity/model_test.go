package activity

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// model is an oracle: it knows what happened and works out from that alone which facts there have to be. It shares no
// code with the package but the constants.
type model struct {
	facts  []made
	voices map[protocol.RoomID]map[protocol.UserID]protocol.VoicePresence
	since  map[place]time.Time // from when on somebody's time counts
	due    map[place]time.Time // when it is to be over
	out    map[protocol.RoomID]bool
	live   map[protocol.RoomID][]time.Time
}

type place struct {
	room protocol.RoomID
	user protocol.UserID
}

// made is a fact, and when it was made.
type made struct {
	fact
	when time.Time
}

// act makes a fact if none is too near.
func (m *model) act(room protocol.RoomID, user protocol.UserID, at, when time.Time, by string) {
	for _, f := range m.facts {
		if f.room == room && f.user == user && f.at.Sub(at).Abs() < DefaultInterval {
			return
		}
	}
	m.facts = append(m.facts, made{fact{room, user, at, by}, when})
}

// review works out anew whose time counts. Who changed what they do begins anew if they moved.
func (m *model) review(room protocol.RoomID, at time.Time, moved protocol.UserID) {
	people := map[protocol.PlaceID]int{}
	for user, v := range m.voices[room] {
		if user != robot {
			people[v.Call]++
		}
	}
	for _, user := range everybody {
		p := place{room, user}
		v, in := m.voices[room][user]
		_, counted := m.since[p]
		switch counts := in && !v.Deafened && !v.AFK && people[v.Call] > 1; {
		case !counts:
			delete(m.since, p)
			delete(m.due, p)
		case !counted || user == moved:
			m.begin(p, at)
		}
	}
}

func (m *model) begin(p place, at time.Time) {
	m.since[p], m.due[p] = at, at.Add(DefaultCall+1)
}

// pass lets the time go by until end, in which the bot is there.
func (m *model) pass(end time.Time) {
	for {
		var next place
		for p, due := range m.due {
			if !m.out[p.room] && !due.After(end) && (next.user == "" || due.Before(m.due[next])) {
				next = p
			}
		}
		if next.user == "" {
			return
		}
		at := m.due[next]
		m.begin(next, at)
		m.act(next.room, next.user, at, at, byVoice)
	}
}

// back is that the bot is there again.
func (m *model) back(now time.Time) {
	for p, due := range m.due {
		switch {
		case m.out[p.room] || due.After(now):
		case now.Sub(due) > grace:
			m.due[p] = now.Add(grace)
		default:
			m.begin(p, now)
			m.act(p.room, p.user, now, now, byVoice)
		}
	}
}

// believed reports whether a time can be true, of something that is caught up.
func (m *model) believed(r *rig, room protocol.RoomID, user protocol.UserID, at, now time.Time) bool {
	var heard, quiet, resumed time.Time
	for _, l := range m.live[room] {
		if l.Sub(heard) < time.Minute {
			continue
		}
		if l.Sub(heard) >= 10*minute && l.Sub(resumed) > time.Hour {
			quiet, resumed = heard, l
		}
		heard = l
	}
	if now.Sub(resumed) <= time.Hour {
		heard = quiet
	}
	info := r.info(room)
	since := info.JoinedAt
	r.View(func(tx *store.Tx) {
		if m, ok := rooms.Lookup(tx, room, user); ok && m.Since.After(since) {
			since = m.Since
		}
	})
	return !at.After(now) && !at.Before(heard) && !at.Before(since)
}

// days counts on which days somebody was active, and when last.
func (m *model) days(room protocol.RoomID, user protocol.UserID, now time.Time) (n int, last time.Time) {
	first := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -9)
	days := map[string]bool{}
	for _, f := range m.facts {
		if f.room != room || f.user != user {
			continue
		}
		if last.Before(f.at) {
			last = f.at
		}
		if !f.at.Before(first) {
			days[f.at.Format(time.DateOnly)] = true
		}
	}
	return len(days), last
}

// TestRandomHistories lets a room live, with a bot that is put out, restarted and absent, and compares with the model
// after every step.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "moot-activity-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		r := rigIn(t, dir, Config{})
		defer r.Close()
		m := &model{
			voices: map[protocol.RoomID]map[protocol.UserID]protocol.VoicePresence{lobby: {}, garden: {}},
			since:  map[place]time.Time{}, due: map[place]time.Time{},
			out: map[protocol.RoomID]bool{}, live: map[protocol.RoomID][]time.Time{},
		}
		r.join(lobby)
		r.join(garden)
		steps := rapid.IntRange(5, 20).Draw(t, "steps")
		for range steps {
			m.random(t, r)
			m.check(r)
		}
		if err := r.Bus.Verify(t.Context(), dir); err != nil {
			t.Error(err)
		}
	})
}

// random lets one thing happen.
func (m *model) random(t *rapid.T, r *rig) {
	const unit = 37 * time.Second
	room := rapid.SampledFrom([]protocol.RoomID{lobby, lobby, garden}).Draw(t, "room")
	user := rapid.SampledFrom(everybody[:3]).Draw(t, "user")
	joined := r.info(room).Joined()
	live := func(by protocol.UserID, body protocol.Body) time.Time {
		return r.does(room, by, body).Time
	}
	what := rapid.SampledFrom([]string{
		"pass", "pass", "pass", "pass long", "away", "restart", "voice", "voice", "voice", "voice", "voice", "hang up",
		"robot", "message", "message", "caught", "caught", "leave", "kick", "outage", "archive",
	}).Draw(t, "what")
	switch what {
	case "pass", "pass long":
		d := unit * time.Duration(rapid.IntRange(1, 30).Draw(t, "units"))
		if what == "pass long" {
			d = unit * time.Duration(rapid.IntRange(500, 12_000).Draw(t, "units"))
			for _, room := range []protocol.RoomID{lobby, garden} {
				clear(m.voices[room])
				if !r.info(room).Joined() {
					continue
				}
				for _, user := range append(everybody, robot) {
					at := r.does(room, user, protocol.VoicePresence{}).Time
					m.review(room, at, "")
					if user != robot {
						m.live[room] = append(m.live[room], at)
					}
				}
			}
		}
		m.pass(r.Now.Add(d))
		if what == "pass long" { // nothing is due but sweeps
			r.Now = r.Now.Add(d)
			d = 0
		}
		r.Later(d)
	case "away", "restart":
		d := unit * time.Duration(rapid.IntRange(1, 30).Draw(t, "units"))
		if what == "restart" {
			d = 0
		}
		r.Down(d)
		m.back(r.Now)
	case "voice", "hang up", "robot":
		v := protocol.VoicePresence{
			Call:     rapid.SampledFrom([]protocol.PlaceID{"c", "c", "d"}).Draw(t, "call"),
			Deafened: rapid.IntRange(0, 3).Draw(t, "deaf") == 0,
			AFK:      rapid.IntRange(0, 5).Draw(t, "afk") == 0,
		}
		if what == "robot" {
			user = robot
		}
		if what == "hang up" {
			v = protocol.VoicePresence{}
		}
		at := live(user, v)
		if !joined {
			return
		}
		if user != robot {
			m.live[room] = append(m.live[room], at)
		}
		moved := protocol.UserID("")
		if m.voices[room][user].Call != v.Call {
			moved = user
		}
		delete(m.voices[room], user)
		if v.Call != "" {
			m.voices[room][user] = v
		}
		m.review(room, at, moved)
	case "message":
		at := live(user, protocol.Message{Text: "hi"})
		if joined {
			m.live[room] = append(m.live[room], at)
			m.act(room, user, at, at, byMessage)
		}
	case "caught":
		ev := r.caught(user, r.Now.Add(-unit*time.Duration(rapid.IntRange(-10, 25_000).Draw(t, "ago"))), protocol.Message{})
		ev.Room = room
		now := r.Admit(ev).Time
		at := ev.Time
		switch {
		case !joined || at.Before(now.Truncate(24*time.Hour).AddDate(0, 0, -9)):
			return
		case !m.believed(r, room, user, at, now):
			at = now
		}
		m.act(room, user, at, now, byMessage)
	case "leave":
		if !joined {
			return
		}
		at := live(user, protocol.MemberChange{User: user, Membership: protocol.Left})
		delete(m.voices[room], user)
		m.review(room, at, "")
		live(user, protocol.MemberChange{User: user, Membership: protocol.Joined})
	case "kick":
		if joined {
			at := live(dee, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
			clear(m.voices[room])
			m.review(room, at, "")
		} else {
			r.join(room)
		}
		m.out[room] = false
	case "outage":
		m.out[room] = !m.out[room]
		at := live("", protocol.RoomChange{Changes: []protocol.Change{protocol.Available{Reachable: !m.out[room]}}})
		if !m.out[room] {
			for p := range m.since {
				if p.room == room {
					m.begin(p, at)
				}
			}
		}
	case "archive":
		r.archive()
		m.facts = slices.DeleteFunc(m.facts, func(f made) bool { return f.when.Before(r.Now.Add(-10 * dayLength)) })
	}
}

// check compares.
func (m *model) check(r *rig) {
	r.Helper()
	want, got := map[string]int{}, map[string]int{}
	for _, f := range m.facts {
		want[f.String()]++
	}
	facts := r.facts()
	for i, f := range facts {
		got[f.String()]++
		for _, g := range facts[:i] {
			if f.room == g.room && f.user == g.user && f.at.Sub(g.at).Abs() < DefaultInterval {
				r.Fatalf("two facts are too near: %v and %v", f, g)
			}
		}
	}
	if a, b := fmt.Sprint(want), fmt.Sprint(got); a != b {
		r.Fatalf("facts are\n%s\nwant\n%s", b, a)
	}
	if n := r.rows(moments); n != len(facts) {
		r.Fatalf("%d rows of %d facts", n, len(facts))
	}
	for _, room := range []protocol.RoomID{lobby, garden} {
		for _, user := range everybody {
			var now time.Time
			r.View(func(tx *store.Tx) { now = tx.Now() })
			days, last := m.days(room, user, now)
			if n, l := r.days(room, user), r.last(room, user); n != days || !l.Equal(last) {
				r.Fatalf("%s in %s: %d days, last %s; want %d, %s", user, room, n, l, days, last)
			}
		}
	}
	// What stands of calls is what the model knows, and a timer for each whose time counts.
	in := 0
	for _, voices := range m.voices {
		for user := range voices {
			if user != robot {
				in++
			}
		}
	}
	if n := r.rows(presences); n != in {
		r.Fatalf("%d presences, want %d", n, in)
	}
	if n := r.rows(byCall); n != in {
		r.Fatalf("%d presences by call, want %d", n, in)
	}
	if n := r.timers(); n != len(m.since) {
		r.Fatalf("%d timers, want %d", n, len(m.since))
	}
}
