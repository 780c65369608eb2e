package votes_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/internal/alike"
	"moot/protocol"
	"moot/store"
	"moot/votes"
)

// holders is what the network says of a role, whose id is its name behind "#".
func (w *town) holders(role string) (out protocol.RoleHolders) {
	for name, people := range w.has {
		id := role == "<@&#"+name+">" || role == "#"+name
		if !id && !alike.Same(name, role) {
			continue
		}
		one := protocol.RoleHolders{Role: "#" + name, Name: name, Everyone: name == "everyone", Count: len(people), Alike: out.Alike + 1}
		for _, p := range people {
			one.Holders = append(one.Holders, person(p))
		}
		slices.Reverse(one.Holders)
		if len(people) > protocol.MaxHolders {
			one.Holders = nil
		}
		if out = one; id {
			out.Alike = 1
			return out
		}
	}
	if out.Alike > 1 {
		return protocol.RoleHolders{Alike: out.Alike}
	}
	return out
}

// roleTown has a council of four, of whom one has only come and one was never active, and others.
func roleTown(t *testing.T, with ...func(*town)) *town {
	w := newTown(t, append([]func(*town){func(w *town) {
		w.has = map[string][]string{"councillors": {"ann", "ben", "cem", "dan", "fay", "new", "idle", "gone"}, "empty": nil,
			"strangers": {"gone"}, "friends": {"ann", "new"}, "everyone": {"ann"}}
	}}, with...)...)
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "eve", "fay", "idle", "mia")
	w.later()
	w.member(lobby, person("new"), protocol.Joined)
	w.active[person("idle")] = 0
	w.heard()
	return w
}

// mayVote says who of some can vote in a vote.
func (w *town) mayVote(id uint64, people ...string) (out []string) {
	w.view(func(tx *store.Tx) {
		for _, p := range people {
			if votes.MayVote(tx, lobby, id, w.bus.Lookup(tx, person(p))) {
				out = append(out, p)
			}
		}
	})
	return out
}

// TestAVoteForARole: who had the role when the vote opened and could vote without it can, and nobody else, also where the role is
// given or taken later.
func TestAVoteForARole(t *testing.T) {
	w := roleTown(t)
	w.say(lobby, "ann", "!moot vote motion --role Councillors we meet on Tuesdays")
	out := w.heard()
	for _, part := range []string{
		"@lobby: I am finding out who has the role «Councillors». The vote opens in a moment.",
		"@lobby: Vote 1: Ann moves: we meet on Tuesdays\nOnly who had the role «councillors» when this opened can vote.\nTo vote: react with 👍 for yes, 👎 for no, 🤷 for abstain; or say !moot vote 1 yes. You can change it until the end.\n0 of 5 voted: 0 yes, 0 no, 0 abstained.\nPasses with more yes than no and a turnout of at least 3.",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is missing:\n%s", part, out)
		}
	}
	all := []string{"ann", "ben", "cem", "dan", "eve", "fay", "new", "idle", "mia"}
	if may := w.mayVote(1, all...); !slices.Equal(may, []string{"ann", "ben", "cem", "dan", "fay"}) {
		t.Errorf("%v can vote", may)
	}
	w.has["councillors"] = []string{"eve"}
	w.say(lobby, "eve", "!moot vote 1 yes")
	w.expect("to eve: In «lobby»: You cannot vote in vote 1: it is for those who had the role «councillors» when it opened, had been members for 7 days, and were active and not suspended.")
	for _, p := range []string{"ann", "ben", "fay"} {
		w.say(lobby, p, "!moot vote 1 yes")
	}
	w.counts(1, 3, 0, 0)
	w.crash(time.Second)
	w.heard()
	w.wait(3 * 24 * time.Hour)
	w.expect("Passed: 3 yes, 0 no, 0 abstained of 5 who could vote. It took 2 yes of 3, and a turnout of 3.")
	w.say(lobby, "eve", "!moot vote show 1")
	w.expect("Only who had the role «councillors» when this opened can vote.")
	w.tell("eve", "vote export 1 --text")
	w.expect(",councillors")
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestWhoOpensAVoteForARole: what binds is opened by one of those who vote on it; a poll is opened by anybody.
func TestWhoOpensAVoteForARole(t *testing.T) {
	w := roleTown(t)
	w.say(lobby, "eve", "!moot vote motion --role councillors we dance")
	w.expect("to eve: In «lobby»: You cannot open that for the role «councillors»: who opens it has to have it. Anybody can open a poll for it.")
	w.say(lobby, "new", "!moot vote motion --role councillors we dance")
	w.expect("to new: In «lobby»: You cannot open that")
	w.say(lobby, "eve", `!moot vote poll --role <@&#councillors> "Which day?" Monday Tuesday`)
	if may := w.mayVote(1, "ann", "eve", "idle", "new"); !slices.Equal(may, []string{"ann", "idle", "new"}) {
		t.Errorf("%v can vote", may)
	}
	w.say(lobby, "eve", "!moot vote 1 1")
	w.expect("to eve: In «lobby»: You cannot vote in vote 1: it is for the members who had the role «councillors» when it opened.")
	w.tell("cem", `vote elect --role councillors "Who speaks for us?" Ann Ben`)
	w.expect("to cem: In «lobby»: Vote 2 is open")
	if v := w.vote(lobby, 2); v.Type != votes.Election || v.Role != (votes.Role{ID: "#councillors", Name: "councillors"}) || v.Size != 5 {
		t.Errorf("opened %+v", v)
	}
}

// TestNoVoteForSuchARole: no vote opens that nobody could decide, nor one of which nobody knows for whom it is.
func TestNoVoteForSuchARole(t *testing.T) {
	w := roleTown(t, func(w *town) {
		w.has["сouncil"], w.has["Council"] = []string{"ann", "ben", "cem"}, []string{"dan", "eve", "fay"} // the first begins in Cyrillic
		w.has["crowd"] = make([]string, protocol.MaxHolders+1)
	})
	for role, why := range map[string]string{
		"wizards":     "I find no role «wizards» here. Mention it, or choose it in the form of the command.",
		"empty":       "Nobody who may vote here has the role «empty», so no vote opens.",
		"strangers":   "Nobody who may vote here has the role «strangers», so no vote opens.",
		"friends":     "That takes at least 3 people who may vote, and here are 1.",
		"council":     "Here 2 roles are called «council», or look the same. Mention the one that you mean, or choose it in the form of the command.",
		"everyone":    "Every member has that role. Leave out --role, and all who may vote can.",
		"crowd":       "10001 members have the role «crowd»; a vote can be for 10000 at most.",
		"<@&#Nobody>": "I find no role",
	} {
		w.say(lobby, "ann", "!moot vote motion --role "+role+" we sing")
		if out := w.heard(); !strings.Contains(out, why) || strings.Contains(out, "Ann moves") {
			t.Errorf("%s: heard\n%s", role, out)
		}
	}
	if why := "Nobody who may vote here has the role «empty»"; true {
		w.say(lobby, "ann", `!moot vote poll --role empty "Which?" one two`)
		w.expect(why)
	}
	if v := w.vote(lobby, 1); v.ID != 0 {
		t.Errorf("opened %+v", v)
	}
	w.say(lobby, "eve", "!moot vote poll --role <@&#Council> \"Which?\" one two")
	if v := w.vote(lobby, 1); v.Size != 3 || v.Role.Name != "Council" {
		t.Errorf("one of two that look the same is mentioned: %+v", v)
	}
	left := 0
	w.view(func(tx *store.Tx) {
		for _, b := range []string{"votes-enrolments", "votes-electing", "votes-holders"} {
			for range tx.Range(store.ScopedBucket(b), "", "") {
				left++
			}
		}
	})
	if left > 0 {
		t.Errorf("%d rows are left", left)
	}
}

// TestNetworksWithoutRoles say so.
func TestNetworksWithoutRoles(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	w.heard()
	w.say(lobby, "ann", "!moot vote motion --role councillors we sing")
	w.expect("There are no roles here, so no vote can be for one. Leave out --role, and all who may vote can.")
}

// TestNobodySaysWhoHasARole: where the network does not answer, that is said in the end, and the next vote opens.
func TestNobodySaysWhoHasARole(t *testing.T) {
	w := roleTown(t)
	w.mute = true
	w.say(lobby, "ann", "!moot vote motion --role councillors we sing")
	w.say(lobby, "ben", "!moot vote motion --role councillors we dance")
	w.expect("I am still finding out who may vote in another vote that opens here.")
	w.wait(10 * time.Minute)
	w.expect("to ann: In «lobby»: I could not read who has the role «councillors». Try again in a moment.")
	w.mute = false
	w.crash(time.Second) // nobody waits for the answer any more
	w.say(lobby, "ben", "!moot vote motion --role councillors we dance")
	if v := w.vote(lobby, 1); v.Size != 5 {
		t.Errorf("opened %+v", v)
	}
}

// TestAVoteForALargeRole opens in steps, over a crash.
func TestAVoteForALargeRole(t *testing.T) {
	people := socks(23)
	w := newTown(t, func(w *town) {
		w.atOnce, w.has = 2, map[string][]string{"guild": people[:17]}
	})
	w.settle(lobby, people...)
	w.beginStep("sock0", "!moot vote motion --role guild we sing")
	w.crash(time.Second)
	if v := w.vote(lobby, 1); v.Size != 17 {
		t.Fatalf("got %+v", v)
	}
	if may := w.mayVote(1, people...); !slices.Equal(may, people[:17]) {
		t.Errorf("%s can vote", fmt.Sprint(may))
	}
	if err := w.bus.Verify(t.Context(), ""); err != nil {
		t.Error(err)
	}
}
