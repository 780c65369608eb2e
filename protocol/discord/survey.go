package discord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/internal/finding"
	"moot/internal/generation"
	"moot/protocol"
	"moot/protocol/discord/rest"
)

const (
	portalURL = "https://discord.com/developers/applications"
	newToken  = "take a new one at " + portalURL + " → your application → Bot → Reset Token"
	putToken  = ", and put it where token in [discord] points"
	// fewSessions is how many session starts are few: a start costs one per shard.
	fewSessions = 50
	// mostNamed is how many servers a survey names.
	mostNamed = 10
)

// Flags of an application that say which privileged intents are switched on; the second of each
// pair is for those in fewer than 100 servers, or, since 2026, with fewer than 10,000 people.
// https://discord.com/developers/docs/resources/application#application-object-application-flags
const (
	flagsMembers = 1<<14 | 1<<15
	flagsContent = 1<<18 | 1<<19
)

// Needs returns the permissions that the bot needs in a server.
func Needs(e Enforcement) int64 {
	need := int64(mayView | maySend | maySendInThread | mayRead)
	switch {
	case e.Timeout:
		need |= mayTimeOut
	case e.Role != "":
		need |= mayGiveRoles
	}
	return need
}

// InviteLink is where somebody who may manage a server adds the bot to it, with the permissions
// that it needs.
func InviteLink(application string, permissions int64) string {
	q := url.Values{"client_id": {application}, "scope": {"bot applications.commands"},
		"permissions": {strconv.FormatInt(permissions, 10)}}
	return "https://discord.com/oauth2/authorize?" + q.Encode()
}

// Application is what a token belongs to.
type Application struct {
	ID, Name string
	Owner    string // the id of the person to whom it belongs; zero where that is nobody
	Invite   string // the link by which the bot is added to a server
}

// Identify asks Discord whose token it is and whether the intents are switched on that the bot needs, and changes nothing.
// Without the application the findings say why it is not known.
func Identify(ctx context.Context, cfg Config) (*Application, []finding.Finding) {
	s := newSurvey(ctx, cfg)
	s.asking = true
	defer s.rest.Close()
	if !s.application() {
		return nil, s.found
	}
	s.intents()
	app := &Application{ID: s.app.ID, Name: s.app.Name, Owner: s.app.Team.Owner, Invite: InviteLink(s.app.ID, Needs(cfg.Enforcement))}
	if app.Owner == "" && !s.app.Owner.Bot {
		app.Owner = s.app.Owner.ID
	}
	return app, s.found
}

// Who returns what somebody is called on Discord; zero where there is no such account.
func Who(ctx context.Context, cfg Config, id string) (name string, err error) {
	s := newSurvey(ctx, cfg)
	defer s.rest.Close()
	var user struct {
		Username string
		Global   string `json:"global_name"`
	}
	err = s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/users/" + url.PathEscape(id), Into: &user})
	if rest.CodeOf(err) == rest.CodeUnknownUser {
		return "", nil
	}
	return cmp.Or(user.Global, user.Username), err
}

// Repair registers the commands of the bot where others stand with Discord, and says how many; 0 where they stood already, or none do
// yet, which the first start sees to.
func Repair(ctx context.Context, cfg Config) (count int, err error) {
	s := newSurvey(ctx, cfg)
	defer s.rest.Close()
	if err := s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/applications/@me", Into: &s.app}); err != nil {
		return 0, err
	}
	path, r := "/applications/"+s.app.ID+"/commands", Register(cfg.Commands)
	var have []registered
	if err := s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: path, Query: withLocales, Into: &have}); err != nil {
		return 0, err
	}
	if len(have) == 0 || r.stands(have) {
		return 0, nil
	}
	return len(r.Names), s.rest.Do(ctx, rest.Request{Method: http.MethodPut, Path: path, Body: r.Commands})
}

func newSurvey(ctx context.Context, cfg Config) *survey {
	return &survey{ctx: ctx, cfg: cfg, rest: rest.New(rest.Config{
		Token: cfg.Token, URL: cfg.APIURL, Version: cfg.Version, Transport: cfg.Transport, MaxWait: 5 * time.Second,
	})}
}

// Survey asks Discord about everything that can keep the bot from its work there, and changes
// nothing. Left is what the data folder remembers of what it has left there; zero where that is not known.
func Survey(ctx context.Context, cfg Config, left string) []finding.Finding {
	s := newSurvey(ctx, cfg)
	defer s.rest.Close()
	if s.application() {
		s.newest(left)
		s.intents()
		s.sessions()
		s.commands()
		s.servers()
		s.add(finding.OK, "discord invitation", "to add the bot to "+
			"a server, open "+InviteLink(s.app.ID, Needs(cfg.Enforcement)), "")
	}
	return s.found
}

// survey is a Survey under way.
type survey struct {
	ctx   context.Context
	cfg   Config
	rest  *rest.Client
	found []finding.Finding
	// asking is whether somebody is being asked for the token, who has put it nowhere yet.
	asking bool
	app    struct {
		ID, Name string
		Flags    int64
		Public   bool   `json:"bot_public"`
		Grant    bool   `json:"bot_require_code_grant"`
		Endpoint string `json:"interactions_endpoint_url"`
		Owner    struct {
			ID  string
			Bot bool
		}
		Team struct {
			Owner string `json:"owner_user_id"`
		}
	}
}

func (s *survey) add(status finding.Status, what, text, do string) {
	s.found = append(s.found, finding.New(status, what, text, do))
}

// get asks one thing, and says where it cannot be had.
func (s *survey) get(what, path string, into any) bool {
	path, query, _ := strings.Cut(path, "?")
	values, _ := url.ParseQuery(query) // ours
	ctx, cancel := finding.Part(s.ctx)
	defer cancel()
	err := s.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: path, Query: values, Into: into})
	switch {
	case err == nil:
		return true
	case errors.Is(err, rest.ErrToken):
		do := newToken
		if !s.asking {
			do += putToken
		}
		s.add(finding.Fail, "discord", "Discord does not accept the bot's token, which is wrong or was reset", do)
	case rest.StatusOf(err) == 0:
		s.add(finding.Fail, what, "Discord does not answer: "+said(err),
			"look after the network, and after api_url in [discord], which is "+cmp.Or(s.cfg.APIURL, "not set"))
	default:
		s.add(finding.Fail, what, said(err), "try again in a moment")
	}
	return false
}

func said(err error) string { return protocol.Clean(err.Error()) }

func (s *survey) application() bool {
	if !s.get("discord", "/applications/@me", &s.app) {
		return false
	}
	if !isSnowflake(s.app.ID) {
		s.add(finding.Fail, "discord", "what answers does not say whose token it is: it is not Discord, or something stands before it",
			"look after api_url in [discord], which is "+cmp.Or(s.cfg.APIURL, "not set"))
		return false
	}
	s.add(finding.OK, "discord", fmt.Sprintf("the token is that of the application %s (%s)",
		protocol.Quoted(s.app.Name, 0), s.app.ID), "")
	settings := portalURL + "/" + s.app.ID
	if s.app.Endpoint != "" {
		s.add(finding.Fail, "discord commands", "Discord sends slash commands and buttons to the "+
			"Interactions Endpoint URL "+protocol.Quoted(s.app.Endpoint, 0)+", and not to the bot",
			"clear that field at "+settings+" → General Information, and save")
	}
	if s.app.Grant {
		s.add(finding.Warn, "discord invitation", "nobody can add the bot to a server, since the application requires an "+
			"OAuth2 code grant",
			"switch off “Requires OAuth2 Code Grant” at "+settings+" → Bot, and save")
	}
	if !s.app.Public {
		s.add(finding.OK, "discord invitation", "only you can add the bot to a server, since it is not public", "")
	}
	return true
}

// newest looks whether another data folder has used the application since this one did.
func (s *survey) newest(left string) {
	if left == "" {
		return
	}
	found, _, err := readGeneration(s.ctx, s.rest, s.app.ID)
	if err != nil {
		return // the bot goes on without it, and what it cannot do without is asked as well
	}
	if _, err := generation.Next(left, found); err != nil {
		s.add(finding.Fail, "discord", generation.What, generation.Do)
	}
}

// intents compares what is switched on in the portal with what the bot asks for. Discord ends the
// connection of a bot that asks for more.
func (s *survey) intents() {
	where := "switch it on at " + portalURL + "/" + s.app.ID + " → Bot → Privileged Gateway Intents, and save"
	want := Intents(s.cfg.MessageContent)
	missing := false
	for _, i := range []struct {
		intent discordgo.Intent
		flags  int64
		name   string
		other  string
	}{
		{discordgo.IntentGuildMembers, flagsMembers, "Server Members Intent", ""},
		{discordgo.IntentMessageContent, flagsContent, "Message Content Intent",
			", or set message_content = false in [discord]"},
	} {
		if want&i.intent != 0 && s.app.Flags&i.flags == 0 {
			missing = true
			s.add(finding.Fail, "discord intents", "the “"+i.name+"” is switched off, without which Discord "+
				"refuses the bot", where+i.other)
		}
	}
	if !missing {
		s.add(finding.OK, "discord intents", "all that the bot needs are switched on", "")
	}
}

func (s *survey) sessions() {
	var info struct {
		Shards int
		Limit  struct {
			Total, Remaining int
			ResetAfter       int64 `json:"reset_after"` // milliseconds
		} `json:"session_start_limit"`
	}
	if !s.get("discord sessions", "/gateway/bot", &info) {
		return
	}
	shards := cmp.Or(s.cfg.Shards, info.Shards)
	text := fmt.Sprintf("%d of %d starts of today are left; each start of the bot takes %d, one for each shard",
		info.Limit.Remaining, info.Limit.Total, shards)
	reset := (time.Duration(info.Limit.ResetAfter) * time.Millisecond).Round(time.Minute)
	switch {
	case info.Limit.Remaining < shards:
		s.add(finding.Fail, "discord sessions", text, fmt.Sprintf("wait; there are %d again in %s. If the bot was not "+
			"restarted that often, its log says why it began so many sessions", info.Limit.Total, reset))
	case info.Limit.Remaining < fewSessions:
		s.add(finding.Warn, "discord sessions", text, fmt.Sprintf("restart the bot as little as you can "+
			"for the next %s", reset))
	default:
		s.add(finding.OK, "discord sessions", text, "")
	}
	if s.cfg.Shards > 0 && s.cfg.Shards < info.Shards {
		s.add(finding.Warn, "discord shards", fmt.Sprintf("shards in [discord] is %d, and Discord advises %d", s.cfg.Shards,
			info.Shards), "set shards = 0, so that Discord says how many")
	}
}

// commands compares what is registered with what the bot has.
func (s *survey) commands() {
	var have []struct{ Name string }
	if !s.get("discord commands", "/applications/"+s.app.ID+"/commands", &have) {
		return
	}
	if len(have) == 0 {
		s.add(finding.OK, "discord commands", "none are registered; the bot does that when it starts", "")
		return
	}
	var names []string
	for _, c := range have {
		names = append(names, c.Name)
	}
	want := Register(s.cfg.Commands).Names
	missing := slices.DeleteFunc(slices.Clone(want), func(n string) bool { return slices.Contains(names, n) })
	foreign := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(want, n) })
	if len(missing) == 0 && len(foreign) == 0 {
		s.add(finding.OK, "discord commands", fmt.Sprintf("all %d are registered", len(want)), "")
		return
	}
	text := "others are registered than this version of the bot has"
	if len(missing) > 0 {
		text += "; missing: " + strings.Join(missing, ", ")
	}
	if len(foreign) > 0 {
		text += "; unknown: " + strings.Join(foreign, ", ")
	}
	s.add(finding.Warn, "discord commands", protocol.Shorten(protocol.Clean(text), 500),
		"restart the bot, which then registers its own; if it does not help, another program uses the same token")
}

// servers looks at what the bot is allowed in each server that it is in.
func (s *survey) servers() {
	need := Needs(s.cfg.Enforcement)
	count, poor := 0, 0
	for after := "0"; ; {
		var page []struct {
			ID, Name    string
			Permissions string
		}
		if !s.get("discord servers", "/users/@me/guilds?limit=200&after="+after, &page) {
			return
		}
		for _, g := range page {
			after = g.ID
			count++
			have, err := strconv.ParseInt(g.Permissions, 10, 64)
			lacks := need &^ have
			if err != nil || have&administrator != 0 || lacks == 0 {
				continue
			}
			if poor++; poor <= mostNamed {
				s.add(finding.Warn, "discord permissions", fmt.Sprintf("in %s (%s) the bot lacks %s",
					protocol.Quoted(g.Name, 0), g.ID, permissionList(lacks)),
					"give them to the bot's role there: Server Settings → Roles; or open the link of the invitation "+
						"again, for that server")
			}
		}
		if len(page) < 200 {
			break
		}
	}
	if poor > mostNamed {
		s.add(finding.Warn, "discord permissions", fmt.Sprintf("so it is in %d more servers", poor-mostNamed), "")
	}
	s.add(finding.OK, "discord servers", fmt.Sprintf("the bot is in %d", count), "")
}

// permissionList names permissions as the settings of a server do.
func permissionList(bits int64) string {
	var names []string
	for _, p := range permissionNames {
		if bits&p.bit != 0 {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ", ")
}
