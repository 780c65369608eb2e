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

// nonceWindow is for how long Discord surely knows a nonce again. Its documentation says "the past few minutes".
const nonceWindow = 90 * time.Second

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
	// Also what needs nothing of it waits for the greeting: an attempt may come before Run has set anything up.
	if err := a.awaitReady(ctx, ""); err != nil {
		return protocol.Ref{}, err
	}
	h, native := parseHandle(out.Handle)
	switch act := out.Act.(type) {
	case protocol.Say:
		if native {
			return a.answer(ctx, out, attempt, h, act.Text, act.Controls, false)
		}
		t, err := a.target(ctx, out, mayView|maySend)
		if err != nil {
			return protocol.Ref{}, err
		}
		return a.post(ctx, out, attempt, t, act.Text, act.Controls, act.ReplyTo)
	case protocol.Whisper:
		if native {
			return a.answer(ctx, out, attempt, h, act.Text, act.Controls, true)
		}
		return a.whisper(ctx, out, attempt, act)
	case protocol.Revise:
		return a.revise(ctx, act, attempt.Original)
	case protocol.React:
		return a.react(ctx, out, act, attempt.Original)
	case protocol.Redact:
		return a.redact(ctx, out, act, attempt.Original)
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
			return t, final(errors.New("there is no channel in which the bot may write: give it View Channel and Send Messages in one"))
		}
		return t, nil
	case !isSnowflake(t.channel):
		return t, noSuch("channel %s", t.channel)
	}
	return t, a.may(t, needed)
}

// may looks at the permissions before something is tried: Discord shuts out those who are refused too often.
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
	return final(fmt.Errorf("the bot may not do that in #%s: it lacks %s", protocol.OneLine(name), strings.Join(missing, ", ")))
}

// mayIn is may for a channel of a room, which may be a private conversation, where everything is allowed.
func (a *Adapter) mayIn(room protocol.RoomID, channel string, needed int64) error {
	if guildID, ok := guildOf(room); ok {
		return a.may(target{channel: channel, guild: guildID}, needed)
	}
	return nil
}

// whisper tells somebody something in their private conversation with the bot.
func (a *Adapter) whisper(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt, w protocol.Whisper) (protocol.Ref, error) {
	user, ok := userOf(w.User)
	if !ok {
		return protocol.Ref{}, noSuch("person %s", w.User)
	}
	channel, err := a.directWith(ctx, user)
	if err != nil {
		return protocol.Ref{}, a.fault(err)
	}
	return a.post(ctx, out, attempt, target{channel: channel, room: directRoom(channel)}, w.Text, w.Controls, "")
}

// directWith returns the channel of the private conversation with somebody, opened if there is none.
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
		Method: http.MethodPost, Path: "/users/@me/channels", Body: map[string]string{"recipient_id": user}, Into: &c, Repeat: true,
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

// post writes messages to a channel, each with a nonce of the key, so that what is sent again within minutes stands once.
func (a *Adapter) post(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt, t target, text protocol.Text, controls []protocol.Control, reply protocol.EventID) (protocol.Ref, error) {
	pieces := render(text)
	if len(pieces) == 0 {
		return protocol.Ref{}, errEmpty
	}
	var first message
	for n, p := range pieces {
		c := a.content(p, nil, false)
		if n == len(pieces)-1 {
			c.Components = a.rows(controls)
		}
		c.Nonce, c.Enforce = nonce(out.Key, n), true
		if _, id, ok := messageOf(reply); ok && n == 0 {
			c.Reference = &replyTo{Message: id}
		}
		m, err := a.stands(ctx, t, c, attempt)
		if err == nil && m.ID == "" {
			err = a.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: "/channels/" + t.channel + "/messages", Body: c, Into: &m, Repeat: true})
		}
		if err != nil {
			return protocol.Ref{}, a.fault(err)
		}
		if n == 0 {
			first = m
		}
	}
	return protocol.Ref{Room: t.room, Event: messageID(channelOr(first.Channel, t.channel), first.ID)}, nil
}

// stands looks whether a message of an earlier attempt stands already, where its nonce may be forgotten. It returns none
// where there is certainly none, and an ambiguous error where that cannot be known.
func (a *Adapter) stands(ctx context.Context, t target, c content, attempt protocol.Attempt) (message, error) {
	if attempt.N <= 1 || attempt.First.IsZero() || time.Since(attempt.First) < nonceWindow {
		return message{}, nil
	}
	unknown := &protocol.SendError{Ambiguous: true, Err: errors.New("an attempt was cut short, and the bot cannot see whether it stands")}
	if t.guild != "" && a.may(t, mayView|mayRead) != nil {
		return message{}, unknown // Discord would show an empty channel
	}
	list, whole, err := a.messagesAfter(ctx, t.channel, snowflakeAt(attempt.First.Add(-overlap)))
	for _, m := range list {
		if m.Author != nil && m.Author.ID == a.self() && (nonceOf(m.Nonce) == c.Nonce || m.Content == c.Content) {
			return m, nil
		}
	}
	switch {
	case err != nil && rest.StatusOf(err) == http.StatusForbidden, err == nil && !whole:
		return message{}, unknown
	case err != nil:
		return message{}, err
	}
	return message{}, nil
}

// nonce is the key with the number of the piece, which is none for the first.
func nonce(key protocol.Key, piece int) string {
	if piece == 0 {
		return string(key)
	}
	return string(key) + string("0123456789abcdefghijklmnopqrstuvwxyz"[piece%36])
}

// keyOf returns the key of a nonce that the bot has made for the first piece of a message.
func keyOf(nonce string) (protocol.Key, bool) {
	if len(nonce) != 24 || strings.Trim(nonce, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", false
	}
	return protocol.Key(nonce), true
}

// revise edits a message.
func (a *Adapter) revise(ctx context.Context, act protocol.Revise, original protocol.Ref) (protocol.Ref, error) {
	channel, id, ok := messageOf(original.Event)
	if !ok {
		return protocol.Ref{}, noSuch("message %s", original.Event)
	}
	r := renderOne(act.Text)
	if r.Content == "" {
		return protocol.Ref{}, errEmpty
	}
	if err := a.mayIn(original.Room, channel, mayView); err != nil {
		return protocol.Ref{}, err
	}
	err := a.rest.Do(ctx, rest.Request{
		Method: http.MethodPatch, Path: "/channels/" + channel + "/messages/" + id,
		Body: revision{r.Content, allow(r.Users), a.rows(act.Controls)},
	})
	return original, a.fault(err)
}

func (a *Adapter) react(ctx context.Context, out protocol.Outgoing, act protocol.React, original protocol.Ref) (protocol.Ref, error) {
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

// redact removes a message, or a reaction of the bot. What is gone already is removed.
func (a *Adapter) redact(ctx context.Context, out protocol.Outgoing, act protocol.Redact, original protocol.Ref) (protocol.Ref, error) {
	event := act.Target
	if event == "" {
		event = original.Event
	}
	var path string
	if channel, id, reaction, ok := reactionOf(event); ok {
		path = "/channels/" + channel + "/messages/" + id + "/reactions/" + url.PathEscape(reaction) + "/@me"
	} else if channel, id, ok := messageOf(event); ok {
		needed := int64(mayView)
		if act.Target != "" && act.Original == "" { // of somebody else, as far as it is known here
			needed |= mayManage
		}
		if err := a.mayIn(out.Room, channel, needed); err != nil {
			return protocol.Ref{}, err
		}
		path = "/channels/" + channel + "/messages/" + id
	} else {
		return protocol.Ref{}, noSuch("message %s", event)
	}
	err := a.rest.Do(ctx, rest.Request{Method: http.MethodDelete, Path: path, Reason: protocol.OneLine(act.Reason)})
	if rest.CodeOf(err) == rest.CodeUnknownMessage {
		err = nil
	}
	return protocol.Ref{}, a.fault(err)
}

// final is an error after which trying again is of no use.
func final(err error) error { return &protocol.SendError{Final: true, Err: err} }

// noSuch is the error of what is not there.
func noSuch(format string, args ...any) error {
	return final(fmt.Errorf("%w: "+format, append([]any{protocol.ErrGone}, args...)...))
}

// fault says what an error of Discord means for the sender.
func (a *Adapter) fault(err error) error {
	var e *rest.Error
	var se *protocol.SendError
	switch {
	case err == nil, errors.As(err, &se):
		return err
	case errors.Is(err, rest.ErrToken):
		a.fail(err) // the run ends, and what waits is sent by the next
		return err
	case errors.Is(err, errUndeliverable) && !errors.As(err, &e):
		return final(err)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code {
	case rest.CodeUnknownChannel, rest.CodeUnknownGuild, rest.CodeUnknownMessage, rest.CodeMissingAccess, rest.CodeUnknownUser:
		return final(fmt.Errorf("%w: %w", protocol.ErrGone, err))
	case rest.CodeCannotMessageUser:
		return final(fmt.Errorf("the person takes no private messages of the bot: %w", err))
	}
	switch {
	case e.Ambiguous:
		return &protocol.SendError{Ambiguous: true, Err: err}
	case e.RetryAfter > 0:
		return &protocol.SendError{RetryAfter: e.RetryAfter, Err: err}
	case e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests:
		return final(err)
	}
	return err
}
