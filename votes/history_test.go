package votes_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes"
	"moot/votes/tally"
)

// TestHistories runs random histories against the real store and loop, and holds them to a plain model of who may vote and
// who has voted what, and to the promises of the package, after each step.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		atOnce := rapid.SampledFrom([]int{0, 2}).Draw(t, "at once") // with 2 each vote opens as in a large room
		h := &history{town: newTown(t, func(w *town) { w.atOnce = atOnce }), rt: t, room: lobby, ballots: map[uint64]map[string]int{}, may: map[uint64][]string{}, marks: map[string]mark{}}
		h.settle(lobby, cast...)
		for range rapid.IntRange(10, 40).Draw(t, "steps") {
			h.act(drawDeed(t))
			h.check()
		}
		if err := h.bus.Verify(context.Background(), ""); err != nil {
			t.Fatalf("the replay differs: %v", err)
		}
	})
}

// drawDeed draws them all alike: what rapid draws by itself is mostly at the beginning of a list.
func drawDeed(t *rapid.T) string {
	names := slices.Sorted(maps.Keys(deeds))
	n := rapid.Uint64().Draw(t, "deed") * 0x9e3779b97f4a7c15
	return names[(n>>32)%uint64(len(names))]
}

var cast = []string{"ann", "ben", "cem", "dan", "eve", "fay"}

// history is a town and what a plain model knows of it.
type history struct {
	*town
	rt      *rapid.T
	room    protocol.RoomID
	out     bool // whether the bot is out of the room
	moved   bool
	ballots map[uint64]map[string]int // by vote and person
	may     map[uint64][]string
	marks   map[string]mark // by vote, person and reaction
}

type mark struct {
	vote   uint64
	who    string
	choice int
	event  protocol.EventID
	made   bool // whether it made the ballot that stands
}

func (h *history) someone() string { return rapid.SampledFrom(cast).Draw(h.rt, "who") }

func (h *history) here(who string) bool { _, ok := h.members[h.room][person(who)]; return ok }

// running returns the votes that take ballots.
func (h *history) running() (ids []uint64) {
	h.view(func(tx *store.Tx) {
		for v := range votes.OpenIn(tx, h.room) {
			if v.Status == votes.Running {
				ids = append(ids, v.ID)
			}
		}
	})
	return ids
}

var deeds = map[string]func(*history){
	"challenge": func(h *history) {
		target := h.someone()
		h.opens(h.someone(), "vote challenge "+target+" because", target)
	},
	"restore": func(h *history) {
		target := h.someone()
		h.opens(h.someone(), "vote restore "+target+" because", target)
	},
	"appeal": func(h *history) {
		who := h.someone()
		h.opens(who, "vote appeal because", who)
	},
	"motion": func(h *history) { h.opens(h.someone(), "vote motion --for 3h we sing", "") },
	"cast":   func(h *history) { h.casts() }, "cast again": func(h *history) { h.casts() }, "and again": func(h *history) { h.casts() },
	"agree": func(h *history) { h.agree() }, "agree again": func(h *history) { h.agree() },
	"withdraw": func(h *history) {
		who := h.someone()
		for _, id := range h.running() {
			if !h.out && h.here(who) {
				h.say(h.room, who, fmt.Sprintf("!moot vote withdraw %d", id))
				delete(h.ballots[id], who)
				h.unmade(id, who)
			}
		}
	},
	"react": func(h *history) { h.reacts() }, "react again": func(h *history) { h.reacts() },
	"unreact": func(h *history) {
		for _, key := range slices.Sorted(maps.Keys(h.marks)) {
			m := h.marks[key]
			if h.out || !slices.Contains(h.running(), m.vote) {
				continue
			}
			delete(h.marks, key)
			h.unreact(h.room, m.who, m.event, false)
			if m.made {
				delete(h.ballots[m.vote], m.who)
			}
			return
		}
	},
	"leave": func(h *history) {
		if who := h.someone(); h.here(who) && !h.out {
			h.member(h.room, person(who), protocol.Left)
		}
	},
	"rejoin": func(h *history) {
		if who := h.someone(); !h.here(who) && !h.out {
			h.member(h.room, person(who), protocol.Joined)
		}
	},
	"cancel": func(h *history) {
		for _, id := range h.running() {
			h.say(h.room, h.someone(), fmt.Sprintf("!moot vote cancel %d", id))
			return
		}
	},
	"override": func(h *history) {
		h.say(h.room, "olga", "!moot override "+rapid.SampledFrom([]string{"challenge", "restore"}).Draw(h.rt, "which")+" "+h.someone()+" enough")
	},
	"wait":      func(h *history) { h.wait(40 * time.Minute) },
	"wait long": func(h *history) { h.wait(13 * time.Hour) },
	"crash":     func(h *history) { h.crash(time.Duration(rapid.IntRange(0, 7200).Draw(h.rt, "away")) * time.Second) },
	"disconnect": func(h *history) {
		h.online(false)
		h.now = h.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(h.rt, "minutes")) * time.Minute)
		h.online(true)
	},
	"kick": func(h *history) {
		if !h.out {
			h.out = true
			h.botKicked(h.room)
		}
	},
	"return": func(h *history) {
		if h.out {
			h.out = false
			h.botJoins(h.room)
		}
	},
	"upgrade": func(h *history) {
		if h.moved || h.out {
			return
		}
		h.moved = true
		h.admit(protocol.Event{Room: lobby, Body: protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: hall}}}})
		h.members[hall] = map[protocol.UserID]time.Time{}
		for id := range h.members[lobby] {
			h.members[hall][id] = h.now
		}
		h.room = hall
		h.marks = map[string]mark{} // the reactions are on a message of the old room
		h.botJoins(hall)
	},
	"age": func(h *history) {
		if err := h.archive(); err != nil {
			h.rt.Fatal(err)
		}
	},
}

func (h *history) archive() error {
	for {
		_, more, err := h.bus.ArchiveStep(h.now, 0)
		if err != nil || !more {
			return err
		}
	}
}

func (h *history) act(deed string) {
	h.said = nil
	deeds[deed](h)
}

// opens lets somebody open a vote, and notes who may vote in it if it opens.
func (h *history) opens(who, command, target string) {
	if h.out || !h.here(who) {
		return
	}
	before := h.running()
	var may []string
	for _, p := range cast {
		since, in := h.members[h.room][person(p)]
		if h.room == hall && in {
			if old, was := h.members[lobby][person(p)]; was && old.Before(since) {
				since = old
			}
		}
		if in && p != target && !h.isChallenged(h.room, p) && !since.After(h.now.Add(-7*24*time.Hour)) {
			may = append(may, p)
		}
	}
	h.say(h.room, who, "!moot "+command)
	after := h.running()
	if len(after) == len(before) {
		return
	}
	id := after[len(after)-1]
	v := h.vote(h.room, id)
	if !v.Appeal && !slices.Contains(may, who) {
		h.rt.Fatalf("vote %d was opened by %s, and the model has %v", id, who, may)
	}
	h.may[id], h.ballots[id] = may, map[string]int{}
	if v.Size != len(may) {
		h.rt.Fatalf("vote %d has an electorate of %d, the model has %v", id, v.Size, may)
	}
}

// agree lets everybody vote yes, so that something comes of it.
func (h *history) agree() {
	ids := h.running()
	if len(ids) == 0 || h.out {
		return
	}
	id := rapid.SampledFrom(ids).Draw(h.rt, "vote")
	for _, who := range h.may[id] {
		if h.here(who) {
			h.ballots[id][who] = tally.Yes
			h.unmade(id, who)
			h.say(h.room, who, fmt.Sprintf("!moot vote cast %d yes", id))
		}
		if h.vote(h.room, id).Status != votes.Running {
			return
		}
	}
}

func (h *history) casts() {
	ids := h.running()
	who := h.someone()
	if len(ids) == 0 || h.out {
		return
	}
	id := rapid.SampledFrom(ids).Draw(h.rt, "vote")
	choice := rapid.IntRange(0, 2).Draw(h.rt, "choice")
	if h.here(who) && slices.Contains(h.may[id], who) {
		h.ballots[id][who] = choice
		h.unmade(id, who)
	}
	line := fmt.Sprintf("vote cast %d %s", id, []string{"yes", "no", "abstain"}[choice])
	if rapid.Bool().Draw(h.rt, "private") {
		h.tell(who, line+" --in "+string(h.room))
	} else if h.here(who) {
		h.say(h.room, who, "!moot "+line)
	}
}

// reacts lets somebody react to the vote that was shown last.
func (h *history) reacts() {
	who := h.someone()
	if h.out || !h.here(who) || h.board(h.room) == "" {
		return
	}
	var id uint64
	fmt.Sscanf(h.messages[h.board(h.room)].text, "Vote %d", &id)
	choice := rapid.IntRange(0, 2).Draw(h.rt, "choice")
	key := fmt.Sprint(id, who, choice)
	if _, twice := h.marks[key]; twice || !slices.Contains(h.running(), id) {
		return
	}
	if slices.Contains(h.may[id], who) {
		h.ballots[id][who] = choice
		h.unmade(id, who)
	}
	event := h.react(h.room, who, []string{"👍", "👎", "🤷"}[choice])
	if slices.Contains(h.may[id], who) {
		h.marks[key] = mark{id, who, choice, event, true}
	}
}

// unmade notes that no reaction made the ballot of somebody.
func (h *history) unmade(id uint64, who string) {
	for key, m := range h.marks {
		if m.vote == id && m.who == who {
			m.made = false
			h.marks[key] = m
		}
	}
}

// check holds the town to the model and to the promises.
func (h *history) check() {
	h.view(func(tx *store.Tx) {
		for v := range votes.All(tx, h.room) {
			if v.Count.Cast > v.Size {
				h.rt.Fatalf("more ballots than people: %+v", v)
			}
			if v.Status != votes.Running {
				continue
			}
			want := tally.Tally{For: make([]int, 3)}
			for _, choice := range h.ballots[v.ID] {
				want.Cast++
				want.For[choice]++
			}
			if v.Count.Cast != want.Cast || !slices.Equal(v.Count.For, want.For) {
				h.rt.Fatalf("vote %d counts %+v, the model %+v", v.ID, v.Count, want)
			}
		}
		h.causes(tx)
	})
}

// causes holds each challenge and restore to its cause.
func (h *history) causes(tx *store.Tx) {
	for _, kind := range []string{"challenge", "restore"} {
		for f, err := range h.bus.Matching(tx, events.Query{Kind: kind}) {
			if err != nil {
				h.rt.Fatal(err)
			}
			if f.Cause.Event == "" {
				h.rt.Fatalf("fact %d has no cause", f.Seq)
			}
			if f.Keys["by"] != "vote" {
				continue
			}
			passed := false
			for v, err := range h.bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{
				"vote": f.Keys["vote"], "what": "closed", "outcome": "passed", "type": kind, events.KeyScope: string(f.Scope),
			}}) {
				passed = err == nil && v.People["target"] == f.People["target"] && v.Cause == f.Cause
			}
			if !passed {
				h.rt.Fatalf("fact %d: no vote has passed for this %s", f.Seq, kind)
			}
		}
	}
}
