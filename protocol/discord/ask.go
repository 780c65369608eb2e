package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

var errCannotJoin = errors.New("a bot cannot join a server by itself: somebody who may manage the server has to " +
	"invite it (moot check shows the link)")

// Ask implements protocol.Adapter.
func (a *Adapter) Ask(ctx context.Context, ask protocol.Ask, attempt protocol.Attempt) (protocol.Body, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := a.awaitReady(ctx, ""); err != nil {
		return nil, err
	}
	body, err := a.learn(ctx, ask)
	if err != nil {
		return nil, a.fault(err)
	}
	return body, nil
}

func (a *Adapter) learn(ctx context.Context, ask protocol.Ask) (protocol.Body, error) {
	switch want := ask.Want.(type) {
	case protocol.AskMembers:
		if channel, ok := channelOf(ask.Room); ok {
			return a.pair(ctx, channel)
		}
		guildID, err := a.guildIn(ctx, ask.Room)
		if err != nil {
			return nil, err
		}
		return a.membersOf(ctx, guildID, "", string(ask.Key))
	case protocol.AskRole:
		return a.holders(ctx, ask.Room, want.Role, string(ask.Key))
	case protocol.AskJoin:
		if _, err := a.guildIn(ctx, ask.Room); err == nil || !errors.Is(err, protocol.ErrGone) {
			return nil, err
		}
		return nil, final(errCannotJoin)
	case protocol.AskLeave:
		guildID, err := a.guildIn(ctx, ask.Room)
		if errors.Is(err, protocol.ErrGone) {
			return nil, nil // it is not in there
		}
		if err != nil {
			return nil, err
		}
		a.willLeave(guildID, true)
		err = a.rest.Do(ctx, rest.Request{Method: http.MethodDelete, Path: "/users/@me/guilds/" + guildID})
		if err != nil {
			a.willLeave(guildID, false)
		}
		return nil, err
	case protocol.AskRestrain:
		return a.restrain(ctx, ask.Room, want)
	}
	return nil, final(fmt.Errorf("discord does not know how to %s", protocol.KindOf(ask.Want)))
}

// guildIn returns the guild that a room is and that the bot is in.
func (a *Adapter) guildIn(ctx context.Context, room protocol.RoomID) (string, error) {
	guildID, ok := guildOf(room)
	if !ok {
		return "", noSuch("room %s", room)
	}
	return guildID, a.here(ctx, guildID)
}
