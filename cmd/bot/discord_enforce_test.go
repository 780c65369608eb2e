package main

import (
	"slices"
	"testing"

	"moot/protocol/discord/discordtest"
)

// TestDiscordEnforcement: who is challenged is timed out, or gets a role, until they are restored. Where the bot cannot do
// that the room is told why, and as soon as it can it does.
func TestDiscordEnforcement(t *testing.T) {
	for kind, line := range map[string]string{
		"timeout": `enforcement = "timeout"`, "role": "enforcement = \"role\"\nenforcement_role = \"Challenged\"",
	} {
		t.Run(kind, func(t *testing.T) {
			b := newDiscordBot(t, line)
			town := b.settle("Lab")
			b.operate(town.ben)
			b.start()
			town.ready()
			held := func(u *discordtest.User) bool {
				if kind == "role" {
					return slices.Contains(town.Roles(u), "Challenged")
				}
				return town.TimedOut(u).After(b.srv.Now())
			}
			override := func(what string, u *discordtest.User) {
				t.Helper()
				got := town.ben.Slash(town.ben.DM(), "override "+what, discordtest.Options{"person": u, "reason": "floods"}).Reply().Content
				b.expect(what, got, "announced in the room")
			}
			bad := &discordtest.Role{}
			override("challenge", town.dan)
			if kind == "role" {
				b.shows(town.cem, town.general, town.dan.ID, "my configuration names something for that which does not exist here")
				bad = town.NewRole("Challenged", 0)
				b.shows(town.cem, town.general, town.dan.ID, "I lack the permission for that")
				town.SetPermissions(town.BotRole(), discordtest.BotPermissions|discordtest.ManageRoles)
				b.shows(town.cem, town.general, town.dan.ID, "the role that I use for that ranks as high as mine")
				town.Give(b.srv.Bot, town.NewRole("top", 0))
			} else {
				b.shows(town.cem, town.general, town.dan.ID, "I lack the permission for that")
				town.SetPermissions(town.BotRole(), discordtest.BotPermissions|discordtest.ModerateMembers)
			}
			b.srv.Until("it is enforced", func() bool { return held(town.dan) })
			override("restore", town.dan)
			b.srv.Until("it is lifted", func() bool { return !held(town.dan) })

			override("challenge", town.cem)
			b.srv.Until("it is enforced", func() bool { return held(town.cem) })
			if kind == "role" {
				town.DeleteRole(bad) // and with it its effect
				override("restore", town.cem)
			} else {
				town.SetPermissions(town.BotRole(), discordtest.BotPermissions)
				override("restore", town.cem)
				b.shows(town.ann, town.general, town.cem.ID, "is restored. But I cannot lift what holds them back in this room: I lack the permission")
				town.SetPermissions(town.BotRole(), discordtest.BotPermissions|discordtest.ModerateMembers)
				b.srv.Until("it is lifted", func() bool { return !held(town.cem) })
				override("challenge", town.Owner()) // whom nobody can time out
				b.shows(town.ann, town.general, town.Owner().ID, "they rank as high in it as I do, or higher")
			}
			b.stop()
			b.run("verify")
		})
	}
}
