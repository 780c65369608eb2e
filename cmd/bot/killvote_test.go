package main

import (
	"crypto/md5"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"moot/internal/effort"
	"moot/protocol"
	"moot/protocol/protocoltest"
)

// A whole vote, with the bot killed between any two lines: opened, voted on by command, by reaction and in private, in secret,
// answered, through a kick and a return, closed, with a picture; the one who is challenged is refused, appeals, is restored in a vote
// that moves to another room in between; at last somebody takes the votes away as a file. What people see in the end, and what the bot knows, must be what they are where it
// never dies.

const (
	voteRoom protocol.RoomID = "console:lobby"
	voteHall protocol.RoomID = "console:hall"
)

var votePeople = []string{"ann", "ben", "cem", "dan", "eve"}

// voteEpoch is when it begins. It lies ahead of the clock of the machine, which every life begins with: the time of commits
// only moves forward.
var voteEpoch = time.Date(2040, 1, 1, 8, 0, 0, 0, time.UTC)

// voteWorld is the network's side of it.
type voteWorld struct {
	now time.Time
	n   int

	mu        sync.Mutex
	reactions map[string][]protocol.Reaction // by the beginning of the message, as it was first said
	said      map[protocol.Key]string        // what a message first said
}

func (w *voteWorld) event(room protocol.RoomID, by string, body protocol.Body) protocol.Event {
	w.n++
	return protocol.Event{
		Room: room, ID: protocol.EventID(fmt.Sprintf("$%d", w.n)), Sender: person(by), Body: body,
		Private: strings.HasPrefix(room.Local(), "dm-"),
	}
}

func person(name string) protocol.UserID { return protocol.UserID("console:" + name) }

func direct(name string) protocol.RoomID { return protocol.RoomID("console:dm-" + name) }

func (w *voteWorld) says(room protocol.RoomID, by, text string) []protocol.Event {
	return []protocol.Event{w.event(room, by, protocol.Message{Text: text})}
}

func (w *voteWorld) own(room protocol.RoomID, m protocol.Membership) []protocol.Event {
	return []protocol.Event{w.event(room, "moot", protocol.MemberChange{User: "console:moot", Self: true, Bot: true, Membership: m})}
}

// passes lets time pass.
func (w *voteWorld) passes(d time.Duration) func(*protocoltest.Script) {
	return func(s *protocoltest.Script) {
		w.now = w.now.Add(d)
		s.Tell(w.now)
	}
}

// reacts lets somebody react to the message that begins so, or take that back.
func (w *voteWorld) reacts(by, message, reaction string, back bool) func(*protocoltest.Script) {
	return func(s *protocoltest.Script) {
		for _, e := range s.Transcript() {
			say, ok := e.Act.(protocol.Say)
			if !ok || !strings.HasPrefix(say.Text.Plain(), message) {
				continue
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			id := protocol.EventID("$" + by + reaction)
			if back {
				w.reactions[message] = slices.DeleteFunc(w.reactions[message], func(r protocol.Reaction) bool { return r.Event == id })
				s.Deliver(w.event(e.Ref.Room, by, protocol.Deletion{Target: id}))
				return
			}
			w.reactions[message] = append(w.reactions[message], protocol.Reaction{User: person(by), Reaction: reaction, Event: id})
			s.Deliver(protocol.Event{Room: e.Ref.Room, ID: id, Sender: person(by), Body: protocol.ReactionAdded{Target: e.Ref.Event, Reaction: reaction}})
			return
		}
	}
}

// answer answers the bot's questions. All have been members for long.
func (w *voteWorld) answer(ask protocol.Ask) (protocol.Body, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch want := ask.Want.(type) {
	case protocol.AskMembers:
		list := protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:moot", Name: "moot", Bot: true, Self: true}}}
		for _, name := range votePeople {
			power := map[bool]protocol.Power{true: protocol.PowerModerator, false: protocol.PowerMember}[name == "eve"]
			list.Members = append(list.Members, protocol.Member{User: person(name), Name: name, Power: power, Since: voteEpoch.Add(-1000 * time.Hour)})
		}
		return list, nil
	case protocol.AskReactions:
		set := protocol.ReactionSet{Target: "sent"}
		for message, r := range w.reactions {
			if strings.HasPrefix(w.said[want.Original], message) {
				set.Reactions = append(set.Reactions, r...)
			}
		}
		return set, nil
	}
	return nil, nil
}

// voteStages are what happens.
func (w *voteWorld) stages() []killStage {
	var all []killStage
	do := func(heard string, act func(*protocoltest.Script), lines ...[]protocol.Event) {
		all = append(all, killStage{lines: lines, act: act, heard: heard})
	}
	everybody := func(room protocol.RoomID, text string, who ...string) (lines [][]protocol.Event) {
		for _, name := range who {
			lines = append(lines, w.says(room, name, text))
		}
		return lines
	}
	// ticked waits until the bot has reacted to the last of these.
	ticked := func(lines ...[]protocol.Event) {
		last := lines[len(lines)-1]
		do("✅ on "+string(last[len(last)-1].ID), nil, lines...)
	}
	const hour, day = time.Hour, 24 * time.Hour
	do("", w.passes(0), append([][]protocol.Event{w.own(voteRoom, protocol.Joined)}, everybody(voteRoom, "hello", votePeople...)...)...)
	do("", w.passes(day), everybody(voteRoom, "hello again", votePeople...)...)
	do("has set votes.picture", nil, w.says(voteRoom, "eve", "!moot room set votes.picture on"))
	do("Vote 1: suspend ben from using me here? Opened by ann.", nil, w.says(voteRoom, "ann", "!moot vote challenge ben he is loud"))
	ticked(w.says(voteRoom, "ann", "!moot vote cast yes"))
	do("", w.reacts("cem", "Vote 1:", "👍", false))
	do("", w.reacts("dan", "Vote 1:", "👎", false))
	do("", w.reacts("dan", "Vote 1:", "👎", true))
	do("In «lobby»: Your ballot in vote 1 is yes", nil, w.says(direct("dan"), "dan", "vote cast 1 yes --in lobby"))
	ticked(w.says(voteRoom, "eve", "!moot vote cast no"), w.says(voteRoom, "eve", "!moot vote withdraw"))
	do("Your answer will stand", nil, w.says(direct("ben"), "ben", "vote reply 1 it was once"))
	do("Secret vote 2", nil, w.says(voteRoom, "cem", "!moot vote motion --secret --for 1d we sing"))
	do("In «lobby»: Your ballot in vote 2 is no", nil,
		w.says(direct("ann"), "ann", "vote cast 2 yes"), w.says(direct("cem"), "cem", "vote cast 2 yes"), w.says(direct("dan"), "dan", "vote cast 2 no"))
	do("", w.passes(time.Minute))
	do("ben answers: it was once", w.passes(time.Minute))
	do("", nil, w.own(voteRoom, protocol.Kicked))
	do("Votes 1, 2 end that much later", w.passes(2*hour), w.own(voteRoom, protocol.Joined), w.says(voteRoom, "eve", "welcome back"))
	do("ben is now suspended", w.passes(26*hour))
	do("Vote 2: motion «we sing» has closed", w.passes(3*hour))
	do("You have been suspended in «lobby»", nil, w.says(voteRoom, "ben", "!moot ping"))
	do("Vote 3: ben appeals", nil, w.says(voteRoom, "ben", "!moot vote appeal I have learned"))
	ticked(everybody(voteRoom, "!moot vote cast 3 no", "ann", "cem", "dan")...)
	do("appeal of ben has closed", w.passes(25*hour))
	do("Vote 4: restore ben? Opened by eve.", w.passes(3*day+hour), w.says(voteRoom, "eve", "!moot vote restore ben please"))
	ticked(w.says(voteRoom, "eve", "!moot vote cast 4 yes"))
	do("", nil, []protocol.Event{w.event(voteRoom, "ann", protocol.RoomChange{Changes: []protocol.Change{protocol.Upgraded{Successor: voteHall}}})})
	do("", nil, w.own(voteHall, protocol.Joined))
	do("It goes on in the room that follows this one", w.passes(time.Minute))
	ticked(everybody(voteHall, "!moot vote cast 4 yes", "cem", "dan")...)
	do("ben is restored", w.passes(26*hour))
	do("pong", nil, w.says(voteHall, "ben", "!moot ping"))
	do("holds 4 votes", nil, w.says(direct("eve"), "eve", "vote export --in lobby"))
	do("", w.passes(hour))
	return all
}

// isHeard reports whether some message, as it stands, contains the words, or a reaction is the one that they name.
func isHeard(seen []*protocoltest.Entry, words string) bool {
	for _, e := range seen {
		switch act := e.Act.(type) {
		case protocol.Say:
			if strings.Contains(act.Text.Plain(), words) {
				return true
			}
		case protocol.Whisper:
			if strings.Contains(act.Text.Plain(), words) {
				return true
			}
		case protocol.Revise:
			if strings.Contains(act.Text.Plain(), words) {
				return true
			}
		case protocol.React:
			if words == act.Reaction+" on "+string(act.Target) {
				return true
			}
		}
	}
	return false
}

// inTheEnd returns what people see when all is over: each message as it was last edited, room by room; how often it was
// edited on the way depends on how often the bot came back.
func inTheEnd(seen []protocoltest.Entry) string {
	last := map[protocol.Key]string{}
	byRoom := map[protocol.RoomID][]protocol.Key{}
	var whispers []string
	for _, e := range seen {
		switch act := e.Act.(type) {
		case protocol.Say:
			byRoom[e.Ref.Room] = append(byRoom[e.Ref.Room], e.Key)
			last[e.Key] = act.Text.Plain() + withFile(act.File)
		case protocol.Revise:
			last[act.Original] = act.Text.Plain()
		case protocol.Whisper:
			whispers = append(whispers, fmt.Sprintf("to %s: %s%s\n", act.User, act.Text.Plain(), withFile(act.File)))
		}
	}
	var b strings.Builder
	rooms := make([]protocol.RoomID, 0, len(byRoom))
	for room := range byRoom {
		rooms = append(rooms, room)
	}
	slices.Sort(rooms)
	for _, room := range rooms {
		fmt.Fprintln(&b, room)
		for _, key := range byRoom[room] {
			fmt.Fprintf(&b, "  %s\n", last[key])
		}
	}
	slices.Sort(whispers)
	return b.String() + strings.Join(whispers, "")
}

// withFile shows a file: what stands in it, or of a picture its size and sum.
func withFile(f *protocol.File) string {
	switch {
	case f == nil:
		return ""
	case f.IsPicture():
		return fmt.Sprintf("\nwith %s, %d × %d, %x", f.Name, f.Width, f.Height, md5.Sum(f.Data))
	}
	return fmt.Sprintf("\nwith %s:\n%s", f.Name, f.Data)
}

// What is another in each run: hashes that stand for voters in a secret vote, the time to the nanosecond at which a timer
// was due, which makes the keys of what is asked then.
var (
	aHash = regexp.MustCompile(`[0-9a-f]{64}`)
	aDue  = regexp.MustCompile(`(timer/[a-z./]+\d*)/\d+`)
	anAsk = regexp.MustCompile(`answer/[a-z0-9]+(/\d+)?`)
)

// voteRun plays it all, killing the bot at the given line (zero never), and returns what came out.
func voteRun(t *testing.T, bin, dir string, at int) (outcome string, lines int) {
	t.Helper()
	w := &voteWorld{now: voteEpoch, reactions: map[string][]protocol.Reaction{}, said: map[protocol.Key]string{}}
	k := &killed{t: t, bin: bin, dir: dir, kill: make(chan struct{}, 1)}
	k.stages = w.stages()
	k.script = protocoltest.NewScript(protocoltest.ScriptConfig{
		Echo: true, Overlap: 2, Answer: w.answer,
		Refuse: func(out protocol.Outgoing, _ protocol.Attempt) error { // which is asked once for each message
			if say, ok := out.Act.(protocol.Say); ok {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.said[out.Key] = say.Text.Plain()
			}
			return nil
		},
		OnLine: func(n int, _ *protocoltest.Life) {
			if n == at {
				k.kill <- struct{}{}
			}
		},
	})
	for k.life(); !k.done && k.lives < 5; {
		k.script.Tell(w.now) // what the bot was told of it is acknowledged before all is done that was due on the way
		k.life()
	}
	if at > 0 && k.deaths == 0 && at <= k.script.Lines() {
		t.Logf("the kill at line %d came too late", at)
	}
	if t.Failed() {
		t.FailNow()
	}
	var out strings.Builder
	out.WriteString(inTheEnd(k.script.Transcript()))
	for _, args := range [][]string{{"log", "--json", "--limit", "100000"}, {"dead"}, {"verify"}} {
		b, err := exec.Command(bin, append(args, "--data", dir)...).CombinedOutput()
		if err != nil {
			t.Fatalf("bot %v: %v\n%s", args, err, b)
		}
		text := string(b)
		if args[0] == "log" {
			text = aHash.ReplaceAllString(withoutTimes(text), "HASH")
			text = inOrder(anAsk.ReplaceAllString(aDue.ReplaceAllString(text, "$1"), "answer"))
		}
		fmt.Fprintf(&out, "$ bot %s\n%s", strings.Join(args, " "), text)
	}
	return withoutTimes(out.String()), k.script.Lines()
}

func TestKilledInTheMiddleOfAVote(t *testing.T) {
	effort.Proof(t)
	t.Parallel()
	bin := buildBot(t)
	dir := t.TempDir()
	began := time.Now()
	want, lines := voteRun(t, bin, filepath.Join(dir, "0"), 0)
	t.Logf("%d lines without a kill, in %s; in the end:\n%s", lines, time.Since(began), want)
	for _, words := range []string{"ben is now suspended", "ben is restored", "Vote 2: motion «we sing» has closed", "pong", "with vote-1.png, 900 × ", "with vote-2.png", ".csv:\nvote,type,state,", "They give exactly what the bot knows"} {
		if !strings.Contains(want, words) {
			t.Fatalf("nobody hears %q", words)
		}
	}
	killedAtEach(t, lines, func(t *testing.T, at int) {
		if got, _ := voteRun(t, bin, filepath.Join(t.TempDir(), "data"), at); got != want {
			t.Errorf("killed at line %d of %d it came out otherwise:\n%s", at, lines, firstDifference(got, want))
		}
	})
}
