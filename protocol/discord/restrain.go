package discord

import (
	"context"
	"net/http"
	"time"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

// longestTimeout is how long Discord lets a timeout be, less a day, so that it is surely taken
// (developer documentation, "Modify Guild Member": 28 days).
const longestTimeout = 27 * 24 * time.Hour

// wireMember is a member as far as a restraint goes.
type wireMember struct {
	Roles    []string   `json:"roles"`
	TimedOut *time.Time `json:"communication_disabled_until"`
}

// restrain makes it so that a member is held back, or is not. It looks first and acts only where
// that is not so, and where the bot may.
func (a *Adapter) restrain(ctx context.Context, room protocol.RoomID,
	want protocol.AskRestrain) (protocol.Body, error) {
	answer := protocol.Restrained{User: want.User, On: want.On}
	refused := func(why protocol.Refusal) (protocol.Body, error) {
		answer.On, answer.Refused = !want.On, why
		return answer, nil
	}
	if !a.cfg.Enforcement.Timeout && a.cfg.Enforcement.Role == "" {
		return refused(protocol.RefusedOff)
	}
	guildID, err := a.guildIn(ctx, room)
	if err != nil {
		return nil, err
	}
	user, ok := userOf(want.User)
	if !ok {
		return refused(protocol.RefusedAbsent)
	}
	at := "/guilds/" + guildID + "/members/" + user
	var m wireMember
	err = a.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: at, Into: &m})
	switch code := rest.CodeOf(err); {
	case code == rest.CodeUnknownMember || code == rest.CodeUnknownUser:
		return refused(protocol.RefusedAbsent)
	case err != nil:
		return nil, err
	}
	var do rest.Request
	var why protocol.Refusal
	a.guilds.with(guildID, func(g *guild) {
		if a.cfg.Enforcement.Timeout {
			do, answer.Until, why = a.timeOut(g, user, m, want.On)
		} else {
			do, why = a.giveRole(g, user, m, want.On)
		}
	})
	switch {
	case why != "":
		return refused(why)
	case do.Method == "":
		return answer, nil // it is so already
	}
	do.Path, do.Reason = at+do.Path, protocol.OneLine(want.Reason)
	err = a.rest.Do(ctx, do)
	switch {
	case rest.CodeOf(err) == rest.CodeMissingPermissions && a.cfg.Enforcement.Timeout:
		return refused(protocol.RefusedOutranked) // the roles are others than the bot knew
	case rest.CodeOf(err) == rest.CodeMissingPermissions:
		return refused(protocol.RefusedMeans)
	case rest.CodeOf(err) == rest.CodeUnknownMember:
		return refused(protocol.RefusedAbsent)
	case err != nil:
		return nil, err
	}
	return answer, nil
}

// timeOut returns what to send for a timeout, nothing where it is as wanted, or why it cannot be.
// Owners and administrators cannot be timed out.
func (a *Adapter) timeOut(g *guild, user string, m wireMember, on bool) (do rest.Request, until time.Time,
	why protocol.Refusal) {
	now := time.Now().UTC()
	stands := m.TimedOut != nil && m.TimedOut.After(now)
	switch {
	case on && stands && m.TimedOut.Sub(now) > longestTimeout/2:
		return do, m.TimedOut.UTC(), ""
	case !on && !stands:
		return do, until, ""
	case g.base(a.self(), g.own)&mayTimeOut == 0:
		return do, until, protocol.RefusedPower
	case on && g.base(user, m.Roles)&administrator != 0, g.outranks(user, m.Roles, a.self()):
		return do, until, protocol.RefusedOutranked
	}
	var value any
	if on {
		until = now.Add(longestTimeout).Truncate(time.Second)
		value = until.Format(time.RFC3339)
	}
	return rest.Request{Method: http.MethodPatch,
		Body: map[string]any{"communication_disabled_until": value}}, until, ""
}

// giveRole is timeOut for a role.
func (a *Adapter) giveRole(g *guild, user string, m wireMember, on bool) (do rest.Request, why protocol.Refusal) {
	id, ok := g.roleCalled(a.cfg.Enforcement.Role)
	switch {
	case !ok && !on:
		return do, ""
	case !ok:
		return do, protocol.RefusedSetting
	case contains(m.Roles, id) == on:
		return do, ""
	case g.base(a.self(), g.own)&mayGiveRoles == 0:
		return do, protocol.RefusedPower
	case a.self() != g.owner && g.rank(g.own) <= g.roles[id].position:
		return do, protocol.RefusedMeans
	}
	do = rest.Request{Method: http.MethodPut, Path: "/roles/" + id}
	if !on {
		do.Method = http.MethodDelete
	}
	return do, ""
}

// outranks reports whether somebody stands as high as the bot, or higher.
func (g *guild) outranks(user string, roles []string, bot string) bool {
	return user == g.owner || bot != g.owner && g.rank(roles) >= g.rank(g.own)
}

// roleCalled finds a role by its name or id.
func (g *guild) roleCalled(name string) (id string, ok bool) {
	if _, ok := g.roles[name]; ok && name != g.id {
		return name, true
	}
	for id, r := range g.roles {
		if r.name == name && id != g.id {
			return id, true
		}
	}
	return "", false
}
