package discord

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"moot/internal/say"
	"moot/protocol"
)

// Command is a command, or a group of them, of which a slash command is made. A group comes before
// what it holds.
type Command struct {
	Path    []string
	Summary string
	// In is what it is called and said of it in other languages, and MenuIn what it is called there in the menu of a person.
	In     map[say.Language]Locale
	MenuIn map[say.Language]Locale
	Group  bool
	// Private is whether only the person sees the answers to what came through Discord's own
	// interface.
	Private bool
	// Operators is whether only those who operate the bot may use it. In guilds it is then shown to
	// administrators alone, until they show it to others.
	Operators bool
	// InGuilds and InPrivate are where it is offered.
	InGuilds, InPrivate bool
	Params              []Param
	Hidden              []Param // what nobody is offered, and only controls fill
	// OnPerson is what the command is called in the menu of a person, who becomes the value of its
	// first parameter of the kind Person; zero leaves it out of there.
	OnPerson string
}

// Param is something that a command takes.
type Param struct {
	Name, Summary string
	In            map[say.Language]Locale
	Kind          Kind
	Required      bool
	// Slots are the names under which values are given: that of the parameter, and more where it
	// takes several.
	Slots []string
	// Min and Max bound an Integer, and the characters of Words; both zero means no bounds.
	Min, Max int64
	Choices  []string
	// ChoicesIn are what choices are called in other languages.
	ChoicesIn map[string]map[say.Language]Locale
	Complete  bool // whether its values are completed while they are typed
	Joined    bool // whether what is given in several slots may stand in the first, so that this is all that is offered
}

// Kind is the kind of a parameter.
type Kind int

// The kinds, as far as Discord tells them apart.
const (
	Words Kind = iota
	Long       // words that may fill several lines
	Integer
	Switch
	Person
	Role // of the guild
)

// Limits of Discord (developer documentation, "Application Commands").
const (
	maxOptions     = 25
	maxDescription = 100
	maxChoice      = 100
	maxMenuName    = 32
	maxInput       = 4000 // characters of what is typed into a form
)

// The types of commands and options.
const (
	typeSlash = 1
	typeUser  = 2

	optionSub     = 1
	optionGroup   = 2
	optionString  = 3
	optionInteger = 4
	optionBoolean = 5
	optionUser    = 6
	optionRole    = 8

	contextGuild = 0
	contextBotDM = 1
)

// registered is a command as it is registered, and as Discord tells it: it adds fields. discordgo's own types write fields that Discord's
// schema refuses.
type registered struct {
	Type        int               `json:"type"`
	Name        string            `json:"name"`
	Names       map[string]string `json:"name_localizations,omitempty"`
	Description string            `json:"description,omitempty"`
	Described   map[string]string `json:"description_localizations,omitempty"`
	Options     []option          `json:"options,omitempty"`
	Contexts    []int             `json:"contexts"`
	Integration []int             `json:"integration_types"`
	// Permissions is a set of bits as a string, as the documentation of Application Commands has
	// it; its OpenAPI document says a number. "0" shows the command to administrators alone; nil
	// shows it to all.
	Permissions *string `json:"default_member_permissions"`
}

// option is a parameter of a command. Discord writes its numbers as floating point.
type option struct {
	Type        int               `json:"type"`
	Name        string            `json:"name"`
	Names       map[string]string `json:"name_localizations,omitempty"`
	Description string            `json:"description"`
	Described   map[string]string `json:"description_localizations,omitempty"`
	Required    bool              `json:"required,omitempty"`
	Complete    bool              `json:"autocomplete,omitempty"`
	Choices     []choice          `json:"choices,omitempty"`
	MinValue    *float64          `json:"min_value,omitempty"`
	MaxValue    *float64          `json:"max_value,omitempty"`
	MinLength   *float64          `json:"min_length,omitempty"`
	MaxLength   *float64          `json:"max_length,omitempty"`
	Options     []option          `json:"options,omitempty"`
}

type choice struct {
	Name  string            `json:"name"`
	Names map[string]string `json:"name_localizations,omitempty"`
	Value string            `json:"value"`
}

// tree is the commands, ready to be found.
type tree struct {
	list   []Command
	byPath map[string]*Command
	menus  map[string]*Command // by what they are called in the menu of a person
}

func newTree(list []Command) *tree {
	t := &tree{list: list, byPath: map[string]*Command{}, menus: map[string]*Command{}}
	for i := range list {
		c := &list[i]
		t.byPath[pathKey(c.Path)] = c
		if c.OnPerson != "" {
			t.menus[c.OnPerson] = c
		}
	}
	return t
}

func pathKey(path []string) string {
	b, err := json.Marshal(path)
	if err != nil {
		panic(err) // strings can be encoded
	}
	return string(b)
}

// find returns a command, nil if there is none.
func (t *tree) find(path []string) *Command { return t.byPath[pathKey(path)] }

// private reports whether only the person sees the answers. Of an unknown command the answer is
// that it is unknown.
func (t *tree) private(path []string) bool {
	c := t.find(path)
	return c == nil || c.Private
}

// Registration is what the bot registers with Discord. It is compared with what stands there when
// the bot starts, and by moot check.
type Registration struct {
	Commands json.RawMessage
	Names    []string // of all commands, sorted; those in menus are their labels
}

// Register makes the registration of commands.
func Register(list []Command) Registration {
	all := newTree(list).registration()
	data, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	r := Registration{Commands: data}
	for _, c := range all {
		r.Names = append(r.Names, c.Name)
	}
	slices.Sort(r.Names)
	return r
}

// registration makes slash commands of the tree, and commands in the menu of a person.
func (t *tree) registration() []registered {
	out := []registered{}
	for i := range t.list {
		c := &t.list[i]
		if len(c.Path) == 1 {
			out = append(out, registered{
				Type: typeSlash, Name: c.Path[0], Names: localized(c.In, nameIn),
				Description: describe(c.Summary), Described: localized(c.In, summaryOf), Options: t.options(c),
				Contexts: t.contexts(c), Integration: []int{0}, Permissions: shownTo(c),
			})
		}
	}
	for i := range t.list {
		if c := &t.list[i]; c.OnPerson != "" {
			out = append(out, registered{
				Type: typeUser, Name: protocol.Shorten(c.OnPerson, maxMenuName), Names: localized(c.MenuIn, nameIn), Contexts: []int{contextGuild},
				Integration: []int{0}, Permissions: shownTo(c),
			})
		}
	}
	return out
}

// shownTo are the permissions of those to whom a command is shown in guilds; nil for all.
func shownTo(c *Command) *string {
	if !c.Operators {
		return nil
	}
	none := "0"
	return &none
}

// stands reports whether just these commands are registered, in whatever order.
func (r Registration) stands(have []registered) bool {
	var want []registered
	if err := json.Unmarshal(r.Commands, &want); err != nil {
		panic(err) // it is ours
	}
	return normal(want) == normal(have)
}

// normal writes commands so that those that are the same read the same.
func normal(list []registered) string {
	for _, c := range list {
		slices.Sort(c.Contexts)
	}
	slices.SortFunc(list, func(a, b registered) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	data, err := json.Marshal(list)
	if err != nil {
		panic(err) // strings and numbers can be encoded
	}
	return string(data)
}

// below returns what a group holds.
func (t *tree) below(c *Command) (subs []*Command) {
	for i := range t.list {
		if s := &t.list[i]; len(s.Path) == len(c.Path)+1 && slices.Equal(s.Path[:len(c.Path)], c.Path) {
			subs = append(subs, s)
		}
	}
	return subs
}

// contexts is where a command is offered; a group where any of its commands is.
func (t *tree) contexts(c *Command) (contexts []int) {
	guilds, private := t.places(c)
	if guilds {
		contexts = append(contexts, contextGuild)
	}
	if private {
		contexts = append(contexts, contextBotDM)
	}
	return contexts
}

func (t *tree) places(c *Command) (guilds, private bool) {
	if !c.Group {
		return c.InGuilds, c.InPrivate
	}
	for _, s := range t.below(c) {
		g, p := t.places(s)
		guilds, private = guilds || g, private || p
	}
	return guilds, private
}

func (t *tree) options(c *Command) (out []option) {
	if c.Group {
		for _, s := range t.below(c) {
			kind := optionSub
			if s.Group {
				kind = optionGroup
			}
			out = append(out, option{
				Type: kind, Name: s.Path[len(s.Path)-1], Names: localized(s.In, nameIn),
				Description: describe(s.Summary), Described: localized(s.In, summaryOf), Options: t.options(s),
			})
		}
		return out
	}
	// Required ones come first, as Discord wants it, then more of the same; otherwise the order is
	// that of the command.
	var optional, more []option
	for i := range c.Params {
		for n, slot := range c.Params[i].Slots {
			if n > 0 && c.Params[i].Joined {
				break
			}
			o := c.Params[i].option(slot, n)
			switch {
			case o.Required:
				out = append(out, o)
			case c.Params[i].Required:
				more = append(more, o)
			default:
				optional = append(optional, o)
			}
		}
	}
	out = append(append(out, more...), optional...)
	return out[:min(len(out), maxOptions)]
}

// option makes the option of one slot of a parameter. Only the first may be required.
func (p *Param) option(slot string, n int) option {
	named := func(l Locale) string {
		if l.Name == "" {
			return ""
		}
		return l.Name + strings.TrimPrefix(slot, p.Name) // "option-2" after "option"
	}
	o := option{Type: optionString, Name: slot, Names: localized(p.In, named),
		Description: describe(p.Summary), Described: localized(p.In, summaryOf), Required: p.Required && n == 0, Complete: p.Complete}
	switch p.Kind {
	case Integer:
		o.Type = optionInteger
		if p.Min != 0 || p.Max != 0 {
			least, most := float64(max(p.Min, -1<<53)), float64(min(p.Max, 1<<53)) // which a float64 has exactly
			o.MinValue, o.MaxValue = &least, &most
		}
	case Switch:
		o.Type = optionBoolean
	case Person:
		o.Type, o.Complete = optionUser, false
	case Role:
		o.Type, o.Complete = optionRole, false
	default:
		if p.Min != 0 || p.Max != 0 {
			least, most := float64(min(max(p.Min, 0), 6000)), float64(min(max(p.Max, 1), 6000))
			o.MinLength, o.MaxLength = &least, &most
		}
		if len(p.Choices) > 0 && len(p.Choices) <= maxOptions {
			o.Complete = false
			o.MinLength, o.MaxLength = nil, nil
			for _, c := range p.Choices {
				o.Choices = append(o.Choices, choice{c, localized(p.ChoicesIn[c], nameIn), c})
			}
		}
	}
	return o
}

func describe(summary string) string { return protocol.Shorten(summary, maxDescription) }

// missing are the parameters that are to be asked for in a form: those that are required and not
// there, and those that the press names. Five is what a form can hold.
func (c *Command) missing(args map[string]string, form []string) (out []*Param) {
	for i := range c.Params {
		p := &c.Params[i]
		if len(p.Slots) == 0 || p.Kind == Person || p.Kind == Role || p.Kind == Switch {
			continue
		}
		_, given := args[p.Slots[0]]
		if !given && (p.Required || contains(form, p.Name)) {
			out = append(out, p)
		}
	}
	return out[:min(len(out), 5)]
}

// fill puts the values of a menu into the slots of a parameter that are free.
func (c *Command) fill(args map[string]string, param string, values []string) error {
	for _, p := range slices.Concat(c.Params, c.Hidden) {
		if p.Name != param {
			continue
		}
		slots := p.Slots
		for _, v := range values {
			for len(slots) > 0 {
				if _, taken := args[slots[0]]; !taken {
					break
				}
				slots = slots[1:]
			}
			if len(slots) == 0 {
				return fmt.Errorf("more values than the parameter %s takes", param)
			}
			args[slots[0]] = v
		}
		return nil
	}
	return fmt.Errorf("there is no parameter %s", param)
}

// person returns the slot of the first parameter that is a person.
func (c *Command) person() (slot string, ok bool) {
	for i := range c.Params {
		if p := &c.Params[i]; p.Kind == Person && len(p.Slots) > 0 {
			return p.Slots[0], true
		}
	}
	return "", false
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func itoa(n int64) string { return fmt.Sprint(n) }

// title is how a form is called: at most 45 characters (developer documentation, "Modal").
func title(s string) string {
	const most = 45
	if s == "" {
		return "…"
	}
	if utf8.RuneCountInString(s) > most { // the first clause says what it is
		if clause, _, ok := strings.Cut(s, ","); ok {
			s = clause
		}
	}
	return protocol.Shorten(s, most)
}
