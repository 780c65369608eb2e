package discord

import (
	"context"

	"moot/protocol"
)

// onReaction takes in a reaction that was added: a sign of life, and nothing else. Ballots are cast
// by what can be pressed, because moderators can remove reactions, and nobody is told who did.
func (a *Adapter) onReaction(ctx context.Context, r reaction, delivery string) error {
	name := r.Emoji.String()
	if !isSnowflake(r.User) || !isSnowflake(r.Channel) || !isSnowflake(r.Message) || r.Guild != "" &&
		!isSnowflake(r.Guild) || name == "" {
		return a.unreadable(ctx, "MESSAGE_REACTION_ADD", delivery)
	}
	about := "reaction-" + r.User + "-" + r.Message + "-" + name
	bot := r.User == a.self() || r.Member != nil && r.Member.User != nil && r.Member.User.Bot
	return a.lanes.put(ctx, work{room: roomOf(r.Guild, r.Channel), about: about,
		make: func(context.Context) []protocol.Event {
			return []protocol.Event{{
				Room: roomOf(r.Guild, r.Channel), Place: placeOf(r.Guild, r.Channel), Private: r.Guild == "",
				Hidden: a.guilds.hidden(r.Guild, r.Channel),
				ID:     protocol.EventID("reaction-" + delivery), Sender: userID(r.User),
				Body: protocol.ReactionAdded{Target: messageID(r.Channel, r.Message), Reaction: name, Bot: bot},
			}}
		}})
}
