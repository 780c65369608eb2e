package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"moot/internal/bot"
	"moot/protocol"
	"moot/store"
)

// something lets one thing happen, which the seed chooses.
func (h *history) something() error {
	n := h.nets[h.IntN(len(h.nets))]
	p := n.places[h.IntN(len(n.places))]
	h.want(n, p)
	switch i := h.IntN(100); {
	case i < 4:
		h.rally(n, p)
	case i < 22:
		h.speak(n, p)
	case i < 28:
		h.whisper(n)
	case i < 31:
		h.react(n)
	case i < 32:
		h.meddle(n, p)
	case i < 36:
		for _, f := range h.flying { // better where a list is being read
			if f.list != nil && h.IntN(2) == 0 {
				n, p = f.net, f.net.place(f.a.Ask.Room)
			}
		}
		h.comeOrGo(n, p)
	case i < 40:
		h.throwOut(n, p)
	case i < 41:
		if h.IntN(2) == 0 {
			h.flood(n, p)
		} else {
			h.empower(n, p)
		}
	case i < 43:
		h.online(n, !n.up)
	case i < 46:
		h.pass()
	case i < 49:
		h.again(n)
	case i < 51:
		return h.retryDead()
	case i < 53:
		h.full = !h.full
		h.note("the disk is full: %v", h.full)
	case i < 54:
		return h.archive()
	case i < 57:
		lose := h.IntN(2) == 0
		h.note("a crash; it loses a commit: %v", lose)
		if lose && !h.full {
			return h.step(true)
		}
		return h.crash()
	case i < 70:
		switch {
		case !n.up:
			h.online(n, true)
		case n.adapter < len(n.log) && len(n.batches) < 3:
			h.deliver(n, 1+h.IntN(6)+h.IntN(len(n.log)-n.adapter))
		}
	case i < 83:
		if len(h.flying) > 0 {
			h.reply(h.IntN(len(h.flying)), fate(h.IntN(int(fates))))
		}
	}
	if h.IntN(2) == 0 {
		return h.step(false)
	}
	return nil
}

// speak lets somebody say something in a room, or command the bot.
func (h *history) speak(n *network, p *place) {
	who := n.users[h.IntN(len(n.users))]
	if !p.members[who] {
		return
	}
	vote := fmt.Sprint(1 + h.IntN(3))
	text := pick(h, []string{
		"good morning", "!m vote elect \"who?\" ann bob cem", "what do you think?", "!m ping", "!m ping", "!m vote cast " + vote + " bob, cem = ann", "!m whoami", "!m pnig", "!m help vote",
		"boom", "bang", "!m vote list", "!m vote motion shall we meet?", "!m vote poll \"where to?\" \"the park\" \"the pub\"",
		"!m vote challenge bob he is loud", "!m vote restore bob he is quiet", "!m vote cast " + vote + " yes",
		"!m vote cast " + vote + " no", "!m vote withdraw " + vote, "!m vote show " + vote, "!m vote reply " + vote + " I am sorry",
		"!m override challenge eve enough", "!m override restore eve enough", "!m override challenge dan too loud", "!m override restore bob enough",
		"!m vote cast yes", "!m vote cast no", "!m vote cast abstain", "!m vote cancel " + vote + " a formality", "!m vote motion --secret shall we whisper?",
		"!m room set votes.member 8d", "!m vote rule votes.member 8d", "!m vote challenge cem he is quiet", "!m vote appeal I am sorry",
	})
	h.happens(n, p, who, protocol.Message{Text: text})
	if text == "!m ping" && who == n.users[5] { // whom nobody challenges
		h.pings = append(h.pings, ping{protocol.Ref{Room: p.id, Event: p.timeline[len(p.timeline)-1].ID}, n, h.now, p.bot})
	}
}

// happens lets something happen in a room, of which the bot hears if it is there.
func (h *history) happens(n *network, p *place, who protocol.UserID, body protocol.Body) {
	ev := n.event(p, who, body)
	if !p.bot {
		h.missed = append(h.missed, ev.Ref())
	}
	if p.bot || h.IntN(6) == 0 { // some servers tell of rooms in which the bot is not
		n.tell(ev)
	}
	h.note("%s %s %s: %s %v", p.id, ev.ID, who.Local(), protocol.KindOf(body), body)
}

// whisper lets somebody command the bot in private.
func (h *history) whisper(n *network) {
	who := n.users[h.IntN(len(n.users))]
	text := pick(h, []string{
		"ping", "rooms", "whoami", "mydata", "use r0", "use r1", "use r2", "vote list --in r0", "vote show 1 --in r0", "vote show 2 --in r1", "vote cast 1 yes --in r0", "vote cast 1 no --in r1",
		"invites", "invites accept " + n.id("", "r1"), "invites decline " + n.id("", "r0"), "vote motion from afar --in r0", "members --in r2", "events --in r1", "forget me", "forget me yes", "nonsense",
	})
	ev := protocol.Event{
		Room: n.dm(who), ID: n.newID(), Sender: who, Time: h.now, Private: true, Body: protocol.Message{Text: text},
	}
	n.tell(ev)
	h.note("%s %s %s: %s", ev.Room, ev.ID, who.Local(), text)
}

// react lets somebody react to a message of the bot, or take it back.
func (h *history) react(n *network) {
	if len(n.order) == 0 {
		return
	}
	m := n.keys[n.order[h.IntN(len(n.order))]]
	p := n.place(m.ref.Room)
	who := n.users[h.IntN(len(n.users))]
	if poll, is := m.out.Act.(protocol.StartPoll); is {
		h.respond(n, p, m, who, poll)
		return
	}
	if p == nil || !p.members[who] {
		return
	}
	sign := pick(h, []string{"👍", "👎", "🤷", "1️⃣", "2️⃣"})
	i := slices.IndexFunc(m.likes, func(r protocol.Reaction) bool { return r.User == who && r.Reaction == sign })
	switch {
	case i < 0:
		h.happens(n, p, who, protocol.ReactionAdded{Target: m.ref.Event, Reaction: sign})
		m.likes = append(m.likes, protocol.Reaction{User: who, Reaction: sign, Event: p.timeline[len(p.timeline)-1].ID})
	case n.cursor: // there a reaction is an event, which is deleted
		h.happens(n, p, who, protocol.Deletion{Target: m.likes[i].Event})
		m.likes = slices.Delete(m.likes, i, i+1)
	default:
		h.happens(n, p, who, protocol.ReactionRemoved{Target: m.ref.Event, Reaction: sign})
		m.likes = slices.Delete(m.likes, i, i+1)
	}
}

// respond lets somebody choose in a poll of the bot, or take back what they have chosen, in a room or alone.
func (h *history) respond(n *network, p *place, m *shown, who protocol.UserID, poll protocol.StartPoll) {
	if i := slices.IndexFunc(m.likes, func(r protocol.Reaction) bool { return r.User == who }); p != nil && i >= 0 && h.IntN(3) == 0 {
		h.happens(n, p, who, protocol.Deletion{Target: m.likes[i].Event})
		m.likes = slices.Delete(m.likes, i, i+1)
		return
	}
	r := protocol.PollResponse{Target: m.ref.Event}
	switch o := poll.Options[h.IntN(len(poll.Options))]; h.IntN(8) {
	case 0: // none
	case 1:
		r.Answers = []string{o.Value + "0"}
	default:
		r.Answers = []string{o.Value}
	}
	if p == nil { // it was put to one person
		who = protocol.UserID(n.id("", strings.TrimPrefix(m.ref.Room.Local(), "dm-")))
		ev := protocol.Event{Room: m.ref.Room, ID: n.newID(), Sender: who, Time: h.now, Private: true, Body: r}
		n.tell(ev)
		h.note("%s %s %s: %v", ev.Room, ev.ID, who.Local(), r)
		return
	}
	if p.members[who] {
		h.happens(n, p, who, r)
		m.likes = append(m.likes, protocol.Reaction{User: who, Event: p.timeline[len(p.timeline)-1].ID})
	}
}

// rally lets most people of a room vote on the same thing, most of them alike.
func (h *history) rally(n *network, p *place) {
	vote, most := fmt.Sprint(1+h.IntN(3)), pick(h, []string{"yes", "yes", "no", "1"})
	for _, who := range n.users {
		if p.members[who] && h.IntN(5) > 0 {
			choice := most
			if h.IntN(4) == 0 {
				choice = pick(h, []string{"yes", "no", "abstain", "2"})
			}
			if m := n.polls(p); m != nil && h.IntN(3) == 0 {
				h.respond(n, p, m, who, m.out.Act.(protocol.StartPoll))
				continue
			}
			h.happens(n, p, who, protocol.Message{Text: "!m vote cast " + vote + " " + choice})
		}
	}
}

// polls returns the last poll in a room; nil if there is none.
func (n *network) polls(p *place) *shown {
	for _, key := range slices.Backward(n.order) {
		if _, is := n.keys[key].out.Act.(protocol.StartPoll); is && n.keys[key].ref.Room == p.id {
			return n.keys[key]
		}
	}
	return nil
}

// meddle lets somebody do what steers a vote where the bot allows it: react many times, remove the reaction of somebody else,
// or call themselves as another one is called.
func (h *history) meddle(n *network, p *place) {
	who, other := n.users[h.IntN(len(n.users))], n.users[h.IntN(len(n.users))]
	if !p.members[who] {
		return
	}
	h.tally.meddled++
	switch h.IntN(3) {
	case 0:
		for range 10 {
			h.react(n)
		}
	case 1:
		h.happens(n, p, who, protocol.MemberChange{User: who, Membership: protocol.Joined, Name: other.Local(), Profile: true})
	case 2:
		for _, key := range n.order {
			m := n.keys[key]
			if !n.cursor || m.ref.Room != p.id || len(m.likes) == 0 || m.likes[0].User == who { // elsewhere a removal has no author
				continue
			}
			h.happens(n, p, who, protocol.Deletion{Target: m.likes[0].Event})
			m.likes = m.likes[1:]
			return
		}
	}
}

func (h *history) comeOrGo(n *network, p *place) {
	who := n.users[h.IntN(len(n.users)-1)] // ned stays
	change := protocol.MemberChange{User: who, Membership: protocol.Joined, Name: who.Local()}
	if p.members[who] {
		change.Membership = pick(h, []protocol.Membership{protocol.Left, protocol.Kicked, protocol.Banned})
	}
	p.members[who] = !p.members[who]
	p.ever[who] = true
	if !p.members[who] && h.IntN(2) == 0 { // on some networks that is over then
		delete(p.held, who)
	}
	h.happens(n, p, who, change)
}

func (h *history) throwOut(n *network, p *place) {
	if !p.bot {
		if n.cursor && h.IntN(2) == 0 { // where one is invited, and not added
			h.invite(n, p)
			return
		}
		h.rejoin(n, p)
		return
	}
	how := pick(h, []protocol.Membership{protocol.Left, protocol.Kicked, protocol.Banned})
	out := protocol.MemberChange{User: n.self, Self: true, Bot: true, Membership: how}
	switch h.IntN(4) {
	case 0: // and back before it knows, having missed something
		h.happens(n, p, n.users[0], out)
		p.bot = false
		h.happens(n, p, n.users[0], protocol.Message{Text: "!m ping"})
		h.rejoin(n, p)
	case 1: // and back without ever having been told that it was out
		p.bot = false
		h.note("%s: the bot is thrown out and not told", p.id)
		n.event(p, n.users[0], out)
		h.missed = append(h.missed, n.event(p, n.users[0], protocol.Message{Text: "!m ping"}).Ref())
		h.rejoin(n, p)
	default:
		h.happens(n, p, n.users[0], out)
		p.bot = false
	}
}

// flood lets many people talk at once, so that a delivery takes several commits.
func (h *history) flood(n *network, p *place) {
	for range 70 + h.IntN(100) {
		ev := n.event(p, n.users[h.IntN(len(n.users))], protocol.Message{Text: "so much to say"})
		if p.bot {
			n.tell(ev)
		}
	}
	h.note("%s is flooded", p.id)
	if n.up && n.adapter < len(n.log) { // and what comes behind it is done before it is
		h.deliver(n, len(n.log))
		h.whisper(n)
		h.deliver(n, 1)
	}
}

func (h *history) online(n *network, up bool) {
	n.up, n.told = up, n.told || up
	h.waiting = append(h.waiting, bot.Online{Network: n.name, Up: up})
	h.note("%s is online: %v", n.name, up)
	if up && !n.cursor && h.IntN(3) == 0 { // a new session begins a little before where the last one ended
		n.adapter = max(0, n.adapter-h.IntN(3))
	}
}

// pass lets time pass.
func (h *history) pass() {
	d := pick(h, []time.Duration{time.Second, 5 * time.Second, time.Minute, 5 * time.Minute, 20 * time.Minute, time.Hour, 7 * time.Hour, 26 * time.Hour})
	h.elapse(d)
	h.note("%s pass", d)
}

// archive moves facts that are old to the archive.
func (h *history) archive() error {
	if h.full || h.held {
		return nil
	}
	moved, _, err := h.life.bus.ArchiveStep(h.flow.Last(), 1+h.IntN(60))
	if h.on() && errors.Is(err, store.ErrShip) {
		return h.crash()
	}
	h.tally.archived += moved
	h.note("%d facts are archived", moved)
	return err
}

// again delivers once more what was taken before.
func (h *history) again(n *network) {
	if n.adapter == 0 || !n.up {
		return
	}
	from := h.IntN(n.adapter)
	to := min(from+1+h.IntN(4), n.adapter)
	for i := from; i < to; i++ {
		if !n.acked[i] {
			return // it is under way
		}
	}
	h.tally.again++
	h.note("%s delivers %d to %d again", n.name, from, to)
	evs := n.mixed(n.log[from:to])
	h.batch(n, protocol.Cursor{}, evs, &sentBatch{from, to})
}

func (h *history) deliver(n *network, pieces int) {
	cursor, evs, b := n.deliver(pieces)
	h.note("%s delivers up to %d: %d events", n.name, b.to, len(evs))
	h.batch(n, cursor, evs, b)
}

// batch puts a delivery among what the machine gets with its next step.
func (h *history) batch(n *network, cursor protocol.Cursor, evs []protocol.Event, of *sentBatch) {
	h.delivered(evs)
	b := &bot.Batch{Network: n.name, Events: evs, Cursor: cursor}
	h.batches[b] = taken{n, of}
	h.waiting = append(h.waiting, bot.Admitted{Batch: b})
}

// fate is what becomes of an attempt.
type fate int

const (
	ok         fate = iota
	okToo           // most of them work
	okAsWell        //
	lost            // it works, and its answer is lost
	notDone         // it does not work this time
	wait            // the network asks to wait
	asOfBefore      // it works; a list is one of when the attempt began
	silent          // the network does it, and says so later, or never
	fates
)

// reply lets an attempt end.
func (h *history) reply(i int, f fate) {
	fl := h.flying[i]
	if !fl.net.up && (f == ok || f == okToo || f == okAsWell || f == asOfBefore) {
		f = notDone
	}
	if f == silent {
		if fl.a.Out != nil && !fl.done {
			fl.done = true
			fl.ref, fl.err = fl.net.send(fl.a)
			h.note("%s is done, and nothing said", fl.a.Key)
		}
		return
	}
	if fl.list != nil && f == ok && fl.net.up && h.IntN(2) == 0 {
		f = asOfBefore
	}
	h.flying = slices.Delete(h.flying, i, i+1)
	var ref protocol.Ref
	var body protocol.Body
	var err error
	if fl.done && (f == notDone || f == wait) {
		f = lost
	}
	switch f {
	case notDone:
		err = errLost
	case wait:
		err = &protocol.SendError{RetryAfter: 3 * time.Second, Err: errors.New("too fast")}
	default:
		if fl.a.Ask != nil {
			if body, err = fl.net.answer(fl.a); f == asOfBefore && fl.list != nil && err == nil {
				body = *fl.list
			}
		} else if ref, err = fl.ref, fl.err; !fl.done {
			ref, err = fl.net.send(fl.a)
		}
		if f == lost {
			ref, body, err = protocol.Ref{}, nil, errLost
		}
	}
	h.tally.fate(f, err)
	h.note("%s ends: %v", fl.a.Key, err)
	if fl.a.Ask != nil {
		h.waiting = append(h.waiting, bot.Answered{Ask: *fl.a.Ask, Attempt: fl.a.Try.N, Result: body, Err: err})
		return
	}
	h.waiting = append(h.waiting, bot.Sent{Key: fl.a.Key, Ref: ref, Err: err})
}

// retryDead mends the fuse, or breaks it, and has a dead letter tried again.
func (h *history) retryDead() error {
	h.mended = h.IntN(2) == 0
	return h.life.store.View(func(tx *store.Tx) error {
		for l := range tx.Letters(0) {
			h.note("dead letter %d is to be tried again, mended: %v", l.ID, h.mended)
			h.tally.retried++
			h.waiting = append(h.waiting, bot.RetryDead{ID: l.ID})
			if h.IntN(2) == 0 {
				return nil
			}
		}
		return nil
	})
}

func pick[T any](h *history, from []T) T { return from[h.IntN(len(from))] }
