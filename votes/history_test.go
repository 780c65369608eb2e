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
		h := &history{town: newTown(t, func(w *town) { w.atOnce = atOnce }), rt: t, room: lobby, ballots: map[uint64]map[string]int{}, may: map[uint64][]string{}, marks: map[string]mark{},
			reposted: map[uint64]bool{}, missed: map[uint64]map[string]miss{}, ended: map[uint64]int{}}
		h.settle(lobby, cast...)
		for range rapid.IntRange(10, 30).Draw(t, "steps") {
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
	rt    *rapid.T
	room  protocol.RoomID
	out   bool // whether the bot is out of the room
	moved bool
	// reposted are the votes whose message was deleted once
	reposted map[uint64]bool
	ballots  map[uint64]map[string]int // by vote and person
	may      map[uint64][]string
	marks    map[string]mark // by vote, person and reaction
	// missed is what the bot has not heard of reactions to a vote: by person, the choice that stands, or none.
	missed map[uint64]map[string]miss
	ended  map[uint64]int // how often a vote has ended, or was about to and went on, as far as that was looked at
}

// miss is a reaction of which the bot has not heard.
type miss struct {
	choice int
	event  protocol.EventID
}

type mark struct {
	vote   uint64
	who    string
	choice int
	event  protocol.EventID
	made   bool // whether it made the ballot that stands
	order  int
	gone   bool // it was removed by somebody else, or the bot has not heard of its end: its ballot stands
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
	"secret": func(h *history) { h.opens(h.someone(), "vote motion --secret --for 3h we whisper", "") },
	"delete": func(h *history) {
		id := h.shown()
		if h.out || id == 0 {
			return
		}
		board := h.board(h.room)
		if h.reposted[id] {
			return // it is posted once more, and not twice
		}
		h.reposted[id] = true
		h.messages[board].deleted = true
		delete(h.missed, id)
		for key, m := range h.marks {
			if m.vote == id {
				delete(h.marks, key)
			}
		}
		h.admit(protocol.Event{Room: h.room, Sender: person("dan"), Body: protocol.Deletion{Target: board}})
	},
	"miss": func(h *history) { h.misses() }, "miss again": func(h *history) { h.misses() },
	"forget": func(h *history) {
		who := h.someone()
		held := false
		h.view(func(tx *store.Tx) { held = h.bus.Held(tx, h.bus.Lookup(tx, person(who))) })
		if held {
			return // they are recognised
		}
		h.forget(who)
		if _, was := h.members[lobby][person(who)]; was && h.moved {
			h.members[lobby][person(who)] = h.now // since when they had been in the room before
		}
		for id := range h.may { // from here on they are somebody else
			h.may[id] = slices.DeleteFunc(h.may[id], func(p string) bool { return p == who })
			if choice, ok := h.ballots[id][who]; ok {
				delete(h.ballots[id], who)
				h.ballots[id][fmt.Sprint(who, " as they were ", len(h.ballots[id]))] = choice
			}
			delete(h.missed[id], who)
		}
		for key, m := range h.marks {
			if m.who == who {
				delete(h.marks, key)
			}
		}
	},
	"ban": func(h *history) {
		if who := h.someone(); h.here(who) && !h.out {
			h.member(h.room, person(who), protocol.Banned)
		}
	},
	"cast": func(h *history) { h.casts() }, "cast again": func(h *history) { h.casts() }, "and again": func(h *history) { h.casts() },
	"agree": func(h *history) { h.agree() }, "agree again": func(h *history) { h.agree() },
	"withdraw": func(h *history) {
		who := h.someone()
		for _, id := range h.running() {
			if !h.out && h.here(who) && slices.Contains(h.may[id], who) && !h.vote(h.room, id).Secret {
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
			if h.out || m.gone || !slices.Contains(h.running(), m.vote) {
				continue
			}
			delete(h.marks, key)
			h.unreact(h.room, m.who, m.event, false)
			if m.made {
				delete(h.ballots[m.vote], m.who)
				h.fallBack(m.vote, m.who)
			}
			return
		}
	},
	"remove": func(h *history) {
		for _, key := range slices.Sorted(maps.Keys(h.marks)) {
			m := h.marks[key]
			if by := h.someone(); !h.out && !m.gone && by != m.who && slices.Contains(h.running(), m.vote) {
				m.gone = true
				h.marks[key] = m
				h.removes(h.room, by, m.event)
				return
			}
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
		h.marks, h.missed = map[string]mark{}, map[uint64]map[string]miss{} // the reactions are on messages of the old room
		h.reposted = map[uint64]bool{}
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
	h.rt.Log("deed:", deed)
	deeds[deed](h)
	h.wait(time.Minute) // in which ballots by reactions that have to wait are cast
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
	if len(after) == 0 || slices.Contains(before, after[len(after)-1]) {
		return
	}
	id := after[len(after)-1] // also where it has taken the place of another, as an appeal that of a restore does
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
		h.ballots[id][who] = tally.Yes
		h.unmade(id, who)
		h.tell(who, fmt.Sprintf("vote cast %d yes --in %s", id, h.room))
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
	private := rapid.Bool().Draw(h.rt, "private") || h.vote(h.room, id).Secret
	if (h.here(who) || private) && slices.Contains(h.may[id], who) {
		h.ballots[id][who] = choice
		h.unmade(id, who)
	}
	line := fmt.Sprintf("vote cast %d %s", id, []string{"yes", "no", "abstain"}[choice])
	if private {
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
		h.next++
		h.marks[key] = mark{id, who, choice, event, true, h.next, false}
	}
}

// shown returns the vote that is shown last, if it takes ballots and reactions are some; zero if not.
func (h *history) shown() (id uint64) {
	if board := h.board(h.room); board != "" {
		fmt.Sscanf(h.messages[board].text, "Vote %d", &id)
	}
	if !slices.Contains(h.running(), id) {
		return 0
	}
	return id
}

// misses lets somebody react, or take a reaction back, and the bot not hear of it before it reads them at the end.
func (h *history) misses() {
	who, id := h.someone(), h.shown()
	if id == 0 || !slices.Contains(h.may[id], who) {
		return
	}
	if h.missed[id] == nil {
		h.missed[id] = map[string]miss{}
	}
	if _, twice := h.missed[id][who]; twice {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(h.marks)) {
		if m := h.marks[key]; m.vote == id && m.who == who {
			if !m.gone {
				m.gone = true
				h.marks[key] = m
				h.unreact(h.room, who, m.event, true)
			}
			return
		}
	}
	choice := rapid.IntRange(0, 2).Draw(h.rt, "choice")
	h.next++
	m, event := h.messages[h.board(h.room)], protocol.EventID(fmt.Sprintf("$missed%d", h.next))
	m.reactions = append(m.reactions, protocol.Reaction{User: person(who), Reaction: []string{"👍", "👎", "🤷"}[choice], Event: event})
	h.missed[id][who] = miss{choice, event}
}

// fallBack lets the last reaction of somebody that the bot knows to stand make their ballot.
func (h *history) fallBack(id uint64, who string) {
	last := ""
	for key, m := range h.marks {
		if m.vote == id && m.who == who && (last == "" || m.order > h.marks[last].order) {
			last = key
		}
	}
	if m, ok := h.marks[last]; ok {
		m.made = true
		h.marks[last], h.ballots[id][who] = m, m.choice
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
			read := h.readings(tx, v)
			switch {
			case v.Status == votes.Closed && h.ended[v.ID] < read && (v.Unread || v.Outcome == votes.Cancelled || v.Outcome == votes.Withdrawn || v.Outcome == votes.Void):
			case v.Status == votes.Closing || v.Status == votes.Moved:
				continue
			case h.ended[v.ID] < read:
				h.read(v.ID)
			case v.Status != votes.Running:
				continue
			}
			h.ended[v.ID] = read
			if v.Secret && !v.Decided() {
				if v.Count.Cast != 0 || v.Open() && v.Turnout != len(h.ballots[v.ID]) {
					h.rt.Fatalf("secret vote %d shows %+v and a turnout of %d, the model has %v", v.ID, v.Count, v.Turnout, h.ballots[v.ID])
				}
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

// readings returns how often the reactions to a vote were read: when it ended, and when it was to end early and went on.
func (h *history) readings(tx *store.Tx, v votes.Vote) (n int) {
	for _, what := range []string{"reopened", "closed"} {
		for range h.bus.Matching(tx, events.Query{Kind: votes.KindVote, Filters: map[string]string{
			"vote": v.Number(), "what": what, events.KeyScope: string(h.room),
		}}) {
			n++
		}
	}
	return n
}

// read lets the model know of the reactions what the bot learns when it reads them.
func (h *history) read(id uint64) {
	for who, m := range h.missed[id] {
		h.unmade(id, who)
		h.ballots[id][who] = m.choice
		h.marks[fmt.Sprint(id, who, m.choice)] = mark{id, who, m.choice, m.event, true, h.next, false}
	}
	delete(h.missed, id)
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
