package activity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/store"
)

func TestACallOfMoreThanTenMinutes(t *testing.T) {
	r := newRig(t)
	r.call("c", ann, bob)
	r.Later(10 * minute)
	r.expect(0, ann, bob) // not more than ten yet
	r.Later(time.Second)
	r.expect(1, ann, bob)
	r.Later(3 * time.Hour)
	r.expect(1+18, ann, bob)
	r.call("", ann)
	r.Later(3 * time.Hour)
	r.expect(19, ann, bob)
	if n := r.rows(presences); n != 1 {
		t.Errorf("%d presences are left", n)
	}
}

// TestACallOfWhichNothingIsHeardEnds: where a program dies without a word, its person is in the call until what it said last is
// over, and not for ever.
func TestWhoLeavesWithOneDeviceIsThereWithAnother(t *testing.T) {
	r := newRig(t)
	on := func(device string, call protocol.PlaceID, last time.Duration) {
		r.does(lobby, ann, protocol.VoicePresence{Call: call, Device: device, Until: r.Now.Add(last)})
	}
	there := func(want bool) {
		t.Helper()
		r.View(func(tx *store.Tx) {
			if _, in := InCall(tx, lobby, ann); in != want {
				t.Errorf("ann is in a call: %v", in)
			}
		})
	}
	r.call("c", bob)
	on("phone", "c", time.Hour)
	on("laptop", "c", 3*time.Hour)
	on("phone", "", 0)
	there(true)
	r.Later(25 * minute)
	r.expect(2, ann, bob)
	on("tablet", "", 0) // of which nothing is known
	there(true)
	on("laptop", "", 0)
	there(false)
	// A device of which nothing is heard any more keeps nobody there.
	on("phone", "c", 5*minute)
	on("laptop", "c", time.Hour)
	r.Later(6 * minute)
	on("laptop", "", 0)
	there(false)
	// Who goes over to another call with one device is there, and leaves that.
	on("phone", "c", time.Hour)
	on("laptop", "d", time.Hour)
	on("phone", "", 0)
	there(true)
	on("laptop", "", 0)
	there(false)
	// As many devices as somebody likes to make up.
	for i := range 100 {
		on(fmt.Sprint(i), "c", time.Hour)
	}
	r.View(func(tx *store.Tx) {
		if p, _ := getPresence(tx, lobby, ann); len(p.Devices) == 0 || len(p.Devices) > maxDevices {
			t.Errorf("%d devices are kept", len(p.Devices))
		}
	})
}

func TestACallOfWhichNothingIsHeardEnds(t *testing.T) {
	r := newRig(t)
	in := func(last time.Duration, users ...protocol.UserID) {
		for _, user := range users {
			r.does(lobby, user, protocol.VoicePresence{Call: "c", Until: r.Now.Add(last)})
		}
	}
	in(25*minute, ann, bob)
	r.Later(10 * time.Hour)
	r.expect(2, ann, bob)
	in(15*minute, ann, bob)
	r.Later(10 * minute)
	in(30*minute, ann, bob) // said anew
	r.Later(10 * time.Hour)
	r.expect(2+3, ann, bob)
	if in := r.does(lobby, ann, protocol.VoicePresence{Call: "c", Until: r.Now.Add(-minute)}); in.Reason == "entered the call" {
		t.Errorf("a call that is over is taken for one: %+v", in)
	}
}

func TestWhatIsNoTimeInACall(t *testing.T) {
	for name, f := range map[string]func(r *rig){
		"leaves earlier": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9*minute + 59*time.Second)
			r.call("", ann)
		},
		"alone": func(r *rig) { r.call("c", ann) },
		"with bots only": func(r *rig) {
			r.call("c", ann, robot)
			r.does(lobby, "console:other", protocol.VoicePresence{Call: "c", Bot: true})
		},
		"another call": func(r *rig) { r.call("c", ann); r.call("d", bob) },
		"another room": func(r *rig) { r.call("c", ann); r.does(garden, bob, protocol.VoicePresence{Call: "c"}) },
		"deafened": func(r *rig) {
			r.call("c", bob)
			r.does(lobby, ann, protocol.VoicePresence{Call: "c", Deafened: true})
		},
		"deafened in between": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, ann, protocol.VoicePresence{Call: "c", Deafened: true})
			r.Later(20 * minute)
			r.call("c", ann)
			r.Later(9 * minute)
			r.call("", ann)
		},
		"away": func(r *rig) {
			r.does(lobby, ann, protocol.VoicePresence{Call: "away", AFK: true})
			r.does(lobby, bob, protocol.VoicePresence{Call: "away", AFK: true})
		},
		"moved to where one is away": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, ann, protocol.VoicePresence{Call: "away", AFK: true})
		},
		"moves between calls": func(r *rig) {
			r.call("c", bob)
			r.call("d", cem)
			for range 5 {
				r.call("c", ann)
				r.Later(9 * minute)
				r.call("d", ann)
				r.Later(9 * minute)
			}
			r.call("", ann)
		},
		"only bots remain": func(r *rig) {
			r.call("c", ann, bob, robot)
			r.Later(9 * minute)
			r.call("", bob)
		},
		"the other is put out of the room": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, cem, protocol.MemberChange{User: bob, Membership: protocol.Kicked})
		},
		"is put out of the room": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, cem, protocol.MemberChange{User: ann, Membership: protocol.Banned})
		},
		"the bot is kicked": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, cem, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
		},
		"the bot is kicked and comes back": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(5 * minute)
			r.does(lobby, cem, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
			r.Later(minute)
			r.join(lobby)
			r.call("c", ann) // bob has left meanwhile
		},
		"an outage": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(5 * minute)
			r.reachable(false)
		},
		"left during an outage": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(5 * minute)
			r.reachable(false)
			r.Later(time.Hour)
			r.reachable(true)
			r.Later(9 * minute)
			r.call("", ann)
		},
		"not in the room": func(r *rig) { r.call("c", "console:ghost", bob) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, garden)
			f(r)
			r.Down(0)
			r.Later(time.Hour)
			r.expect(0, ann, "console:ghost")
			if n := r.timers(); name == "the bot is kicked" && n+r.rows(presences, byCall) > 0 {
				t.Errorf("%d timers are left, and presences", n)
			}
		})
	}
}

func TestTimeInACallBegins(t *testing.T) {
	for name, f := range map[string]func(r *rig){
		"no longer deafened": func(r *rig) {
			r.call("c", bob)
			r.does(lobby, ann, protocol.VoicePresence{Call: "c", Deafened: true})
			r.Later(9 * minute)
			r.call("c", ann)
		},
		"no longer away": func(r *rig) {
			r.call("c", bob)
			r.does(lobby, ann, protocol.VoicePresence{Call: "away", AFK: true})
			r.Later(9 * minute)
			r.call("c", ann)
		},
		"no longer alone": func(r *rig) {
			r.call("c", ann)
			r.Later(9 * minute)
			r.call("c", bob)
		},
		"no longer alone among bots": func(r *rig) {
			r.call("c", ann, robot)
			r.Later(9 * minute)
			r.call("c", bob)
		},
		"after an outage": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.reachable(false)
			r.Later(time.Hour)
			r.reachable(true)
		},
		"again with the bot": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(9 * minute)
			r.does(lobby, cem, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked})
			r.join(lobby)
			r.call("c", ann, bob)
		},
		"with who is deafened": func(r *rig) {
			r.does(lobby, bob, protocol.VoicePresence{Call: "c", Deafened: true})
			r.call("c", ann)
		},
		"others come and go": func(r *rig) {
			r.call("c", ann, bob, cem)
			r.Later(minute)
			r.call("", bob)
			r.call("c", dee)
			r.call("", cem)
			r.Later(-minute)
		},
		"said twice": func(r *rig) {
			r.call("c", ann, bob)
			r.Later(5 * minute)
			r.call("c", ann)
			r.Later(-5 * minute)
		},
		"in a call of a strange name": func(r *rig) { r.call("c\x1fd", ann, bob) },
		"a very long one":             func(r *rig) { r.call(protocol.PlaceID(strings.Repeat("x", 9000)), ann, bob) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			f(r)
			r.Later(5 * minute)
			r.Down(0)
			r.Later(4*minute + 59*time.Second)
			r.expect(0, ann)
			r.Later(2 * time.Second)
			r.expect(1, ann)
		})
	}
}

// A message in the middle of a call is a fact; then the call has to wait.
func TestACallAndMessages(t *testing.T) {
	r := newRig(t)
	r.call("c", ann, bob)
	r.Later(5 * minute)
	r.says(ann)
	r.Later(6 * minute)
	r.expect(1, ann, bob)
	r.Later(10 * minute)
	r.expect(2, ann, bob)
}

// A bot that was away when the time was up waits for what the network says.
func TestTheBotWasAway(t *testing.T) {
	inCall := func(t *testing.T) *rig {
		r := newRig(t)
		r.call("c", ann, bob)
		r.Later(5 * minute)
		return r
	}
	leaves := protocol.VoicePresence{}
	t.Run("and they left earlier", func(t *testing.T) {
		r := inCall(t)
		at := r.Now.Add(4 * minute)
		r.Down(time.Hour)
		r.Admit(r.caught(ann, at, leaves))
		r.Later(time.Hour)
		r.expect(0, ann, bob)
	})
	t.Run("and they left later", func(t *testing.T) {
		r := inCall(t)
		at := r.Now.Add(30 * minute)
		r.Down(time.Hour)
		r.Admit(r.caught(ann, at, leaves))
		r.Later(time.Hour)
		r.expect(1, ann, bob)
		if last := r.last(lobby, ann); !last.Equal(at) {
			t.Errorf("active at %s, want %s", last, at)
		}
	})
	t.Run("and nobody knows when they left", func(t *testing.T) {
		r := inCall(t)
		r.Down(time.Hour)
		r.call("", ann)
		r.Later(time.Hour)
		r.expect(0, ann, bob)
	})
	t.Run("and they are still there", func(t *testing.T) {
		r := inCall(t)
		r.Down(time.Hour)
		r.expect(0, ann, bob)
		r.Later(minute)
		r.expect(1, ann, bob)
		r.Later(10*minute + time.Second)
		r.expect(2, ann, bob)
	})
	t.Run("twice", func(t *testing.T) {
		r := inCall(t)
		r.Down(time.Hour)
		r.Down(time.Hour)
		r.expect(0, ann, bob)
		r.Later(minute)
		r.expect(1, ann, bob)
	})
	t.Run("for less than a minute", func(t *testing.T) {
		r := inCall(t)
		r.Later(4*minute + 50*time.Second)
		r.Down(30 * time.Second)
		r.expect(1, ann, bob)
	})
	t.Run("and the whole call was then", func(t *testing.T) {
		r := newRig(t)
		in, out := r.Now.Add(minute), r.Now.Add(20*minute)
		r.Down(time.Hour)
		for _, user := range []protocol.UserID{ann, bob} {
			r.Admit(r.caught(user, in, protocol.VoicePresence{Call: "c"}))
		}
		r.Later(30 * time.Second)
		r.expect(0, ann, bob)
		r.Admit(r.caught(ann, out, leaves))
		r.expect(1, ann, bob)
		r.Later(time.Hour)
		r.expect(1, ann, bob)
	})
	t.Run("and a short call was then", func(t *testing.T) {
		r := newRig(t)
		at := r.Now
		r.Down(time.Hour)
		for _, user := range []protocol.UserID{ann, bob} {
			r.Admit(r.caught(user, at.Add(minute), protocol.VoicePresence{Call: "c"}))
		}
		r.Admit(r.caught(ann, at.Add(5*minute), leaves))
		r.Later(time.Hour)
		r.expect(0, ann, bob)
	})
	t.Run("and was kicked then", func(t *testing.T) {
		r := inCall(t)
		at := r.Now.Add(minute)
		r.Down(time.Hour)
		r.Admit(r.caught(cem, at, protocol.MemberChange{User: self, Self: true, Membership: protocol.Kicked}))
		r.Later(time.Hour)
		r.expect(0, ann, bob)
	})
}

// A crowd whose timers are due at once does not lose who leaves before the loop gets to them.
func TestManyTimersDueAtOnce(t *testing.T) {
	r := newRig(t)
	var enter, leave []protocol.Event
	for i := range 200 {
		user := protocol.UserID("console:u" + strings.Repeat("x", i))
		enter = append(enter, r.Event(lobby, user, protocol.MemberChange{User: user, Membership: protocol.Joined}))
		enter = append(enter, r.Event(lobby, user, protocol.VoicePresence{Call: "c"}))
		leave = append(leave, r.Event(lobby, user, protocol.VoicePresence{}))
	}
	r.Admit(enter...)
	r.Now = r.Now.Add(10*minute + time.Second)
	r.Admit(leave...)
	if n := len(r.facts()); n != 200 {
		t.Errorf("%d facts about 200 people", n)
	}
	if n := r.rows(presences, byCall) + r.timers(); n > 0 {
		t.Errorf("%d rows and timers are left", n)
	}
}

func TestManyPresencesAreSwept(t *testing.T) {
	r := newRig(t)
	var evs []protocol.Event
	for i := range sweepSlice + 50 {
		user := protocol.UserID("console:u" + strings.Repeat("x", i%400) + strings.Repeat("y", i/400))
		evs = append(evs, r.Event(lobby, user, protocol.VoicePresence{Call: "c"}))
	}
	r.Admit(evs...)
	if n := r.rows(presences); n != len(evs) {
		t.Fatalf("%d presences", n)
	}
	r.does(lobby, cem, protocol.MemberChange{User: self, Self: true, Membership: protocol.Left})
	if n := r.rows(presences, byCall) + r.timers(); n > 0 {
		t.Errorf("%d rows and timers are left", n)
	}
}

// reachable says that the network can, or cannot, reach the lobby.
func (r *rig) reachable(yes bool) {
	r.Helper()
	r.does(lobby, "", protocol.RoomChange{Changes: []protocol.Change{protocol.Available{Reachable: yes}}})
}

// timers counts the timers of calls.
func (r *rig) timers() (n int) {
	r.View(func(tx *store.Tx) {
		for k := range tx.Range(store.SharedBucket("timer-names"), "", "") {
			if strings.Contains(k, timerCall) {
				n++
			}
		}
	})
	return n
}
