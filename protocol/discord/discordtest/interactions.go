package discordtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of interactions.
const (
	interactionCommand      = 2
	interactionComponent    = 3
	interactionAutocomplete = 4
	interactionModal        = 5
)

// tokenLife is how long an interaction can be answered after its first answer.
const tokenLife = 15 * time.Minute

// Options are what somebody types for a slash command: texts, numbers, booleans, *User, *Channel,
// *Role.
type Options map[string]any

// Interaction is one use of a command, button, menu or form, and what came of it.
type Interaction struct {
	ID, Token string
	srv       *Server
	user      *User
	channel   *Channel
	kind      int
	made      time.Time
	payload   obj

	answer    int           // type of the first answer; zero while there is none
	after     time.Duration // from the interaction to the first answer
	ephemeral bool
	original  *message // what the answer shows; of a component that updates, its own message
	source    *message
	followups []*message
	modal     obj
	choices   []any
}

// Slash has the person use a slash command, such as "vote open" with its options. They can use only
// what is registered, with the options that it has.
func (u *User) Slash(ch *Channel, command string, opts Options) *Interaction {
	u.srv.tb.Helper()
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	data, fault := u.srv.typedLocked(u, ch, command, opts, "")
	if fault != "" {
		u.srv.tb.Fatalf("discordtest: %s cannot use /%s: %s", u.Name, command, fault)
	}
	return u.interactLocked(ch, interactionCommand, data, nil)
}

// Completes has the person type in one option and ask for suggestions.
func (u *User) Completes(ch *Channel, command, option, typed string, others Options) *Interaction {
	u.srv.tb.Helper()
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	opts := Options{option: typed}
	maps.Copy(opts, others)
	data, fault := u.srv.typedLocked(u, ch, command, opts, option)
	if fault != "" {
		u.srv.tb.Fatalf("discordtest: %s cannot type /%s: %s", u.Name, command, fault)
	}
	return u.interactLocked(ch, interactionAutocomplete, data, nil)
}

// UsesOn has the person use a context-menu command on another person.
func (u *User) UsesOn(ch *Channel, command string, target *User) *Interaction {
	u.srv.tb.Helper()
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	cmd := u.srv.commandLocked(u, ch, userCommand, command)
	if cmd == nil {
		u.srv.tb.Fatalf("discordtest: %s has no command %q in the menu of a person", u.Name, command)
	}
	data := obj{"id": cmd["id"], "name": cmd["name"], "type": userCommand, "target_id": target.ID,
		"resolved": u.srv.resolvedLocked(ch, []any{target})}
	return u.interactLocked(ch, interactionCommand, data, nil)
}

// UsesOnMessage has the person use a context-menu command on a message.
func (u *User) UsesOnMessage(command string, m Message) *Interaction {
	u.srv.tb.Helper()
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	cmd := u.srv.commandLocked(u, m.m.channel, messageCommand, command)
	if cmd == nil {
		u.srv.tb.Fatalf("discordtest: %s has no command %q in the menu of a message", u.Name, command)
	}
	data := obj{"id": cmd["id"], "name": command, "type": messageCommand, "target_id": m.ID,
		"resolved": obj{"messages": obj{m.ID: m.m.json()}}}
	return u.interactLocked(m.m.channel, interactionCommand, data, nil)
}

// Press has the person press a button with the custom id. A button that is no longer on the message
// can still be pressed by somebody whose screen is late: custom ids are not looked for.
func (u *User) Press(m Message, customID string) *Interaction {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.interactLocked(m.m.channel, interactionComponent,
		obj{"component_type": 2, "custom_id": customID, "id": 1}, m.m)
}

// Choose has the person choose values in a menu; of a menu of people they are ids.
func (u *User) Choose(m Message, customID string, values ...string) *Interaction {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	kind := 3
	for _, menu := range m.m.seen().Menus {
		if menu.CustomID == customID {
			kind = menu.Kind
		}
	}
	data := obj{"component_type": kind, "custom_id": customID, "values": values, "id": 1}
	if kind == 5 {
		var people []any
		for _, id := range values {
			people = append(people, u.srv.users[id])
		}
		data["resolved"] = u.srv.resolvedLocked(m.m.channel, people)
	}
	return u.interactLocked(m.m.channel, interactionComponent, data, m.m)
}

// Submit has the person fill in the form that the interaction has shown; values go by custom id.
func (i *Interaction) Submit(values map[string]string) *Interaction {
	form := i.Form()
	i.srv.mu.Lock()
	defer i.srv.mu.Unlock()
	var rows []any
	for _, f := range form.Fields {
		v := values[f.CustomID]
		if v == "" && f.Required {
			i.srv.fail("the field %q of the form has to be filled in", f.Label)
		}
		field := obj{"type": 4, "custom_id": f.CustomID, "value": v, "id": 2}
		if f.Labelled {
			rows = append(rows, obj{"type": 18, "id": 1, "component": field})
		} else {
			rows = append(rows, obj{"type": 1, "id": 1, "components": []any{field}})
		}
	}
	return i.user.interactLocked(i.channel, interactionModal,
		obj{"custom_id": form.CustomID, "components": rows}, i.source)
}

// interactLocked makes the interaction and tells the bot.
func (u *User) interactLocked(ch *Channel, kind int, data obj, source *message) *Interaction {
	s := u.srv
	i := &Interaction{ID: s.snowflakeLocked(), srv: s, user: u, channel: ch, kind: kind,
		made: s.nowLocked(), source: source}
	i.Token = "aW50ZXJhY3Rpb246" + i.ID
	s.interactions[i.Token] = i
	p := obj{"id": i.ID, "application_id": s.AppID, "type": kind, "data": data, "channel_id": ch.ID,
		"channel": ch.json(), "token": i.Token, "version": 1,
		"locale": cmp.Or(u.Locale, "en-US"), "entitlements": []any{}, "authorizing_integration_owners": obj{}, "attachment_size_limit": 10485760, "context": 0}
	if g := ch.Guild; g != nil {
		m := g.members[u.ID]
		if m == nil {
			s.tb.Fatalf("discordtest: %s is not in the guild", u.Name)
		}
		member := m.json()
		member["permissions"] = strconv.FormatInt(g.permissionsLocked(u, ch), 10)
		p["member"], p["guild_id"], p["guild_locale"] = member, g.ID, "en-US"
		p["guild"] = obj{"id": g.ID, "locale": "en-US", "features": []any{}}
		p["app_permissions"] = strconv.FormatInt(g.permissionsLocked(s.Bot, ch), 10)
		p["authorizing_integration_owners"] = obj{"0": g.ID}
	} else {
		p["user"], p["context"], p["app_permissions"] = u.json(), 1, "0"
		p["authorizing_integration_owners"] = obj{"0": "0"}
	}
	if source != nil {
		o := source.json()
		if source.only != nil {
			o["flags"] = source.flags | FlagEphemeral
		}
		p["message"] = o
	}
	i.payload = p
	i.sendLocked()
	return i
}

func (i *Interaction) sendLocked() {
	if i.channel.Guild != nil {
		i.srv.emitLocked(i.channel.Guild, "INTERACTION_CREATE", i.payload)
	} else {
		i.srv.emitLocked(nil, "INTERACTION_CREATE", i.payload)
	}
}

// typedLocked makes the data of a command out of what was typed, or says why it cannot be typed.
// focused is the option that is being typed in, zero where the command is complete.
func (s *Server) typedLocked(u *User, ch *Channel, command string, opts Options, focused string) (obj, string) {
	path := strings.Fields(command)
	cmd := s.commandLocked(u, ch, slashCommand, path[0])
	if cmd == nil {
		return nil, "it is not registered here"
	}
	level, options := cmd, cmd["options"]
	data := obj{"id": cmd["id"], "name": cmd["name"], "type": slashCommand}
	at := data
	for _, name := range path[1:] {
		next := u.optionNamed(options, name)
		if next == nil || number(next["type"]) > optGroup {
			return nil, fmt.Sprintf("it has no subcommand %q", name)
		}
		inner := obj{"name": next["name"], "type": number(next["type"])}
		at["options"] = []any{inner}
		at, level, options = inner, next, next["options"]
	}
	if list, _ := options.([]any); len(list) > 0 && number(list[0].(map[string]any)["type"]) <= optGroup {
		return nil, "it has subcommands, one of which has to be chosen"
	}
	var typed []any
	var named []any
	given := map[any]bool{}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		o := u.optionNamed(options, name)
		if o == nil {
			return nil, fmt.Sprintf("it has no option %q, only %v", name, names(options))
		}
		value, ref, fault := optionValue(o, opts[name], name == focused)
		if fault != "" {
			return nil, name + ": " + fault
		}
		if ref != nil {
			named = append(named, ref)
		}
		one := obj{"name": o["name"], "type": number(o["type"]), "value": value}
		given[o["name"]] = true
		if name == focused {
			one["focused"] = true
			if o["autocomplete"] != true {
				return nil, name + " suggests nothing"
			}
		}
		typed = append(typed, one)
	}
	list, _ := level["options"].([]any)
	for _, each := range list {
		o := each.(map[string]any)
		if o["required"] == true && !given[o["name"]] && focused == "" {
			return nil, fmt.Sprintf("the option %v is required", o["name"])
		}
	}
	if typed != nil {
		at["options"] = typed
	}
	if named != nil {
		data["resolved"] = s.resolvedLocked(ch, named)
	}
	return data, ""
}

func (u *User) optionNamed(options any, name string) obj {
	list, _ := options.([]any)
	for _, each := range list {
		if o := each.(map[string]any); u.calls(o, name) {
			return o
		}
	}
	return nil
}

func names(options any) (out []string) {
	list, _ := options.([]any)
	for _, each := range list {
		out = append(out, each.(map[string]any)["name"].(string))
	}
	return out
}

func number(v any) int {
	switch n := v.(type) {
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

// optionValue makes the value of an option, and what it names.
func optionValue(o obj, v any, typing bool) (value, ref any, fault string) {
	kind := number(o["type"])
	switch x := v.(type) {
	case *User:
		if kind != optUser && kind != optMention {
			return nil, nil, "is not a person"
		}
		return x.ID, x, ""
	case *Channel:
		if kind != optChannel {
			return nil, nil, "is not a channel"
		}
		return x.ID, x, ""
	case *Role:
		if kind != optRole && kind != optMention {
			return nil, nil, "is not a role"
		}
		return x.ID, x, ""
	case int:
		if kind != optInteger && kind != optNumber {
			return nil, nil, "is not a number"
		}
		if low, ok := o["min_value"].(float64); ok && float64(x) < low {
			return nil, nil, fmt.Sprintf("is at least %v", low)
		}
		if high, ok := o["max_value"].(float64); ok && float64(x) > high {
			return nil, nil, fmt.Sprintf("is at most %v", high)
		}
	case bool:
		if kind != optBoolean {
			return nil, nil, "is not a yes or no"
		}
	case string:
		if kind != optString && !typing {
			return nil, nil, fmt.Sprintf("is of type %d, not a text", kind)
		}
		if high, ok := o["max_length"].(float64); ok && len([]rune(x)) > int(high) {
			return nil, nil, fmt.Sprintf("has at most %v characters", high)
		}
		if low, ok := o["min_length"].(float64); ok && len([]rune(x)) < int(low) && !typing {
			return nil, nil, fmt.Sprintf("has at least %v characters", low)
		}
	default:
		return nil, nil, fmt.Sprintf("cannot be a %T", v)
	}
	if choices, _ := o["choices"].([]any); len(choices) > 0 {
		if !slices.ContainsFunc(choices, func(c any) bool {
			return fmt.Sprint(c.(map[string]any)["value"]) == fmt.Sprint(v)
		}) {
			return nil, nil, fmt.Sprintf("%v is none of the choices", v)
		}
	}
	return v, nil, ""
}

func (s *Server) resolvedLocked(ch *Channel, named []any) obj {
	users, members, channels, roles := obj{}, obj{}, obj{}, obj{}
	for _, each := range named {
		switch x := each.(type) {
		case *User:
			users[x.ID] = x.json()
			if ch.Guild != nil && ch.Guild.members[x.ID] != nil {
				m := ch.Guild.memberIn(x)
				delete(m, "deaf")
				delete(m, "mute")
				m["permissions"] = strconv.FormatInt(ch.Guild.permissionsLocked(x, ch), 10)
				members[x.ID] = m
			}
		case *Channel:
			channels[x.ID] = obj{"id": x.ID, "name": x.Name, "type": x.Kind, "permissions": "0"}
		case *Role:
			roles[x.ID] = x.json()
		}
	}
	out := obj{}
	for name, part := range map[string]obj{"users": users, "members": members, "channels": channels, "roles": roles} {
		if len(part) > 0 {
			out[name] = part
		}
	}
	return out
}
