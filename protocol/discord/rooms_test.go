package discord_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
	"moot/protocol/protocoltest"
)

func of[B protocol.Body](such func(protocol.Event, B) bool) func(protocol.Event) bool {
	return func(e protocol.Event) bool {
		b, ok := e.Body.(B)
		return ok && (such == nil || such(e, b))
	}
}

func (s *stage) count(such func(protocol.Event) bool) (n int) {
	for _, e := range s.rec.Events() {
		if such(e) {
			n++
		}
	}
	return n
}

func user(u *discordtest.User) protocol.UserID { return protocol.UserID("discord:" + u.ID) }

// settled waits until the members of the lab are known to the ledger.
func (s *stage) settled() {
	s.Helper()
	s.ledger.until(s, "the members are known", func() bool { return s.ledger.Room(s.Room()).Settled })
}

func about(u *discordtest.User) func(protocol.Event) bool {
	return of(func(_ protocol.Event, c protocol.MemberChange) bool { return c.User == user(u) })
}

// TestAnOutageIsNoLeave, and no gap: the guild is out of reach, and then it is not; who is in it stays known.
func TestAnOutageIsNoLeave(t *testing.T) {
	s := newStage(t, nil)
	s.said("barrier")
	s.lab.Outage(true)
	s.next("the outage", of(func(_ protocol.Event, c protocol.RoomChange) bool {
		return slices.Contains(c.Changes, protocol.Change(protocol.Available{Reachable: false}))
	}))
	s.lab.Outage(false)
	s.next("its end", of(func(_ protocol.Event, c protocol.RoomChange) bool {
		return slices.Contains(c.Changes, protocol.Change(protocol.Available{Reachable: true}))
	}))
	s.lab.Outage(true)
	s.next("another outage", of(func(_ protocol.Event, c protocol.RoomChange) bool {
		return slices.Contains(c.Changes, protocol.Change(protocol.Available{Reachable: false}))
	}))
	s.stop() // the next run knows of it too
	s.start(nil)
	s.lab.Outage(false)
	s.next("its end", of(func(_ protocol.Event, c protocol.RoomChange) bool {
		return slices.Contains(c.Changes, protocol.Change(protocol.Available{Reachable: true}))
	}))
	s.said("barrier 2")
	if n := s.count(of(func(_ protocol.Event, c protocol.MemberChange) bool { return c.Self })); n != 1 {
		t.Errorf("the bot came or left %d times", n)
	}
	if n := s.count(of[protocol.Gap](nil)); n != 0 {
		t.Errorf("%d gaps are told of, where nobody could do anything", n)
	}
}

// TestTheSameStateIsNoEvent: what Discord tells again of members and voice changes nothing.
func TestTheSameStateIsNoEvent(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.lab.Nick(s.ben, "Benjamin")
	s.next("the new name", about(s.ben))
	s.lab.Nick(s.ben, "Benjamin")
	role := s.lab.NewRole("colour", 0)
	s.lab.Give(s.ben, role) // a role that means nothing to the bot
	s.ben.Talks(s.voice, discordtest.Voice{})
	s.next("the call", of[protocol.VoicePresence](nil))
	s.ben.Talks(s.voice, discordtest.Voice{SelfMute: true}) // a muted microphone is no other presence
	s.said("barrier")
	if n := s.count(about(s.ben)); n != 1 {
		t.Errorf("%d events are about Ben", n)
	}
	if n := s.count(of[protocol.VoicePresence](nil)); n != 1 {
		t.Errorf("%d events are about voice", n)
	}
	s.ben.Talks(s.voice, discordtest.Voice{SelfDeaf: true})
	if ev := s.next("deafened", of[protocol.VoicePresence](nil)); !ev.Body.(protocol.VoicePresence).Deafened {
		t.Errorf("it is %+v", ev)
	}
}

// TestWhoIsNoMemberYet: who has not accepted the rules of a server can neither write nor vote there, and
// a guest comes for one call. They are members from the moment on in which they are let in.
func TestWhoIsNoMemberYet(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	listed := s.srv.NewUser("listed")
	s.lab.Knock(listed)
	waits, guest := s.srv.NewUser("waits"), s.srv.NewUser("guest")
	s.lab.Knock(waits)
	s.lab.Guest(guest)
	s.lab.Nick(waits, "Will")
	s.said("barrier")
	body, err := s.ask(protocol.AskMembers{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range body.(protocol.MemberList).Members {
		if m.User == user(listed) || m.User == user(waits) || m.User == user(guest) {
			t.Errorf("%s is in the list of members", m.Name)
		}
	}
	if n := s.count(about(waits)) + s.count(about(guest)); n != 0 {
		t.Errorf("%d events are about people who are no members yet", n)
	}
	s.lab.LetIn(waits)
	ev := s.next("who was let in", about(waits))
	if c := ev.Body.(protocol.MemberChange); c.Membership != protocol.Joined || c.Profile || c.Name != "Will" {
		t.Errorf("who was let in comes as %+v", c)
	}
}

// TestPowers: who may moderate follows from roles, and changes with them.
func TestPowers(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	power := func(u *discordtest.User) bool {
		m, _ := s.ledger.Member(s.Room(), user(u))
		return m.Moderator
	}
	if !power(s.ann) || power(s.ben) || !power(s.lab.Owner()) {
		t.Errorf("moderators: ann %v, ben %v, the owner %v", power(s.ann), power(s.ben), power(s.lab.Owner()))
	}
	helper := s.lab.NewRole("helper", 0)
	s.lab.Give(s.ben, helper)
	s.said("barrier")
	reads := func() int {
		return s.count(of(func(_ protocol.Event, c protocol.RoomChange) bool {
			return slices.Contains(c.Changes, protocol.Change(protocol.Outdated{}))
		}))
	}
	before := reads()
	s.lab.SetPermissions(helper, discordtest.ModerateMembers)
	s.ledger.until(t, "Ben moderates", func() bool { return power(s.ben) })
	if reads() != before+1 {
		t.Errorf("the members were read again %d times", reads()-before)
	}
	s.lab.Take(s.ben, helper)
	s.ledger.until(t, "Ben moderates no more", func() bool { return !power(s.ben) })
	s.lab.DeleteRole(helper)
	s.lab.SetOwner(s.ben)
	s.ledger.until(t, "Ben owns it", func() bool { return power(s.ben) })
}

func TestBans(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.lab.Ban(s.ann, s.ben, "spam")
	ev := s.next("the ban", about(s.ben))
	if c := ev.Body.(protocol.MemberChange); c.Membership != protocol.Banned {
		t.Errorf("it came as %+v", c)
	}
	s.said("barrier")
	if _, in := s.ledger.Member(s.Room(), user(s.ben)); in {
		t.Error("who is banned is still a member")
	}
	// A ban of somebody who is no member, and the end of a ban, change nothing that is known.
	stranger, before := s.srv.NewUser("stranger"), len(s.rec.Events())
	s.lab.Ban(s.ann, stranger, "spam elsewhere")
	s.lab.Unban(s.ann, s.ben)
	s.said("barrier 2")
	if more := s.rec.Events()[before:]; len(more) != 1 {
		t.Errorf("it came as %+v", more)
	}
	s.lab.Join(s.ben)
	ev = s.next("the return", about(s.ben))
	if c := ev.Body.(protocol.MemberChange); c.Membership != protocol.Joined {
		t.Errorf("the return came as %+v", c)
	}
}

// TestWhatWasMissed: while the bot is away people write, join, leave, are banned and talk. The next
// run finds all of that, says what it cannot find, and nothing comes twice.
func TestWhatWasMissed(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.ben.Talks(s.voice, discordtest.Voice{})
	s.next("the call", of[protocol.VoicePresence](nil))
	s.ann.Says(s.ann.DM(), "before")
	s.next("the private message", of(func(e protocol.Event, _ protocol.Message) bool { return e.Private }))
	s.said("before")
	s.stop()
	s.srv.Forget()

	s.ann.Says(s.general, "meanwhile")
	s.ann.Says(s.ann.DM(), "meanwhile in private")
	thread := s.general.NewThread("a thread")
	s.ann.Says(thread, "meanwhile in a thread")
	eve, fay := s.person("Eve"), s.person("Fay")
	s.lab.Join(eve)
	s.lab.Join(fay)
	s.lab.Ban(s.ann, s.ben, "spam")
	s.ann.Talks(s.voice, discordtest.Voice{})
	s.lab.Rename("laboratory")
	s.start(nil)

	missed := s.next("what was said", of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "meanwhile"
	}))
	if !missed.Backlog || missed.Room != s.Room() {
		t.Errorf("it came as %+v", missed)
	}
	gap := s.next("the gap", of[protocol.Gap](nil)).Body.(protocol.Gap)
	if gap.From.IsZero() || !gap.Until.After(gap.From) || !slices.Contains(gap.Lost, "edits and deletions") {
		t.Errorf("the gap is %+v", gap)
	}
	s.settled()
	s.said("barrier")
	s.ledger.until(t, "the private conversation is caught up", func() bool {
		return s.count(of(func(_ protocol.Event, m protocol.Message) bool {
			return m.Text == "meanwhile in "+
				"private"
		})) > 0
	})
	texts := map[string]int{}
	for _, e := range s.rec.Events() {
		if m, ok := e.Body.(protocol.Message); ok {
			texts[m.Text]++
		}
	}
	for _, text := range []string{"meanwhile", "meanwhile in private", "meanwhile in a thread"} {
		if texts[text] != 1 {
			t.Errorf("%q came %d times", text, texts[text])
		}
	}
	for u, want := range map[*discordtest.User]bool{s.ann: true, s.ben: false, eve: true, fay: true} {
		if _, in := s.ledger.Member(s.Room(), user(u)); in != want {
			t.Errorf("%s is a member: %v", u.Name, in)
		}
	}
	if _, in := s.ledger.Voice(s.Room(), user(s.ann)); !in {
		t.Error("Ann is not known to be in the call")
	}
	if _, in := s.ledger.Voice(s.Room(), user(s.ben)); in {
		t.Error("Ben is still in the call")
	}
	if n := s.ledger.Room(s.Room()).Name; n != "laboratory" {
		t.Errorf("it is called %q", n)
	}
	if n := s.count(of(func(e protocol.Event, c protocol.MemberChange) bool { return c.Self && !e.Private })); n != 1 {
		t.Errorf("the bot joined %d times", n)
	}
}

// TestTheAgeOfWhatWasMissedIsByOneClock: how old a command is does not hang on how wrong the clock of the
// machine is.
func TestTheAgeOfWhatWasMissedIsByOneClock(t *testing.T) {
	t.Parallel()
	s := &stage{harness: newHarness(t), rec: &protocoltest.Recorder{}}
	t.Cleanup(s.stop)
	s.srv.Advance(-20 * time.Minute) // the clock of the machine is ahead
	s.start(nil)
	s.settled()
	s.ann.Says(s.ann.DM(), "before")
	s.next("the private message", of(func(e protocol.Event, _ protocol.Message) bool { return e.Private }))
	s.stop()
	s.srv.Forget()
	s.ann.Says(s.ann.DM(), "meanwhile")
	s.start(nil)
	missed := s.next("what was said", of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "meanwhile"
	}))
	if !missed.Backlog || missed.Age <= 0 || missed.Age > 5*time.Minute {
		t.Errorf("it came as %+v", missed)
	}
	s.stop()
	s.ann.Says(s.ann.DM(), "replayed") // the session goes on
	s.start(nil)
	missed = s.next("what was said", of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "replayed"
	}))
	if !missed.Backlog || missed.Age <= 0 || missed.Age > 5*time.Minute {
		t.Errorf("it came as %+v", missed)
	}
}

// TestASessionBelongsToTheBotFromItsBeginning: a process that is killed before it admits anything
// of a new session leaves that session to the next one, which finds all that the first had to look
// for.
func TestASessionBelongsToTheBotFromItsBeginning(t *testing.T) {
	s := newStage(t, nil)
	other := s.srv.NewGuild("other")
	other.Join(s.ann)
	s.know(other, other.NewChannel("general"))
	other.Invite()
	left := protocol.RoomID("discord:" + other.ID)
	s.ledger.until(t, "the bot is in the other", func() bool { return s.ledger.Room(left).Joined })
	s.settled()
	s.ann.Says(s.ann.DM(), "before")
	s.next("the private message", of(func(e protocol.Event, _ protocol.Message) bool { return e.Private }))
	s.said("before")
	s.stop()
	s.srv.Forget()
	s.ann.Says(s.ann.DM(), "meanwhile in private")
	s.ann.Says(s.general, "meanwhile")
	other.KickBot()
	if err := (bot{discord.New(s.config()), s.ledger}).Run(t.Context(), dying{s.rec}); !errors.Is(err, errKilled) {
		t.Fatalf("the run ended with %v", err)
	}
	identified := s.srv.Identified()
	s.start(nil)
	s.settled()
	s.said("barrier")
	s.ledger.until(t, "it knows that it is not in the other", func() bool { return !s.ledger.Room(left).Joined })
	for _, text := range []string{"meanwhile", "meanwhile in private"} {
		s.ledger.until(t, text+" has come", func() bool {
			return s.count(of(func(_ protocol.Event, m protocol.Message) bool { return m.Text == text })) == 1
		})
	}
	if n := s.count(of[protocol.Gap](nil)); n != 1 {
		t.Errorf("%d gaps are told of one", n)
	}
	if n := s.srv.Identified() - identified; n != 0 {
		t.Errorf("it identified %d times more", n)
	}
}

// TestARestartIsNoGap: the next run takes the session up again. It finds all that happened
// meanwhile, asks nothing of Discord, and says of nothing that it is lost.
func TestARestartIsNoGap(t *testing.T) {
	s := newStage(t, nil)
	keys := s.lab.NewRole("keys", discordtest.Administrator)
	s.settled()
	asked8 := s.srv.MembersAsked()
	s.ben.Talks(s.voice, discordtest.Voice{})
	s.next("the call", of[protocol.VoicePresence](nil))
	s.ann.Says(s.ann.DM(), "before")
	s.next("the private message", of(func(e protocol.Event, _ protocol.Message) bool { return e.Private }))
	m := s.ann.Says(s.general, "before")
	s.said("barrier")
	s.ledger.until(t, "nothing is left to ask, which the next run would", func() bool {
		return !slices.ContainsFunc(s.ledger.Rooms(), func(id protocol.RoomID) bool { return !s.ledger.Room(id).Settled })
	})
	s.stop()
	asked := s.requests(http.MethodGet, "")

	s.ann.Says(s.general, "meanwhile")
	s.ann.Says(s.ann.DM(), "meanwhile in private")
	s.ben.Reacts(m, "👍")
	s.ann.Edits(m, "changed meanwhile")
	eve := s.person("Eve")
	s.lab.Join(eve)
	s.lab.Ban(s.ann, s.ben, "spam")
	secret := s.lab.NewChannel("secret")
	s.lab.Give(s.srv.Bot, keys)
	secret.Deny(nil, discordtest.ViewChannel)
	s.lab.Rename("laboratory")
	s.start(nil)

	missed := s.next("what was said", of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "meanwhile"
	}))
	if !missed.Backlog {
		t.Errorf("it came as %+v", missed)
	}
	s.next("the edit", of(func(_ protocol.Event, e protocol.Edit) bool { return e.Text == "changed meanwhile" }))
	s.said("barrier 2")
	s.ledger.until(t, "the private message is in", func() bool {
		return s.count(of(func(_ protocol.Event, m protocol.Message) bool {
			return m.Text == "meanwhile in "+
				"private"
		})) == 1
	})
	if n := s.count(of[protocol.ReactionAdded](nil)); n != 1 {
		t.Errorf("%d reactions came", n)
	}
	if n := s.count(of[protocol.Gap](nil)); n != 0 {
		t.Errorf("there are %d gaps", n)
	}
	for u, want := range map[*discordtest.User]bool{s.ann: true, s.ben: false, eve: true} {
		if _, in := s.ledger.Member(s.Room(), user(u)); in != want {
			t.Errorf("%s is a member: %v", u.Name, in)
		}
	}
	s.lab.Owner().Says(secret, "hush")
	if ev := s.next("the secret", of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "hush"
	})); !ev.Hidden {
		t.Error("a channel that few see is not known to be one")
	}
	if ev := s.rec.Events()[s.seen-2]; ev.Hidden {
		t.Errorf("a channel that all see counts as hidden: %+v", ev)
	}
	for _, r := range s.srv.Requests(http.MethodGet, "")[asked:] {
		if !slices.ContainsFunc([]string{"/gateway/bot", "/commands", "/applications/@me", "/role-connections/metadata"},
			func(its string) bool { return strings.HasSuffix(r.Path, its) }) { // which each start asks for
			t.Errorf("it asked for %s", r.Path)
		}
	}
	if n := s.srv.Identified(); n != 1 || s.srv.MembersAsked() != asked8 {
		t.Errorf("it identified %d times, and asked for members %d times", n, s.srv.MembersAsked())
	}
}

// TestBeforeTheJoinIsHistory: what was written before the bot came, or came back, is not fetched
// later as something missed, however short before it was.
func TestBeforeTheJoinIsHistory(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	s.said("before")
	s.lab.KickBot()
	s.next("the kick", of(func(_ protocol.Event, c protocol.MemberChange) bool {
		return c.Self && c.Membership != protocol.Joined
	}))
	s.ann.Says(s.general, "while it was out")
	s.srv.Advance(2 * time.Millisecond) // ids are of a millisecond
	s.lab.Invite()
	s.settled()
	s.stop()
	s.ann.Says(s.general, "meanwhile")
	s.start(nil)
	s.next("what was said", of(func(_ protocol.Event, m protocol.Message) bool { return m.Text == "meanwhile" }))
	if n := s.count(of(func(_ protocol.Event, m protocol.Message) bool {
		return m.Text == "while it was out"
	})); n != 0 {
		t.Errorf("what was said while the bot was out came %d times", n)
	}
}

// TestWithoutMessageContentNothingIsFetched but private conversations: nobody can have given a
// command by a message.
func TestWithoutMessageContentNothingIsFetched(t *testing.T) {
	plain := func(c *discord.Config) { c.MessageContent = false }
	s := newStage(t, plain)
	s.ann.Says(s.ann.DM(), "before")
	s.next("the private message", of(func(e protocol.Event, _ protocol.Message) bool { return e.Private }))
	s.stop()
	s.srv.Forget()
	s.ann.Says(s.general, "meanwhile")
	s.ann.Says(s.ann.DM(), "meanwhile in private")
	s.start(plain)
	gap := s.next("the gap", of[protocol.Gap](nil)).Body.(protocol.Gap)
	if !slices.ContainsFunc(gap.Lost, func(l string) bool { return strings.HasPrefix(l, "messages") }) {
		t.Errorf("the gap is %+v", gap)
	}
	s.ledger.until(t, "the private message is in", func() bool {
		return s.count(of(func(_ protocol.Event, m protocol.Message) bool {
			return m.Text == "meanwhile in "+
				"private"
		})) == 1
	})
	if n := s.requests(http.MethodGet, "/channels/"+s.general.ID+"/messages"); n != 0 {
		t.Errorf("the channel was read %d times", n)
	}
}

// TestWhatCannotBeFetchedIsSaidToBeLost
func TestWhatCannotBeFetchedIsSaidToBeLost(t *testing.T) {
	s := newStage(t, nil)
	s.said("before")
	s.stop()
	s.srv.Forget()
	closed := s.lab.NewChannel("closed")
	closed.Deny(s.srv.Bot, discordtest.ReadHistory)
	s.ann.Says(closed, "meanwhile")
	s.ann.Says(s.general, "meanwhile")
	s.srv.Fail(10, http.MethodGet, "/channels/"+s.general.ID+"/messages",
		discordtest.Fault{Status: http.StatusForbidden, Body: `{"code":50001,"message":"Missing Access"}`})
	s.start(nil)
	gap := s.next("the gap", of[protocol.Gap](nil)).Body.(protocol.Gap)
	for _, want := range []string{"messages in «closed», where the bot lacks Read Message History",
		"messages in «general»"} {
		if !slices.Contains(gap.Lost, want) {
			t.Errorf("%q is not among %q", want, gap.Lost)
		}
	}
}

// TestKickedAndBroughtBackMeanwhile: a stay that ended while nobody looked is another stay.
func TestKickedAndBroughtBackMeanwhile(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	first := s.ledger.Room(s.Room()).Join
	s.stop()
	s.lab.KickBot()
	s.lab.Invite()
	s.start(nil)
	s.ledger.until(t, "another stay", func() bool { j := s.ledger.Room(s.Room()).Join; return j != "" && j != first })
	s.stop()
	s.lab.KickBot()
	s.start(nil)
	s.next("the kick", of(func(_ protocol.Event, c protocol.MemberChange) bool {
		return c.Self && c.Membership == protocol.Kicked
	}))
}

// TestReactions: one that is added is a sign of life. That one is gone is nothing, whoever took it
// away.
func TestReactions(t *testing.T) {
	s := newStage(t, nil)
	m := s.ann.Says(s.general, "who is in favour?")
	s.ben.Reacts(m, "👍")
	s.next("the reaction", of[protocol.ReactionAdded](nil))
	s.ben.Unreacts(m, "👍")
	s.srv.Dispatch("MESSAGE_REACTION_REMOVE_EMOJI", map[string]any{
		"channel_id": m.Channel, "guild_id": s.lab.ID, "message_id": m.ID, "emoji": map[string]any{"id": nil,
			"name": "👍"},
	})
	s.said("barrier")
	if n := s.count(of[protocol.ReactionRemoved](nil)) + s.count(of[protocol.ReactionSet](nil)); n > 0 {
		t.Errorf("%d events say that it is gone", n)
	}
}

// TestMembersAreReadPageByPageWhereItIsTooSoon: Discord answers for all members of a guild once in
// 30 seconds.
func TestMembersAreReadPageByPageWhereItIsTooSoon(t *testing.T) {
	s := newStage(t, nil)
	s.settled()
	before := s.requests(http.MethodGet, "/members")
	body, err := s.ask(protocol.AskMembers{})
	if err != nil {
		t.Fatal(err)
	}
	if list := body.(protocol.MemberList); len(list.Members) != 4 || !list.Last {
		t.Errorf("the list is %+v", list)
	}
	if s.requests(http.MethodGet, "/members") != before+1 {
		t.Error("it was not read page by page")
	}
}

// TestHiddenPlaces: where not everybody can look, what is said is marked so.
func TestHiddenPlaces(t *testing.T) {
	s := newStage(t, nil)
	s.lab.KickBot()
	s.lab.Invite(discordtest.Administrator) // who sees everything
	back := s.lab.NewChannel("back room")
	back.Deny(nil, discordtest.ViewChannel)
	thread := back.NewThread("aside")
	open := s.general.NewThread("open")
	owner := s.lab.Owner()
	for _, c := range []struct {
		*discordtest.Channel
		hidden bool
	}{{s.general, false}, {open, false}, {back, true}, {thread, true}} {
		text := "in " + c.Name
		owner.Says(c.Channel, text)
		ev := s.next(text, of(func(_ protocol.Event, m protocol.Message) bool { return m.Text == text }))
		if ev.Hidden != c.hidden {
			t.Errorf("%s is hidden: %v", c.Name, ev.Hidden)
		}
	}
	owner.Slash(back, "ping", nil)
	if ev, _ := s.invoked(); !ev.Hidden {
		t.Error("a command in a hidden place is not marked so")
	}
	m := owner.Says(back, "vote?")
	owner.Reacts(m, "👍")
	if ev := s.next("the reaction", of[protocol.ReactionAdded](nil)); !ev.Hidden {
		t.Error("a reaction in a hidden place is not marked so")
	}
}

// TestUnreadableEventsAreRecorded: what Discord sends and nobody understands has a disposition too,
// and ends nothing.
func TestUnreadableEventsAreRecorded(t *testing.T) {
	s := newStage(t, nil)
	for _, kind := range []string{"MESSAGE_CREATE", "INTERACTION_CREATE", "GUILD_MEMBER_ADD", "GUILD_CREATE",
		"MESSAGE_REACTION_ADD", "GUILD_BAN_ADD"} {
		s.srv.Dispatch(kind, map[string]any{"id": "x"})
	}
	s.srv.Dispatch("SOMETHING_NEW", map[string]any{"a": []int{1}})
	s.said("barrier")
	s.ledger.until(t, "all are recorded", func() bool { return s.count(of[protocol.Malformed](nil)) == 6 })
}
