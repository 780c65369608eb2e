package votes_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// TestReferee plays histories in which mal, who is a moderator, and accounts that came on the first day do what they can to
// steer votes: they flood, remove the reactions of others, kick, cancel, set rules, take the names of others, and have
// themselves forgotten. A referee who shares no code with the bot notes what people did, and decides each vote by hand.
func TestReferee(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &referee{
			town: newTown(t), rt: t, votes: map[uint64]*tallied{}, member: week, protected: map[string]time.Time{},
			rests: map[string]time.Time{}, appealed: map[string]time.Time{}, challenged: map[string]bool{},
			until: map[string]time.Time{},
		}
		r.mods[person("mal")] = true
		r.settle(lobby, append(slices.Clone(honest), "mal", "olga")...)
		for _, sock := range puppets[:3] {
			r.member1(sock, protocol.Joined)
		}
		r.later()
		for range rapid.IntRange(15, 40).Draw(t, "steps") {
			deed := r.draw(slices.Sorted(maps.Keys(moves)))
			t.Log("deed:", deed, "at", r.now.Format("02 15:04"))
			moves[deed](r)
			r.heard()
			r.judge()
		}
		r.wait(4 * 24 * time.Hour)
		r.judge()
		r.slow()
		if err := r.bus.Verify(context.Background(), ""); err != nil {
			t.Fatalf("the replay differs: %v", err)
		}
	})
}

const week = 7 * 24 * time.Hour

var (
	honest  = []string{"ann", "ben", "cem", "dan", "eve", "fay"}
	puppets = []string{"sam", "sid", "sue", "sol", "sky"}
)

// referee is what somebody knows who watches a room.
type referee struct {
	*town
	rt     *rapid.T
	votes  map[uint64]*tallied
	member time.Duration // for how long one has to be a member
	// Until when something may not be asked again.
	protected, rests, appealed map[string]time.Time
	second                     time.Time // until when a challenge takes half of all
	challenged                 map[string]bool
	until                      map[string]time.Time // until when somebody is
	leaving                    events.Number        // of mal, who is forgotten as soon as nothing holds them
}

// tallied is a vote as the referee keeps it.
type tallied struct {
	kind           string
	opener, target string
	may            []string
	ballots        map[string]int
	marks          map[string][]int // the reactions of each that they have not taken back, the last one last
	events         map[string]protocol.EventID
	byReaction     map[string]bool // whether a reaction made their ballot
	ever           map[string]bool // who has ever cast one
	quorum, least  int
	opened, closes time.Time
	early          time.Duration
	value          time.Duration // to which a rule goes
	half           int
	done           bool
	cancel         []string // who has said that it is to be cancelled while they could
}

func (r *referee) draw(from []string) string {
	n := rapid.Uint64().Draw(r.rt, "deed") * 0x9e3779b97f4a7c15
	return from[(n>>32)%uint64(len(from))]
}

func (r *referee) anybody() string { return r.draw(append(slices.Clone(honest), "mal")) }
func (r *referee) sock() string    { return r.draw(puppets) }

func (r *referee) here(who string) bool { _, ok := r.members[lobby][person(who)]; return ok }

// member1 is member, under the name that somebody has taken.
func (r *referee) member1(who string, m protocol.Membership) { r.town.member(lobby, person(who), m) }

var moves = map[string]func(*referee){
	"challenge": func(r *referee) {
		target := r.anybody()
		r.opens(r.anybody(), "challenge", target, "vote challenge console:"+target+" because")
	},
	"challenge mal": func(r *referee) { r.opens(r.draw(honest), "challenge", "mal", "vote challenge console:mal because") },
	"restore": func(r *referee) {
		who, target := r.anybody(), r.anybody()
		if who == target { // which is an appeal
			r.opens(who, "appeal", who, "vote appeal because --in lobby")
			return
		}
		r.opens(who, "restore", target, "vote restore console:"+target+" because")
	},
	"appeal":   func(r *referee) { who := r.anybody(); r.opens(who, "appeal", who, "vote appeal because --in lobby") },
	"motion":   func(r *referee) { r.opens(r.anybody(), "motion", "", "vote motion we sing") },
	"election": func(r *referee) { r.opens(r.anybody(), "election", "", `vote elect --for 1d "Who?" a b c`) },
	"secret":   func(r *referee) { r.opens(r.anybody(), "secret", "", "vote motion we whisper --secret") },
	"set": func(r *referee) {
		who, value := r.draw([]string{"mal", "mal", "ann"}), r.draw([]string{"8d", "14d", "60d"})
		r.opens(who, "rule", "", "vote rule votes.member "+value)
		r.say(lobby, "mal", "!moot room set votes.member "+value) // which takes a vote by now
		r.say(lobby, "mal", "!moot room set votes.quorum 6")
		for _, id := range slices.Sorted(maps.Keys(r.votes)) {
			if v := r.votes[id]; v.kind == "rule" && value != "60d" && r.town.vote(lobby, id).Status == votes.Running {
				r.allIn(v, id)
			}
		}
	},
	"whisper": func(r *referee) { // all of them, which ends no secret vote
		r.opens(r.anybody(), "secret", "", "vote motion we whisper --secret")
		for _, id := range slices.Sorted(maps.Keys(r.votes)) {
			if v := r.votes[id]; v.kind == "secret" && r.town.vote(lobby, id).Status == votes.Running {
				r.allIn(v, id)
			}
		}
		r.wait(2 * time.Hour)
	},
	"cast": (*referee).casts, "cast 2": (*referee).casts, "cast 3": (*referee).casts,
	"all": (*referee).all, "all 2": (*referee).all,
	"react": (*referee).reacts, "react 2": (*referee).reacts, "take back": (*referee).takesBack,
	"withdraw": func(r *referee) {
		if v, id := r.running(); v != nil {
			who := r.anybody()
			r.tell(who, fmt.Sprintf("vote withdraw %d --in lobby", id))
			if slices.Contains(v.may, who) {
				delete(v.ballots, who)
				v.byReaction[who] = false
			}
		}
	},
	"flood": func(r *referee) { r.floods() }, "flood 2": func(r *referee) { r.floods() },
	"redact": func(r *referee) {
		if v, _ := r.shown(); v != nil {
			for _, key := range slices.Sorted(maps.Keys(v.events)) {
				if !strings.HasPrefix(key, "mal") { // which would be to take it back
					r.removes(lobby, "mal", v.events[key])
				}
			}
		}
	},
	"kick": func(r *referee) {
		if who := r.draw(honest); r.here(who) {
			r.member1(who, protocol.Kicked)
		}
	},
	"come back": func(r *referee) {
		if who := r.draw(honest); !r.here(who) {
			r.member1(who, protocol.Joined)
		}
	},
	"cancel": func(r *referee) {
		v, id := r.running()
		if v == nil || !r.here("mal") {
			return
		}
		if may := v.kind != "restore" && v.kind != "appeal" && !(v.kind == "challenge" && v.ever["mal"]) && !r.about("mal") && !r.challenged["mal"]; may || v.opener == "mal" {
			v.cancel = append(v.cancel, "mal")
		}
		r.say(lobby, "mal", fmt.Sprintf("!moot vote cancel %d a formality", id))
	},
	// Olga, who operates the bot, ends what she wants, and who has appealed does it again.
	"overrule": func(r *referee) {
		v, id := r.running()
		if v == nil {
			return
		}
		v.cancel = append(v.cancel, "olga")
		r.say(lobby, "olga", fmt.Sprintf("!moot vote cancel %d a mistake", id))
		r.judge()
		if v.kind == "appeal" {
			r.opens(v.opener, "appeal", v.opener, "vote appeal because --in lobby")
		}
	},
	"again": func(r *referee) { // the same once more, as soon as it has ended
		for _, id := range slices.Backward(slices.Sorted(maps.Keys(r.votes))) {
			if v := r.votes[id]; v.done && v.kind == "challenge" {
				r.opens(r.draw([]string{v.opener, r.anybody()}), "challenge", v.target, "vote challenge console:"+v.target+" because")
				return
			}
		}
	},
	"beside": func(r *referee) { // a few would put out one after the other
		for i, target := range []string{r.draw(honest), "mal"} {
			r.opens(honest[(slices.Index(honest, target)+1+i)%len(honest)], "challenge", target, "vote challenge console:"+target+" because")
		}
		for _, id := range slices.Sorted(maps.Keys(r.votes)) {
			v := r.votes[id]
			for _, who := range v.may[:min(3, len(v.may))] {
				if v.kind == "challenge" && r.town.vote(lobby, id).Status == votes.Running && who != "mal as they were" {
					r.tell(who, fmt.Sprintf("vote cast %d yes --in lobby", id))
					v.ballot(who, 0, false)
				}
			}
		}
		r.wait(25 * time.Hour)
	},
	"namesake": func(r *referee) {
		sock, as := r.sock(), r.draw(honest)
		if r.here(sock) {
			r.named(lobby, sock, name(person(as)))
		}
	},
	"socks": func(r *referee) {
		sock := r.sock()
		if !r.here(sock) {
			r.member1(sock, protocol.Joined)
			return
		}
		_, id := r.running()
		r.opens(sock, "challenge", "ann", "vote challenge console:ann because")
		r.opens(sock, "motion", "", "vote motion we obey")
		r.say(lobby, sock, `!moot vote poll "Which?" a b`)
		r.say(lobby, sock, `!moot vote poll "Which?" c d`)
		r.say(lobby, sock, fmt.Sprintf("!moot vote cast %d yes", id))
		r.tell(sock, "forget me yes")
	},
	"forget": func(r *referee) {
		r.wait(time.Minute) // what waits then is theirs no more
		r.judge()
		r.view(func(tx *store.Tx) { r.leaving = r.bus.Lookup(tx, person("mal")) })
		r.tell("mal", "forget me yes")
		r.forgets()
		r.opens("mal", "challenge", "ann", "vote challenge console:ann because")
	},
	"wait": func(r *referee) { r.wait(40 * time.Minute) }, "wait long": func(r *referee) { r.wait(13 * time.Hour) },
	"days": func(r *referee) { r.wait(5 * 24 * time.Hour) },
}

// forgets makes somebody new of mal, who wants to be forgotten, once they have lost their number: nothing holds them any more,
// and they have not come back before.
func (r *referee) forgets() {
	var now events.Number
	r.view(func(tx *store.Tx) { now = r.bus.Lookup(tx, person("mal")) })
	if r.leaving == 0 || r.leaving == now {
		return
	}
	r.leaving = 0
	for _, v := range r.votes {
		delete(v.marks, "mal") // what stands of it stands
		if i := slices.Index(v.may, "mal"); i >= 0 && !v.done {
			v.may[i] = "mal as they were"
			if b, ok := v.ballots["mal"]; ok {
				delete(v.ballots, "mal")
				v.ballots["mal as they were"] = b
			}
		}
	}
}

// running returns one of the votes that take ballots.
func (r *referee) running() (*tallied, uint64) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(r.votes)) {
		if r.town.vote(lobby, id).Status == votes.Running {
			ids = append(ids, fmt.Sprint(id))
		}
	}
	if len(ids) == 0 {
		return nil, 0
	}
	var id uint64
	fmt.Sscan(r.draw(ids), &id)
	return r.votes[id], id
}

// about reports whether a vote about somebody is open.
func (r *referee) about(who string) bool {
	for id, v := range r.votes {
		if v.target == who && r.town.vote(lobby, id).Open() {
			return true
		}
	}
	return false
}

// opens lets somebody want a vote, and notes it if it opens.
func (r *referee) opens(who, kind, target, line string) {
	private := kind == "appeal"
	if !r.here(who) && !private {
		return
	}
	age := r.member
	if kind == "rule" {
		age = week // of the configuration
	}
	peers, apart := 0, 0
	var may []string
	for id, since := range r.members[lobby] {
		p := id.Local()
		switch {
		case since.After(r.now.Add(-age)):
			continue
		case p == target || r.challenged[p]:
			apart++
		case r.active[id] >= 2:
			may = append(may, p)
		}
		peers++
	}
	slices.Sort(may)
	var before []uint64
	r.view(func(tx *store.Tx) {
		for v := range votes.All(tx, lobby) {
			before = append(before, v.ID)
		}
	})
	must := kind == "appeal" && r.challenged[who] && len(may) > 0 && !r.now.Before(r.appealed[who]) && !r.otherwise(who)
	if private {
		r.tell(who, line)
	} else {
		r.say(lobby, who, "!moot "+line)
	}
	var v votes.Vote
	r.view(func(tx *store.Tx) {
		for o := range votes.All(tx, lobby) {
			if !slices.Contains(before, o.ID) {
				v = o
			}
		}
	})
	if v.ID == 0 {
		if must {
			r.rt.Fatalf("the appeal of %s was refused", who)
		}
		return
	}
	switch {
	case kind == "appeal" && (!r.challenged[who] || r.now.Before(r.appealed[who])):
		r.rt.Fatalf("%s appeals, challenged: %v, again after %s", who, r.challenged[who], r.appealed[who])
	case kind != "appeal" && !slices.Contains(may, who):
		r.rt.Fatalf("%s opens a %s, and is none of %v", who, kind, may)
	case kind == "challenge" && (r.challenged[target] || r.now.Before(r.protected[target]) || r.now.Before(r.rests[who])):
		r.rt.Fatalf("%s challenges %s, who is challenged (%v) or protected until %s; they rest until %s", who, target, r.challenged[target],
			r.protected[target], r.rests[who])
	}
	if runs := map[string]int{"motion": 48, "rule": 48, "secret": 48}[kind]; v.Deadline.Sub(v.Opened) != time.Duration(cmp.Or(runs, 24))*time.Hour {
		r.rt.Fatalf("a %s runs for %s", kind, v.Deadline.Sub(v.Opened))
	}
	t := &tallied{
		kind: kind, opener: who, target: target, may: may, ballots: map[string]int{}, marks: map[string][]int{}, events: map[string]protocol.EventID{},
		byReaction: map[string]bool{}, ever: map[string]bool{}, opened: v.Opened, closes: v.Deadline, early: time.Hour, half: (len(may) + apart + 1) / 2,
	}
	// A quarter of all who are members for long enough, at least 3, at most 50, at most half of who could vote.
	t.quorum = min(min(max((peers+3)/4, 3), 50), max(3, t.half))
	switch kind {
	case "challenge":
		t.least, t.early = 3, 12*time.Hour
		if r.now.Before(r.second) {
			t.least = max(3, t.half)
		}
	case "rule":
		var days int
		fmt.Sscanf(line, "vote rule votes.member %dd", &days)
		t.least, t.value = 3, time.Duration(days)*24*time.Hour
	case "restore", "appeal":
		t.quorum = min(t.quorum, len(may))
		if kind == "appeal" {
			r.appealed[who] = r.now.Add(week)
		}
	case "secret", "election":
		t.early = 100 * 24 * time.Hour
	}
	r.votes[v.ID] = t
}

// otherwise reports whether somebody appeals already.
func (r *referee) otherwise(who string) bool {
	for id, v := range r.votes {
		if v.target == who && v.kind == "appeal" && r.town.vote(lobby, id).Open() {
			return true
		}
	}
	return false
}

// words are how the three ballots are said that people cast: in an election they are rankings.
func (t *tallied) words(choice int) string {
	if t.kind == "election" {
		return []string{"a > b", "#2", "c > a > b"}[choice]
	}
	return []string{"yes", "no", "abstain"}[choice]
}

// ballot notes what somebody has said, if they may.
func (t *tallied) ballot(who string, choice int, byReaction bool) {
	if slices.Contains(t.may, who) {
		t.ballots[who], t.byReaction[who], t.ever[who] = choice, byReaction, true
	}
}

func (r *referee) casts() {
	v, id := r.running()
	if v == nil {
		return
	}
	who, choice := r.anybody(), rapid.IntRange(0, 2).Draw(r.rt, "choice")
	r.tell(who, fmt.Sprintf("vote cast %d %s --in lobby", id, v.words(choice)))
	v.ballot(who, choice, false)
}

// all lets everybody vote, most of them alike.
func (r *referee) all() {
	if v, id := r.running(); v != nil {
		r.allIn(v, id)
	}
}

func (r *referee) allIn(v *tallied, id uint64) {
	most := rapid.IntRange(0, 1).Draw(r.rt, "most")
	for _, who := range slices.Clone(v.may) {
		if r.town.vote(lobby, id).Status != votes.Running {
			return
		}
		choice := most
		if rapid.IntRange(0, 4).Draw(r.rt, "other") == 0 {
			choice = 1 - most
		}
		if who != "mal as they were" {
			r.tell(who, fmt.Sprintf("vote cast %d %s --in lobby", id, v.words(choice)))
			v.ballot(who, choice, false)
		}
	}
}

// shown returns the vote whose message is the last one, if it takes reactions.
func (r *referee) shown() (*tallied, uint64) {
	var id uint64
	if board := r.board(lobby); board != "" {
		fmt.Sscanf(r.messages[board].text, "Vote %d", &id)
	}
	if v := r.votes[id]; v != nil && r.town.vote(lobby, id).Status == votes.Running {
		return v, id
	}
	return nil, 0
}

func (r *referee) reacts() {
	v, _ := r.shown()
	who := r.anybody()
	if v == nil || !r.here(who) {
		return
	}
	r.reactsWith(v, who, rapid.IntRange(0, 2).Draw(r.rt, "choice"))
}

func (r *referee) reactsWith(v *tallied, who string, choice int) {
	if slices.Contains(v.marks[who], choice) {
		return
	}
	event := r.react(lobby, who, []string{"👍", "👎", "🤷"}[choice])
	if slices.Contains(v.may, who) && v.kind != "election" { // which no reaction can rank
		v.marks[who] = append(v.marks[who], choice)
		v.events[fmt.Sprint(who, choice)] = event
		v.ballot(who, choice, true)
	}
}

func (r *referee) takesBack() {
	if v, _ := r.shown(); v != nil {
		if who := r.anybody(); len(v.marks[who]) > 0 {
			r.takesBackLast(v, who)
		}
	}
}

// takesBackLast lets somebody take back the reaction that they have given last.
func (r *referee) takesBackLast(v *tallied, who string) {
	marks := v.marks[who]
	last := marks[len(marks)-1]
	key := fmt.Sprint(who, last)
	r.unreact(lobby, who, v.events[key], false)
	delete(v.events, key)
	v.marks[who] = marks[:len(marks)-1]
	switch {
	case !v.byReaction[who]:
	case len(v.marks[who]) == 0:
		delete(v.ballots, who)
	default:
		v.ballots[who] = v.marks[who][len(v.marks[who])-1]
	}
}

// floods lets mal react and take it back many times in a few seconds.
func (r *referee) floods() {
	v, id := r.shown()
	if v == nil || !r.here("mal") || !slices.Contains(v.may, "mal") {
		return
	}
	for range 5 {
		for choice := range 3 {
			if r.town.vote(lobby, id).Status != votes.Running {
				return
			}
			r.reactsWith(v, "mal", choice)
		}
		for len(v.marks["mal"]) > 1 {
			if r.town.vote(lobby, id).Status != votes.Running {
				return
			}
			r.takesBackLast(v, "mal")
		}
	}
}
