package discordtest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Flags of an application: which privileged intents are switched on.
const (
	FlagPresenceLimited       = 1 << 13
	FlagMembersLimited        = 1 << 15
	FlagMessageContentLimited = 1 << 19
)

// Permissions. https://discord.com/developers/docs/topics/permissions
const (
	KickMembers     int64 = 1 << 1
	BanMembers      int64 = 1 << 2
	Administrator   int64 = 1 << 3
	ManageChannels  int64 = 1 << 4
	ManageGuild     int64 = 1 << 5
	AddReactions    int64 = 1 << 6
	ViewAuditLog    int64 = 1 << 7
	ViewChannel     int64 = 1 << 10
	SendMessages    int64 = 1 << 11
	ManageMessages  int64 = 1 << 13
	EmbedLinks      int64 = 1 << 14
	AttachFiles     int64 = 1 << 15
	ReadHistory     int64 = 1 << 16
	UseCommands     int64 = 1 << 31
	ManageRoles     int64 = 1 << 28
	SendInThreads   int64 = 1 << 38
	ModerateMembers int64 = 1 << 40

	everyone = AddReactions | ViewChannel | SendMessages | EmbedLinks | AttachFiles | ReadHistory | UseCommands | SendInThreads
	allPerms = int64(1)<<51 - 1
)

// Kinds of channels.
const (
	TextChannel   = 0
	DirectMessage = 1
	VoiceChannel  = 2
	Category      = 4
	PublicThread  = 11
)

// User is a person, or a bot.
type User struct {
	ID, Name string
	Locale   string // in which they use Discord; zero means en-US
	srv      *Server
	bot      bool
	dm       *Channel // with our bot
	closed   bool     // whether direct messages are refused
}

// Guild is a guild.
type Guild struct {
	ID          string
	srv         *Server
	name        string
	owner       *User
	roles       []*Role // the first is @everyone, whose id is the guild's
	channels    []*Channel
	members     map[string]*member
	order       []string // ids of members, sorted as numbers
	bans        map[string]string
	voice       map[string]obj
	botIn       bool
	unavailable bool
}

// Role is a role within a guild.
type Role struct {
	ID, Name string
	perms    int64
	position int
	managed  bool // whether it is that of a bot
}

type member struct {
	user    *User
	nick    string
	roles   []string
	joined  time.Time
	timeout time.Time
	pending bool // whether they have not accepted the rules
	flags   int
}

// Channel is a channel, a thread or a conversation of one person with the bot.
type Channel struct {
	ID, Name   string
	Kind       int
	Guild      *Guild // nil for a conversation
	srv        *Server
	topic      string
	parent     *Channel
	person     *User // of a conversation
	overwrites []obj
	messages   []*message
	archived   bool // of a thread
	locked     bool
	deleted    bool
}

type message struct {
	id, content, nonce string
	channel            *Channel
	author             *User
	flags              int
	when, edited       time.Time
	replyTo            *message
	components, embeds any
	files              []File
	allowed            any
	reactions          []*reaction
	only               *User // who alone sees it; nil means all
	deleted            bool
	interaction        *Interaction
	isReply            bool
	kind               int
}

type reaction struct {
	emoji string
	users []*User // with a normal one
	burst []*User // with a super reaction
}

func (u *User) json() obj {
	o := obj{"id": u.ID, "username": strings.ToLower(u.Name), "discriminator": "0",
		"global_name": u.Name, "avatar": nil,
		"public_flags": 0, "flags": 0, "primary_guild": nil}
	if u.bot {
		o["bot"] = true
		o["global_name"] = nil
	}
	return o
}

func (m *member) json() obj {
	o := obj{"user": m.user.json(), "nick": nil, "avatar": nil, "banner": nil, "roles": append([]string{}, m.roles...),
		"joined_at": stamp(m.joined), "premium_since": nil, "deaf": false, "mute": false, "flags": m.flags, "pending": m.pending,
		"communication_disabled_until": nil}
	if m.nick != "" {
		o["nick"] = m.nick
	}
	if !m.timeout.IsZero() {
		o["communication_disabled_until"] = stamp(m.timeout)
	}
	return o
}

func (r *Role) json() obj {
	return obj{"id": r.ID, "name": r.Name, "description": nil, "color": 0,
		"colors": obj{"primary_color": 0, "secondary_color": nil, "tertiary_color": nil},
		"hoist":  false, "icon": nil, "unicode_emoji": nil, "position": r.position, "permissions": strconv.FormatInt(r.perms, 10),
		"managed": r.managed, "mentionable": false, "flags": 0}
}

func (c *Channel) json() obj {
	if c.Kind == DirectMessage {
		return obj{"id": c.ID, "type": c.Kind, "last_message_id": c.lastID(), "flags": 0,
			"recipients": []obj{c.person.json()}}
	}
	o := obj{"id": c.ID, "type": c.Kind, "guild_id": c.Guild.ID, "name": c.Name, "flags": 0,
		"last_message_id": c.lastID()}
	if c.Kind == PublicThread {
		o["parent_id"], o["owner_id"] = c.parent.ID, c.srv.Bot.ID
		o["thread_metadata"] = obj{"archived": c.archived, "auto_archive_duration": 1440,
			"archive_timestamp": stamp(c.srv.nowLocked()), "locked": c.locked}
		o["message_count"], o["member_count"], o["total_message_sent"], o["rate_limit_per_user"] = len(c.messages), 1, len(c.messages), 0
		return o
	}
	o["position"], o["nsfw"], o["rate_limit_per_user"] = slices.Index(c.Guild.channels, c), false, 0
	o["permission_overwrites"] = append([]obj{}, c.overwrites...)
	o["parent_id"], o["topic"] = nil, nil
	if c.topic != "" {
		o["topic"] = c.topic
	}
	if c.Kind == VoiceChannel {
		o["bitrate"], o["user_limit"], o["rtc_region"] = 64000, 0, nil
	}
	return o
}

func (c *Channel) lastID() any {
	if len(c.messages) == 0 {
		return nil
	}
	return c.messages[len(c.messages)-1].id
}

// json is the message as it stands in the channel. What the gateway adds is added there.
func (m *message) json() obj {
	o := obj{"id": m.id, "channel_id": m.channel.ID, "author": m.author.json(), "content": m.content,
		"timestamp":        stamp(m.when),
		"edited_timestamp": nil, "tts": false, "mention_everyone": false, "mentions": []obj{}, "mention_roles": []string{},
		"attachments": m.attachments(), "embeds": orEmpty(m.embeds), "components": orEmpty(m.components), "pinned": false, "type": m.kind,
		"flags": m.flags}
	if !m.edited.IsZero() {
		o["edited_timestamp"] = stamp(m.edited)
	}
	if m.nonce != "" {
		o["nonce"] = m.nonce
	}
	for _, u := range m.mentioned() {
		o["mentions"] = append(o["mentions"].([]obj), u.json())
	}
	if m.isReply {
		o["type"] = 19
		ref := obj{"type": 0, "channel_id": m.channel.ID}
		o["referenced_message"] = nil
		if m.replyTo != nil {
			ref["message_id"] = m.replyTo.id
			if !m.replyTo.deleted {
				o["referenced_message"] = (&message{id: m.replyTo.id, channel: m.channel, author: m.replyTo.author,
					content: m.replyTo.content,
					when:    m.replyTo.when, flags: m.replyTo.flags, components: m.replyTo.components,
					embeds: m.replyTo.embeds}).json()
			}
		}
		o["message_reference"] = ref
	}
	if i := m.interaction; i != nil {
		o["application_id"], o["webhook_id"] = m.channel.srv.AppID, m.channel.srv.AppID
		o["interaction_metadata"] = obj{"id": i.ID, "type": i.kind, "user": i.user.json(),
			"authorizing_integration_owners": obj{}}
		o["type"] = 20
		if i.kind != interactionCommand {
			o["type"] = 0
		}
	} else if m.author.bot {
		o["application_id"] = m.channel.srv.AppID
	}
	var reactions []obj
	for _, r := range m.reactions {
		if n, b := len(r.users), len(r.burst); n+b > 0 {
			reactions = append(reactions, obj{"emoji": obj{"id": nil, "name": r.emoji}, "count": n + b,
				"me":            slices.Contains(r.users, m.channel.srv.Bot),
				"count_details": obj{"burst": b, "normal": n}, "burst_colors": []string{}, "me_burst": false})
		}
	}
	if reactions != nil {
		o["reactions"] = reactions
	}
	return o
}

// mentioned is whom the content mentions, as far as allowed_mentions lets it.
func (m *message) mentioned() (users []*User) {
	allowed, restricted := m.allowed.(map[string]any)
	for rest := m.content; ; {
		_, after, ok := strings.Cut(rest, "<@")
		if !ok {
			return users
		}
		id, tail, ok := strings.Cut(after, ">")
		if !ok {
			return users
		}
		rest = tail
		u := m.channel.srv.users[strings.TrimPrefix(id, "!")]
		if u == nil || slices.Contains(users, u) {
			continue
		}
		if restricted && !holds(allowed["parse"], "users") && !holds(allowed["users"], u.ID) {
			continue
		}
		users = append(users, u)
	}
}

// memberIn adds what message events have of the author's membership.
func (g *Guild) memberIn(u *User) obj {
	m := g.members[u.ID]
	if m == nil {
		return nil
	}
	o := m.json()
	delete(o, "user")
	return o
}

func (g *Guild) json() obj {
	roles := []obj{}
	for _, r := range g.roles {
		roles = append(roles, r.json())
	}
	return obj{"id": g.ID, "name": g.name, "icon": nil, "description": nil, "home_header": nil, "splash": nil,
		"discovery_splash": nil,
		"features":         []string{}, "banner": nil, "owner_id": g.owner.ID, "application_id": nil, "region": "deprecated", "afk_channel_id": nil,
		"afk_timeout": 300, "system_channel_id": nil, "system_channel_flags": 0, "widget_enabled": false, "widget_channel_id": nil,
		"verification_level": 0, "roles": roles, "default_message_notifications": 0, "mfa_level": 0, "explicit_content_filter": 0,
		"max_presences": nil, "max_members": 500000, "max_stage_video_channel_users": 50, "max_video_channel_users": 25,
		"vanity_url_code": nil, "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": "en-US", "rules_channel_id": nil,
		"safety_alerts_channel_id": nil, "public_updates_channel_id": nil, "premium_progress_bar_enabled": false, "nsfw": false,
		"nsfw_level": 0, "emojis": []obj{}, "stickers": []obj{}, "incidents_data": nil}
}

// create is what GUILD_CREATE brings. Without the presence intent only the bot and those in voice
// channels are listed.
func (g *Guild) create() obj {
	o := g.json()
	channels, threads, members, voice := []obj{}, []obj{}, []obj{}, []obj{}
	for _, c := range g.channels {
		if c.archived {
			continue // "all active threads"
		}
		if c.Kind == PublicThread {
			threads = append(threads, c.json())
		} else {
			channels = append(channels, c.json())
		}
	}
	for _, id := range g.order {
		if _, talks := g.voice[id]; talks || id == g.srv.Bot.ID {
			members = append(members, g.members[id].json())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(g.voice)) {
		v := maps.Clone(g.voice[id])
		delete(v, "guild_id")
		delete(v, "member")
		voice = append(voice, v)
	}
	maps.Copy(o, obj{"channels": channels, "threads": threads, "members": members, "voice_states": voice,
		"presences":    []obj{},
		"member_count": len(g.order), "large": len(g.order) > 250, "unavailable": false, "joined_at": stamp(g.members[g.srv.Bot.ID].joined),
		"stage_instances": []obj{}, "guild_scheduled_events": []obj{}, "soundboard_sounds": []obj{}})
	return o
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

func orEmpty(v any) any {
	if v == nil {
		return []obj{}
	}
	return v
}

func holds(list any, want string) bool {
	l, _ := list.([]any)
	return slices.Contains(l, any(want))
}
