package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moot/protocol"
	"moot/protocol/discord/discordtest"
)

// discordTown is a guild.
func discordTown(t *testing.T) *netTown {
	b := &discordBot{T: t, srv: discordtest.New(t), dir: t.TempDir()}
	b.configure("message_content = true\n[commands]\nrate_burst = 1000")
	town := b.settle("Lab")
	n := &netTown{
		command: b.command, rooms: 1, data: filepath.Join(b.dir, "data"),
		online: func() bool { return b.srv.Online() > 0 && len(b.srv.Commands()) > 0 },
		kick:   town.KickBot, invite: func() {
			b.srv.Advance(2 * time.Millisecond) // ids are of a millisecond, and what was said before is history
			town.Invite()
		},
		host:       strings.TrimPrefix(b.srv.GatewayURL(), "ws://"),
		through:    func(host string) { b.srv.Set(func(s *discordtest.Server) { s.ResumeURL = "ws://" + host }) },
		identified: b.srv.Identified,
		names:      map[string]string{town.ID: "guild", town.general.ID: "channel", b.srv.Bot.ID: "moot", town.Owner().ID: "owner"},
	}
	people := []*discordtest.User{town.ann, town.ben, town.cem, town.dan}
	for _, p := range people {
		n.names[p.ID] = p.Name
	}
	n.say = func(i int) protocol.Ref {
		m := people[uint(i)%4].Says(town.general, "!moot ping")
		return protocol.Ref{Room: protocol.RoomID("discord:" + town.ID), Event: protocol.EventID(town.general.ID + "-" + m.ID)}
	}
	n.answers = func() map[protocol.EventID][]string {
		got := map[protocol.EventID][]string{}
		for _, m := range town.ann.Sees(town.general) {
			if m.AuthorID == b.srv.Bot.ID && m.ReplyTo != "" {
				to := protocol.EventID(town.general.ID + "-" + m.ReplyTo)
				got[to] = append(got[to], m.Content)
			}
		}
		return got
	}
	return n
}
