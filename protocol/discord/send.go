package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

// nonceWindow is for how long Discord surely knows a nonce again. Its documentation says "the past
// few minutes".
const nonceWindow = 90 * time.Second

// setBack is by how much a clock may have been set back between an attempt and the start after it, for the attempt to be found.
const setBack = 24 * time.Hour

var (
	errEmpty    = final(errors.New("there is nothing to say"))
	errGuildYet = errors.New("discord has not told of the server yet")
)

// target is where something is sent.
type target struct {
	channel string
	guild   string // zero in a private conversation
	room    protocol.RoomID
}

// Send implements protocol.Adapter.
func (a *Adapter) Send(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt) (protocol.Ref, error) {
	if err := ctx.Err(); err != nil {
		return protocol.Ref{}, err
	}
	// Also what needs nothing of it waits for the greeting: an attempt may come before Run has set
	// anything up.
	if err := a.awaitReady(ctx, ""); err != nil {
		return protocol.Ref{}, err
	}
	h, native := parseHandle(out.Handle)
	switch act := out.Act.(type) {
	case protocol.Say:
		if native {
			return a.answer(ctx, out, attempt, h, words{act.Text, act.Controls, act.File}, false)
		}
		needed := int64(mayView | maySend)
		if act.File != nil {
			needed |= mayAttach
		}
		t, err := a.target(ctx, out, needed)
		if err != nil {
			return protocol.Ref{}, err
		}
		return a.post(ctx, out, attempt, t, words{act.Text, act.Controls, act.File}, act.ReplyTo)
	case protocol.Whisper:
		if native {
			return a.answer(ctx, out, attempt, h, words{act.Text, act.Controls, act.File}, true)
		}
		return a.whisper(ctx, out, attempt, act)
	case protocol.Revise:
		return a.revise(ctx, act, attempt)
	case protocol.React:
		return a.react(ctx, out, act, attempt.Original)
	}
	return protocol.Ref{}, final(fmt.Errorf("discord does not know the act %s", protocol.KindOf(out.Act)))
}

// target finds the channel for an outgoing and looks whether the bot may do there what it wants to.
func (a *Adapter) target(ctx context.Context, out protocol.Outgoing, needed int64) (target, error) {
	if channel, ok := channelOf(out.Room); ok {
		return target{channel: channel, room: out.Room}, nil
	}
	guildID, ok := guildOf(out.Room)
	if !ok {
		return target{}, noSuch("room %s", out.Room)
	}
	if err := a.here(ctx, guildID); err != nil {
		return target{}, err
	}
	t := target{channel: string(out.Place), guild: guildID, room: out.Room}
	switch {
	case t.channel == "":
		var ok bool
		a.guilds.with(guildID, func(g *guild) { t.channel, ok = g.home(a.self()) })
		if !ok {
			return t, final(errors.New("there is no channel in which the bot may write: give it View Channel and Send " +
				"Messages in one"))
		}
		return t, nil
	case !isSnowflake(t.channel):
		return t, noSuch("channel %s", t.channel)
	}
	return t, a.may(t, needed)
}

// may looks at the permissions before something is tried: Discord shuts out those who are refused
// too often.
func (a *Adapter) may(t target, needed int64) error {
	var missing []string
	var name string
	a.guilds.with(t.guild, func(g *guild) {
		c, ok := g.channels[t.channel]
		if !ok {
			return // a thread of which the bot has not heard; Discord knows
		}
		if c.thread && needed&maySend != 0 {
			needed = needed&^maySend | maySendInThread
		}
		name, missing = c.name, lacking(g.in(t.channel, a.self(), g.own), needed)
	})
	if len(missing) == 0 {
		return nil
	}
	return final(fmt.Errorf("the bot may not do that in #%s: it lacks %s", protocol.OneLine(name),
		strings.Join(missing, ", ")))
}

// mayIn is may for a channel of a room, which may be a private conversation, where everything is
// allowed.
func (a *Adapter) mayIn(room protocol.RoomID, channel string, needed int64) error {
	if guildID, ok := guildOf(room); ok {
		return a.may(target{channel: channel, guild: guildID}, needed)
	}
	return nil
}

// whisper tells somebody something in their private conversation with the bot.
func (a *Adapter) whisper(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt,
	w protocol.Whisper) (protocol.Ref, error) {
	user, ok := userOf(w.User)
	if !ok {
		return protocol.Ref{}, noSuch("person %s", w.User)
	}
	channel, err := a.directWith(ctx, user)
	if err != nil {
		return protocol.Ref{}, a.fault(err)
	}
	return a.post(ctx, out, attempt, target{channel: channel, room: directRoom(channel)}, words{w.Text, w.Controls, w.File}, "")
}

// directWith returns the channel of the private conversation with somebody, opened if there is
// none.
func (a *Adapter) directWith(ctx context.Context, user string) (string, error) {
	a.mu.Lock()
	channel := a.directs[user]
	a.mu.Unlock()
	if channel != "" {
		return channel, nil
	}
	var c struct {
		ID string `json:"id"`
	}
	err := a.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, Path: "/users/@me/channels", Body: map[string]string{"recipient_id": user},
		Into: &c, Repeat: true,
	})
	if err == nil && !isSnowflake(c.ID) {
		err = fmt.Errorf("discord opened a conversation without an id")
	}
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.directs) >= maxDirects {
		clear(a.directs)
	}
	a.directs[user] = c.ID
	return c.ID, nil
}

// words are what a message says.
type words struct {
	text     protocol.Text
	controls []protocol.Control
	file     *protocol.File // nil means none
}

// post writes messages to a channel, each with a nonce of the key, so that what is sent again
// within minutes stands once.
func (a *Adapter) post(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt, t target,
	what words, reply protocol.EventID) (protocol.Ref, error) {
	pieces := render(what.text)
	if len(pieces) == 0 {
		return protocol.Ref{}, errEmpty
	}
	if err := checkFile(what.file); err != nil {
		return protocol.Ref{}, err
	}
	var parts []protocol.EventID
	for n, p := range pieces {
		c := a.content(p, nil, false)
		if n == len(pieces)-1 {
			c.Components = a.rows(what.controls)
			c.attach(what.file, what.text)
		}
		c.Nonce, c.Enforce = nonce(out.Key, n, len(pieces)), true
		if _, id, ok := messageOf(reply); ok && n == 0 {
			c.Reference = &replyTo{Message: id}
		}
		m, err := a.stands(ctx, t, c, reply, attempt)
		if err == nil && m.ID == "" {
			err = a.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: "/channels/" + t.channel + "/messages",
				Body: c, Files: c.files, Into: &m, Repeat: true})
		}
		if err != nil {
			return protocol.Ref{}, a.fault(err)
		}
		parts = append(parts, messageID(channelOr(m.Channel, t.channel), m.ID))
	}
	return protocol.PartsRef(t.room, parts...), nil
}

// stands looks whether a message of an earlier attempt stands already, where its nonce may be
// forgotten. It returns none where there is certainly none, and an ambiguous error where that
// cannot be known.
func (a *Adapter) stands(ctx context.Context, t target, c content, reply protocol.EventID, attempt protocol.Attempt) (message, error) {
	age := time.Since(attempt.First)
	if attempt.N <= 1 || !attempt.Earlier && age < nonceWindow {
		return message{}, nil
	}
	back := age + overlap
	if attempt.Earlier {
		back += setBack
	}
	unknown := &protocol.SendError{Ambiguous: true,
		Err: errors.New("an attempt was cut short, and the bot cannot see whether it stands")}
	if t.guild != "" && a.may(t, mayView|mayRead) != nil {
		return message{}, unknown // Discord would show an empty channel
	}
	from := snowflakeAt(time.Now().Add(-back))
	if _, to, ok := messageOf(reply); ok && newer(to, from) {
		from = to // an answer is younger than what it answers, whatever a clock said
	}
	list, whole, err := a.messagesAfter(ctx, nil, t.channel, from)
	for _, m := range list {
		if m.Author == nil || m.Author.ID != a.self() {
			continue
		}
		// Of another key the bot may have said the same words, and to somebody else.
		if key := nonceOf(m.Nonce); key == c.Nonce || key == "" && m.Content == c.Content &&
			m.answers() == c.answers() && m.carries(c.files) {
			return m, nil
		}
	}
	if n := len(list); err == nil && !whole && n > 0 {
		// In a channel where much is said it is enough to have seen what came since the attempt. Only a clock that was
		// set back besides could have hidden it behind that.
		whole = timeOf(list[n-1].ID).Before(attempt.First.Add(-overlap))
	}
	if _, to, ok := messageOf(reply); ok && err == nil && a.rest.Now().Sub(timeOf(to)) < nonceWindow {
		// What is answered is young by Discord's own clock, which has just told the time: so is every attempt to answer it, and its
		// nonce is known. Where hundreds write each second more may have come since than is read.
		whole = true
	}
	switch {
	case err != nil && rest.StatusOf(err) == http.StatusForbidden, err == nil && !whole:
		return message{}, unknown
	case err != nil:
		return message{}, err
	}
	return message{}, nil
}

// nonce is the key, with the number of the piece where there are several. Those say nothing when
// they are shown again: only who sends them knows when all stand.
func nonce(key protocol.Key, piece, of int) string {
	if of == 1 {
		return string(key)
	}
	return string(key) + string("0123456789abcdefghijklmnopqrstuvwxyz"[piece%36])
}

// keyOf returns the key of a nonce that the bot has made for a message of one piece.
func keyOf(nonce string) (protocol.Key, bool) {
	if len(nonce) != 24 || strings.Trim(nonce, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	return protocol.Key(nonce), true
}

// revise edits a message, part by part. Where there is more to say than when it was sent, the end
// is left out, and that is shown; where there is less, the last parts are empty but for an
// ellipsis, so that they can be edited again.
func (a *Adapter) revise(ctx context.Context, act protocol.Revise, attempt protocol.Attempt) (protocol.Ref, error) {
	original := attempt.Original
	parts := original.Parts()
	pieces := renderIn(act.Text, len(parts))
	for n, part := range parts {
		channel, id, ok := messageOf(part)
		if !ok {
			return protocol.Ref{}, noSuch("message %s", part)
		}
		if len(pieces) == 0 {
			return protocol.Ref{}, errEmpty
		}
		if err := a.mayIn(original.Room, channel, mayView); err != nil {
			return protocol.Ref{}, later(err, attempt)
		}
		to := revision{Content: "…", Mentions: allow(nil), Components: []component{}}
		if n < len(pieces) {
			to.Content, to.Mentions = pieces[n].Content, allow(pieces[n].Users)
		}
		if n == len(pieces)-1 {
			to.Components = a.rows(act.Controls)
		}
		path := "/channels/" + channel + "/messages/" + id
		if err := a.rest.Do(ctx, rest.Request{Method: http.MethodPatch, Path: path, Body: to}); err != nil {
			return protocol.Ref{}, a.editFault(err, attempt)
		}
	}
	if parts == nil {
		return protocol.Ref{}, noSuch("message %s", original.Event)
	}
	return original, nil
}

func (a *Adapter) react(ctx context.Context, out protocol.Outgoing, act protocol.React,
	original protocol.Ref) (protocol.Ref, error) {
	event := act.Target
	if event == "" {
		event = original.Event
	}
	channel, id, ok := messageOf(event)
	if !ok {
		return protocol.Ref{}, noSuch("message %s", event)
	}
	if err := a.mayIn(out.Room, channel, mayView|mayRead|mayReact); err != nil {
		return protocol.Ref{}, err
	}
	path := "/channels/" + channel + "/messages/" + id + "/reactions/" + url.PathEscape(act.Reaction) + "/@me"
	err := a.rest.Do(ctx, rest.Request{Method: http.MethodPut, Path: path})
	return protocol.Ref{Room: out.Room, Event: reactionID(channel, id, act.Reaction)}, a.fault(err)
}
