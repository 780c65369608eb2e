package votes

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/languages"
	"moot/internal/say"
	"moot/internal/span"
	"moot/protocol"
	"moot/store"
)

// KindSetting is the kind of the facts about what a moderator has set for a room.
const KindSetting = "setting"

// SettingsConfig says what rooms may set.
type SettingsConfig struct {
	Bus *events.Bus
	// Rules are those of a room that has set nothing, and the floors of all others; those with nothing set mean
	// DefaultRules.
	Rules Rules
	// ShortestVote is the floor of the duration of challenges and restores: zero means 12 hours. All other floors
	// follow from Rules: a room may protect its people better than these do, never less.
	ShortestVote time.Duration
}

// DefaultShortestVote is what a room may set the duration of its challenges and restores to at the least.
const DefaultShortestVote = 12 * time.Hour

// Settings are what moderators may set for their rooms. It keeps nothing but what is in the store.
type Settings struct {
	bus   *events.Bus
	rules Rules
	table []setting
}

// NewSettings returns the settings, or what is wrong with the configuration.
func NewSettings(c SettingsConfig) (*Settings, error) {
	s := &Settings{bus: c.Bus, rules: cmp.Or(c.Rules, DefaultRules())}
	if err := s.rules.check(); err != nil {
		return nil, err
	}
	s.table = table(s.rules, cmp.Or(c.ShortestVote, DefaultShortestVote))
	return s, nil
}

// settingKinds returns the kinds of facts about settings.
func settingKinds() []events.Kind {
	return []events.Kind{{
		Name: KindSetting, Version: 1, Describe: describeSetting, Apply: applySetting,
		Buckets: []store.Bucket{settings, settingsBy, languages.Rooms},
	}}
}

// settings holds what was set, in the form in which it is read.
var settings = store.ScopedBucket("settings")

const (
	keySetting = "setting"
	// Channel is the name of the setting that says where votes are held.
	channel = "votes.channel"
	// minutes is the name of the setting that says where each outcome is said, too.
	minutes = "votes.minutes"
	// pictures is the name of the setting that says whether a picture goes with each outcome.
	pictures = "votes.picture"
	// language is the name of the setting that says which language the bot speaks.
	language = "language"
)

// setTo is the payload of the fact that something was set; an empty value takes the setting back.
type setTo struct {
	Value string          `json:"value,omitempty"`
	Vote  uint64          `json:"vote,omitempty"` // that decided it
	From  protocol.RoomID `json:"from,omitempty"` // the room from which it was carried over
}

func applySetting(tx *store.Tx, f events.Fact) error {
	var p setTo
	if err := f.Decode(&p); err != nil {
		return err
	}
	key := store.Key(f.Scope, f.Keys[keySetting])
	if isRoom(p.Value) {
		tx.Put(settingsBy, key, []byte(voter(f.People[roleBy])))
	} else {
		tx.Delete(settingsBy, key)
	}
	if f.Keys[keySetting] == language {
		languages.SetRoom(tx, protocol.RoomID(f.Scope), say.Language(p.Value))
	}
	if p.Value == "" {
		tx.Delete(settings, key)
	} else {
		tx.Put(settings, key, []byte(p.Value))
	}
	return nil
}

// setting is one thing that can be set.
type setting struct {
	name       string
	moderators bool                            // whether moderators set it; everything else is a rule, which the room decides
	placed     bool                            // whether it names a channel or thread
	read       func(string) (string, bool)     // makes of what was typed what is kept
	bounds     func(say.Speaker) protocol.Text // says what it may be
	apply      func(*Rules, string)            // puts what is kept into the rules; nil where it is none of them
	show       func(Rules) string              // the value in rules; nil as apply
}

func duration(name string, at func(*Rules) *time.Duration, least, most time.Duration) setting {
	return setting{
		name:   name,
		bounds: between("bounds-duration", span.Format(least), span.Format(most)),
		read: func(w string) (string, bool) {
			d, ok := commands.ParseDuration(w)
			return d.String(), ok && d >= least && d <= most
		},
		apply: func(r *Rules, v string) {
			if d, err := time.ParseDuration(v); err == nil {
				*at(r) = min(max(d, least), most) // the bounds may be others now than when it was set
			}
		},
		show: func(r Rules) string { return span.Format(*at(&r)) },
	}
}

func number(name string, at func(*Rules) *int, least, most int) setting {
	return setting{
		name:   name,
		bounds: between("bounds-number", least, most),
		read: func(w string) (string, bool) {
			n, err := strconv.Atoi(w)
			return strconv.Itoa(n), err == nil && n >= least && n <= most
		},
		apply: func(r *Rules, v string) {
			if n, err := strconv.Atoi(v); err == nil {
				*at(r) = min(max(n, least), most)
			}
		},
		show: func(r Rules) string { return strconv.Itoa(*at(&r)) },
	}
}

// table returns what can be set. Its floors are such that a room can make its votes safer than the configuration has
// them, and slower, but never easier to win by showing up with twenty accounts.
func table(d Rules, shortest time.Duration) []setting {
	const long = 3650 * day
	stands := duration("challenge.max", func(r *Rules) *time.Duration { return &r.ChallengeMax }, day, long)
	read, show := stands.read, stands.show
	stands.bounds = between("bounds-duration-off", span.Format(day), span.Format(long))
	stands.read = func(w string) (string, bool) {
		if alike.Fold(w) == "off" {
			return "0s", true
		}
		return read(w)
	}
	stands.show = func(r Rules) string {
		if r.ChallengeMax == 0 {
			return "off"
		}
		return show(r)
	}
	runs := duration("votes.duration", func(r *Rules) *time.Duration { return &r.Duration }, shortest, 14*day)
	runs.moderators = true
	return []setting{
		placed(channel),
		kept(),
		pictured(),
		runs,
		spoken(),
		duration("votes.member", func(r *Rules) *time.Duration { return &r.Member }, d.Member, 365*day),
		number("votes.active-days", func(r *Rules) *int { return &r.ActiveDays }, d.ActiveDays, int(d.ActiveWindow/day)),
		// Shorter than that it would take fewer days of activity than the configuration does.
		duration("votes.active-window", func(r *Rules) *time.Duration { return &r.ActiveWindow }, time.Duration(max(1, d.ActiveDays))*day, d.ActiveWindow),
		share(d),
		number("votes.voters", func(r *Rules) *int { return &r.Voters }, d.Voters, 1000),
		number("votes.quorum", func(r *Rules) *int { return &r.QuorumLeast }, d.QuorumLeast, d.QuorumMost),
		number("votes.quorum-most", func(r *Rules) *int { return &r.QuorumMost }, d.QuorumMost, 100_000),
		number("votes.quorum-share", func(r *Rules) *int { return &r.QuorumShare }, 1, d.QuorumShare),
		number("votes.least-yes", func(r *Rules) *int { return &r.LeastYes }, d.LeastYes, 1000),
		number("votes.polls", func(r *Rules) *int { return &r.Polls }, 1, d.Polls),
		number("votes.motions", func(r *Rules) *int { return &r.Motions }, 1, d.Motions),
		number("votes.restores", func(r *Rules) *int { return &r.Restores }, 1, d.Restores),
		number("votes.challenges", func(r *Rules) *int { return &r.Challenges }, 1, d.Challenges),
		duration("votes.protected", func(r *Rules) *time.Duration { return &r.Protected }, d.Protected, 365*day),
		duration("votes.rest", func(r *Rules) *time.Duration { return &r.Rest }, d.Rest, 365*day),
		duration("votes.restore-rest", func(r *Rules) *time.Duration { return &r.RestoreRest }, time.Hour, d.RestoreRest),
		duration("votes.appeal", func(r *Rules) *time.Duration { return &r.Appeal }, day, d.Appeal),
		{
			name: "votes.reminder", moderators: true,
			bounds: func(s say.Speaker) protocol.Text { return s.Say("bounds-switch") },
			read: func(w string) (string, bool) {
				w = alike.Fold(w)
				return w, w == "on" || w == "off"
			},
			apply: func(r *Rules, v string) { r.Remind = v == "on" },
			show: func(r Rules) string {
				if r.Remind {
					return "on"
				}
				return "off"
			},
		},
		stands,
	}
}

// placed is a setting that names a channel or thread.
func placed(name string) setting {
	return setting{
		name: name, moderators: true, placed: true, bounds: func(s say.Speaker) protocol.Text { return s.Say("bounds-place") },
		read: func(w string) (string, bool) { return w, protocol.CheckID(w) == nil && protocol.OneLine(w) == w },
	}
}

// kept is where outcomes are said, too: a channel or thread, or another room.
func kept() setting {
	one := placed(minutes)
	one.bounds = func(s say.Speaker) protocol.Text { return s.Say("bounds-minutes") }
	return one
}

// spoken is the language that the bot speaks in the room.
func spoken() setting {
	return setting{
		name: language, moderators: true,
		bounds: func(s say.Speaker) protocol.Text {
			var all []protocol.Text
			for _, l := range say.Languages() {
				all = append(all, protocol.Plain(string(l)))
			}
			return s.Say("bounds-language", say.Code("Languages", s.Or(all)))
		},
		read: func(w string) (string, bool) {
			l, ok := say.Parse(w)
			return string(l), ok
		},
	}
}

// between says what lies between two bounds.
func between(id string, least, most any) func(say.Speaker) protocol.Text {
	return func(s say.Speaker) protocol.Text {
		return s.Say(id, say.Number("Least", least), say.Number("Most", most))
	}
}

// says says what a setting is.
func (one setting) says(s say.Speaker) protocol.Text {
	return s.Say("setting-" + strings.ReplaceAll(one.name, ".", "-"))
}

// slot is the slot of the name of a setting.
func (one setting) slot() say.Slot { return say.Code("Setting", protocol.Code(one.name)) }

// boundsSlot is the slot of what a setting may be.
func (one setting) boundsSlot(s say.Speaker) say.Slot { return say.Part("Bounds", one.bounds(s)) }

// share is the share of yes among yes and no that a challenge takes.
func share(d Rules) setting {
	parse := func(w string) (part, of int, ok bool) {
		n, err := fmt.Sscanf(w, "%d/%d", &part, &of)
		return part, of, err == nil && n == 2 && part >= 1 && part <= of && of <= 1000 && part*d.Of >= d.Part*of
	}
	return setting{
		name:   "votes.yes",
		bounds: between("bounds-share", fmt.Sprintf("%d/%d", d.Part, d.Of), "1/1"),
		read: func(w string) (string, bool) {
			part, of, ok := parse(w)
			return fmt.Sprintf("%d/%d", part, of), ok
		},
		apply: func(r *Rules, v string) {
			if part, of, ok := parse(v); ok {
				r.Part, r.Of = part, of
			}
		},
		show: func(r Rules) string { return fmt.Sprintf("%d/%d", r.Part, r.Of) },
	}
}

// Rules returns the rules by which a vote that opens now is held.
func (s *Settings) Rules(tx *store.Tx, room protocol.RoomID) Rules {
	r := s.rules
	for _, one := range s.table {
		if v := tx.Get(settings, store.Key(room, one.name)); v != nil && one.apply != nil {
			one.apply(&r, string(v))
		}
	}
	r.QuorumMost = max(r.QuorumMost, r.QuorumLeast)
	r.ActiveDays = min(r.ActiveDays, int(r.ActiveWindow/day))
	return r
}

// Channel returns where votes of the room are held; zero means where they are opened.
func (s *Settings) Channel(tx *store.Tx, room protocol.RoomID) protocol.PlaceID {
	return protocol.PlaceID(tx.Get(settings, store.Key(room, channel)))
}

// Announces returns where something is said to the whole room: in its channel for votes, unless some cannot see that or the bot may not
// write there; zero means in the room itself.
func (s *Settings) Announces(tx *store.Tx, room protocol.RoomID) protocol.PlaceID {
	place := s.Channel(tx, room)
	if shut(tx, room, place) {
		return ""
	}
	return place
}

// ChallengeMax returns how long a challenge that begins now stands at most; zero means until it is lifted.
func (s *Settings) ChallengeMax(tx *store.Tx, room protocol.RoomID) time.Duration {
	return s.Rules(tx, room).ChallengeMax
}

func (s *Settings) find(name string) (setting, bool) {
	i := slices.IndexFunc(s.table, func(one setting) bool { return one.name == alike.Fold(name) })
	if i < 0 {
		return setting{}, false
	}
	return s.table[i], true
}

func (s *Settings) names(rules bool) (names []string) {
	for _, one := range s.table {
		if !rules || !one.moderators {
			names = append(names, one.name)
		}
	}
	return names
}

// value returns what a setting is in a room, in words, and whether the room has set it.
func (s *Settings) value(to say.Speaker, tx *store.Tx, room protocol.RoomID, one setting) (value string, set bool) {
	v := tx.Get(settings, store.Key(room, one.name))
	if one.show != nil {
		return one.show(s.Rules(tx, room)), v != nil
	}
	switch {
	case isRoom(string(v)):
		return to.Plain("shown-another-room"), true
	case v != nil:
		return string(v), true
	case one.name == minutes:
		return to.Plain("shown-nowhere"), false
	case one.name == pictures:
		return "off", false
	case one.name == language:
		return string(languages.Room(tx, room)), false
	}
	return to.Plain("shown-where-opened"), false
}

// valueOf returns what a value that is kept stands for, in words; an empty one is what no room has set.
func (s *Settings) valueOf(one setting, kept string) (string, bool) {
	r := s.rules
	if one.show == nil {
		return kept, false
	}
	if kept != "" {
		one.apply(&r, kept)
	}
	return one.show(r), true
}

// shown is value for people to read, in the room itself or in private.
func (s *Settings) shown(to say.Speaker, tx *store.Tx, room protocol.RoomID, one setting) (value protocol.Text, set bool) {
	v, set := s.value(to, tx, room, one)
	if one.placed && set && !isRoom(string(tx.Get(settings, store.Key(room, one.name)))) {
		return protocol.Place(protocol.PlaceID(v)), true
	}
	return protocol.Plain(v), set
}

// carry tells the successor of a room what was set in it.
func (s *Settings) carry(tx *store.Tx, room protocol.RoomID) map[string]string {
	out := map[string]string{}
	for k, v := range tx.Prefix(settings, store.Key(room, "")) {
		if name := strings.TrimPrefix(k, store.Key(room, "")); carriedOver(name) {
			out[name] = string(v)
		}
	}
	return out
}

// publish adds the fact that something was set.
func (s *Settings) publish(tx *store.Tx, name string, to setTo, by protocol.UserID) error {
	d := events.Draft{Kind: KindSetting, Keys: map[string]string{keySetting: name}, Payload: to}
	if by != "" {
		d.People = map[string]protocol.UserID{roleBy: by}
	}
	return s.bus.Publish(tx, d)
}
