package discordtest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kinds of application commands and of their options.
const (
	slashCommand   = 1
	userCommand    = 2
	messageCommand = 3

	optSubcommand = 1
	optGroup      = 2
	optString     = 3
	optInteger    = 4
	optBoolean    = 5
	optUser       = 6
	optChannel    = 7
	optRole       = 8
	optMention    = 9
	optNumber     = 10
)

var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}]{1,32}$`)

var digits = regexp.MustCompile(`^[0-9]{1,19}$`)

// Commands returns the names of the commands that are registered globally, sorted.
func (s *Server) Commands() []string {
	return lockedValue(s, func() (names []string) {
		for _, c := range s.commands {
			names = append(names, c["name"].(string))
		}
		slices.Sort(names)
		return names
	})
}

// RemoveCommands removes all that are registered globally, as another program with the same token
// may.
func (s *Server) RemoveCommands() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = nil
	s.touchLocked()
}

func (c *call) listCommands() (int, any) {
	if c.v("app") != c.s.AppID {
		return refuse(404, 10002, "Unknown Application")
	}
	list := c.s.commands
	if id := c.v("guild"); id != "" {
		list = c.s.local[id]
	}
	if c.query("with_localizations") == "true" {
		return 200, append([]obj{}, list...)
	}
	plain := []obj{}
	for _, cmd := range list {
		plain = append(plain, withoutLocales(cmd))
	}
	return 200, plain
}

// withoutLocales returns a command, an option or a choice as Discord shows it to whoever does not ask for its names elsewhere.
func withoutLocales(o obj) obj {
	o = maps.Clone(o)
	delete(o, "name_localizations")
	delete(o, "description_localizations")
	for _, key := range []string{"options", "choices"} {
		list, ok := o[key].([]any)
		if !ok {
			continue
		}
		var plain []any
		for _, each := range list {
			inner, _ := each.(map[string]any)
			plain = append(plain, withoutLocales(inner))
		}
		o[key] = plain
	}
	return o
}

// checkLocales says what is wrong with what something is called in other languages. Seen are the names of its siblings, by
// locale; nil where they do not matter.
func checkLocales(o obj, slash bool, most int, seen map[string]bool) string {
	names, _ := o["name_localizations"].(map[string]any)
	for locale, v := range names {
		name, _ := v.(string)
		n := utf8.RuneCountInString(name)
		switch {
		case !localeForm.MatchString(locale):
			return fmt.Sprintf("%q is no locale", locale)
		case n < 1 || n > most || slash && (!commandName.MatchString(name) || strings.ToLower(name) != name):
			return fmt.Sprintf("the name %q in %s is not to be had", name, locale)
		case seen[locale+" "+name]:
			return fmt.Sprintf("two of the name %q in %s", name, locale)
		}
		if seen != nil {
			seen[locale+" "+name] = true
		}
	}
	texts, _ := o["description_localizations"].(map[string]any)
	for locale, v := range texts {
		text, _ := v.(string)
		if n := utf8.RuneCountInString(text); !localeForm.MatchString(locale) || n < 1 || n > 100 {
			return fmt.Sprintf("%v: the description in %s has %d characters, of which 1 to 100 are allowed", o["name"], locale, n)
		}
	}
	return ""
}

// localeForm is that of the locales that Discord has (developer documentation, "Locales").
var localeForm = regexp.MustCompile(`^(id|da|de|en-GB|en-US|es-ES|es-419|fr|hr|it|lt|hu|nl|no|pl|pt-BR|ro|fi|sv-SE|vi|tr|cs|el|bg|ru|uk|hi|th|zh-CN|ja|zh-TW|ko)$`)

// putCommands is the bulk overwrite.
func (c *call) putCommands() (int, any) {
	if c.v("app") != c.s.AppID {
		return refuse(404, 10002, "Unknown Application")
	}
	list, ok := c.body[""].([]any)
	if !ok {
		return invalid("a list of commands is wanted")
	}
	old := c.s.commands
	if id := c.v("guild"); id != "" {
		if c.guild() == nil {
			return refuse(403, 50001, "Missing Access")
		}
		old = c.s.local[id]
	}
	var fresh []obj
	count, seen := map[int]int{}, map[string]bool{}
	for i, each := range list {
		cmd, _ := each.(map[string]any)
		o, fault := registered(cmd)
		if fault != "" {
			return invalid("command %d: %s", i, fault)
		}
		kind := o["type"].(int)
		key := fmt.Sprint(kind, " ", o["name"])
		if seen[key] {
			return invalid("command %d: there are two of the name %v", i, o["name"])
		}
		seen[key] = true
		count[kind]++
		o["application_id"], o["id"], o["version"] = c.s.AppID, c.s.snowflakeLocked(), c.s.snowflakeLocked()
		if id := c.v("guild"); id != "" {
			o["guild_id"] = id
			if holdsNumber(o["contexts"], 1) {
				return invalid("command %d: guild commands are not for conversations", i)
			}
		}
		for _, was := range old {
			if was["name"] == o["name"] && was["type"] == o["type"] {
				o["id"] = was["id"]
			}
		}
		fresh = append(fresh, o)
	}
	if count[slashCommand] > 100 || count[userCommand] > 15 || count[messageCommand] > 15 {
		return refuse(400, 30032, "Maximum number of application commands reached")
	}
	if id := c.v("guild"); id != "" {
		c.s.local[id] = fresh
	} else {
		c.s.commands = fresh
	}
	return http.StatusOK, append([]obj{}, fresh...)
}

// registered makes of a command what Discord keeps, or says what is wrong with it.
func registered(cmd obj) (obj, string) {
	o := obj{"type": slashCommand, "default_member_permissions": nil, "nsfw": false, "description": "",
		"description_localizations": nil, "name_localizations": nil, "integration_types": []int{0}, "contexts": nil}
	maps.Copy(o, cmd)
	if kind, ok := cmd["type"].(float64); ok {
		o["type"] = int(kind)
	}
	if bits, ok := o["default_member_permissions"].(string); o["default_member_permissions"] != nil &&
		(!ok || !digits.MatchString(bits)) {
		return nil, "default_member_permissions: a set of bits as a string is wanted"
	}
	name, _ := cmd["name"].(string)
	desc, _ := cmd["description"].(string)
	if fault := checkLocales(cmd, o["type"] == slashCommand, 32, nil); fault != "" {
		return nil, fault
	}
	if o["type"] != slashCommand {
		if n := utf8.RuneCountInString(name); n < 1 || n > 32 || desc != "" || cmd["options"] != nil {
			return nil, fmt.Sprintf("%q: a menu command has a name of 1 to 32 characters and nothing else", name)
		}
		return o, ""
	}
	if fault := checkNamed(name, desc); fault != "" {
		return nil, fault
	}
	if n := commandSize(cmd); n > 8000 {
		return nil, fmt.Sprintf("%q: names, descriptions and values have %d characters, of which "+
			"8000 are allowed", name, n)
	}
	if fault := checkOptions(cmd["options"], 0); fault != "" {
		return nil, name + ": " + fault
	}
	return o, ""
}

func checkNamed(name, desc string) string {
	if !commandName.MatchString(name) || strings.ToLower(name) != name {
		return fmt.Sprintf("the name %q is not to be had", name)
	}
	if n := utf8.RuneCountInString(desc); n < 1 || n > 100 {
		return fmt.Sprintf("%q: the description has %d characters, of which 1 to 100 are allowed", name, n)
	}
	return ""
}

func checkOptions(v any, depth int) string {
	list, _ := v.([]any)
	if len(list) > 25 {
		return "more than 25 options"
	}
	seen, optional, kinds := map[string]bool{}, false, map[bool]bool{}
	elsewhere := map[string]bool{}
	for _, each := range list {
		o, _ := each.(map[string]any)
		name, _ := o["name"].(string)
		desc, _ := o["description"].(string)
		if fault := checkNamed(name, desc); fault != "" {
			return fault
		}
		if seen[name] {
			return "two options of the name " + name
		}
		if fault := checkLocales(o, true, 32, elsewhere); fault != "" {
			return fault
		}
		seen[name] = true
		kind, _ := o["type"].(float64)
		kinds[kind <= optGroup] = true
		if kind == optGroup && depth > 0 || kind == optSubcommand && depth > 1 {
			return name + ": nested too deep"
		}
		if kind <= optGroup {
			if fault := checkOptions(o["options"], depth+2-int(kind-1)); fault != "" {
				return name + ": " + fault
			}
			continue
		}
		required := o["required"] == true
		if required && optional {
			return name + ": required options come before the others"
		}
		optional = optional || !required
		choices, _ := o["choices"].([]any)
		if len(choices) > 25 || len(choices) > 0 && o["autocomplete"] == true {
			return name + ": at most 25 choices, and none beside autocomplete"
		}
		for _, ch := range choices {
			choice, _ := ch.(map[string]any)
			text, _ := choice["name"].(string)
			if n := utf8.RuneCountInString(text); n < 1 || n > 100 || choice["value"] == nil {
				return name + ": a choice has a name of 1 to 100 characters and a value"
			}
			if fault := checkLocales(choice, false, 100, nil); fault != "" {
				return name + ": " + fault
			}
		}
	}
	if len(kinds) > 1 {
		return "subcommands and other options do not go together"
	}
	return ""
}

// commandSize counts what Discord counts: names, descriptions and values, of all levels, each in the longest of its languages.
func commandSize(o obj) (n int) {
	for _, key := range []string{"name", "description", "value"} {
		longest := 0
		if s, ok := o[key].(string); ok {
			longest = utf8.RuneCountInString(s)
		}
		locales, _ := o[key+"_localizations"].(map[string]any)
		for _, v := range locales {
			if s, ok := v.(string); ok {
				longest = max(longest, utf8.RuneCountInString(s))
			}
		}
		n += longest
	}
	for _, key := range []string{"options", "choices"} {
		list, _ := o[key].([]any)
		for _, each := range list {
			if inner, ok := each.(map[string]any); ok {
				n += commandSize(inner)
			}
		}
	}
	return n
}

// commandLocked finds the registered command that somebody would see in the channel.
func (s *Server) commandLocked(u *User, ch *Channel, kind int, name string) obj {
	lists := [][]obj{s.commands}
	if ch.Guild != nil {
		lists = append(lists, s.local[ch.Guild.ID])
	}
	for _, list := range lists {
		for _, c := range list {
			if !u.calls(c, name) || c["type"] != kind {
				continue
			}
			context := 0
			if ch.Guild == nil {
				context = 1
			}
			if (c["contexts"] == nil || holdsNumber(c["contexts"], context)) && ch.showsLocked(u, c) {
				return c
			}
		}
	}
	return nil
}

// calls reports whether a command, an option or a choice is called so for somebody: by its name, or as it is called in the language in
// which they use Discord. The interaction brings the name itself.
func (u *User) calls(o obj, name string) bool {
	names, _ := o["name_localizations"].(map[string]any)
	return o["name"] == name || name != "" && names[u.Locale] == name
}

// showsLocked reports whether somebody may use a command in the channel, as the default permissions
// have it: "0" is for administrators alone.
func (c *Channel) showsLocked(u *User, command obj) bool {
	bits, ok := command["default_member_permissions"].(string)
	if !ok || c.Guild == nil {
		return true
	}
	need, _ := strconv.ParseInt(bits, 10, 64)
	has := c.Guild.permissionsLocked(u, c)
	return has&Administrator != 0 || need != 0 && has&need == need
}

func holdsNumber(list any, n int) bool {
	l, _ := list.([]any)
	return slices.ContainsFunc(l, func(v any) bool { return v == float64(n) })
}
