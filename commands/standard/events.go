package standard

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

func (conf Config) events() *commands.Command {
	params := []commands.Param{
		{Name: "kind", Kind: commands.Word, Flag: true, Complete: conf.completeKind},
		{Name: "person", Kind: commands.Person, Flag: true, Outside: true},
	}
	for _, f := range conf.Filters {
		p := commands.Param{Name: f.Key, Kind: commands.Word, Flag: true}
		if f.Values != nil {
			p.Kind, p.Choices = commands.Choice, f.Values
		}
		params = append(params, p)
	}
	return &commands.Command{
		Name:       "events",
		Where:      commands.NeedsRoom,
		Visibility: commands.Private,
		Params:     append(params, pages()),
		Examples:   []string{"events", "events --kind room --page 2"},
		Run: func(c *commands.Call) error {
			facts, flags, err := conf.listed(c)
			if err != nil {
				return err
			}
			for range facts {
				return answerPage(c, answers(c).Say("events"), conf.factLines(c, facts), flags)
			}
			return c.Answer(answers(c).Say("events-none"))
		},
	}
}

// completeKind completes the kinds that there can be. Whether there was one of a kind yet is not told: that may have been in
// any room.
func (conf Config) completeKind(_ *store.Tx, _ commands.CompletionContext, typed string) []string {
	return slices.DeleteFunc(conf.Bus.Known(), func(k string) bool { return !strings.HasPrefix(k, alike.Fold(typed)) })
}

// listed returns the facts of the room that the person may see and wants to, the last first, and the flags by which they were asked for.
func (conf Config) listed(c *commands.Call) (facts iter.Seq2[events.Fact, error], flags string, err error) {
	want := events.Query{Backward: true, Filters: map[string]string{events.KeyScope: string(c.Room.ID)}}
	if c.Has("kind") {
		want.Kind = alike.Fold(c.Word("kind"))
		if kinds := conf.Bus.Known(); !slices.Contains(kinds, want.Kind) {
			there := say.Code("Kinds", protocol.Plain(strings.Join(kinds, ", ")))
			return nil, "", commands.Sorry(answers(c).Say("no-kind", say.Quoted("Kind", c.Word("kind"), 40), there))
		}
		flags += "--kind " + want.Kind + " "
	}
	if c.Has("person") {
		who, _ := c.Somebody("person")
		want.Filters[events.KeyPerson] = conf.Bus.Lookup(c.Tx, who.User).String()
		flags += "--person " + string(who.User) + " "
	}
	for _, f := range conf.Filters {
		if !c.Has(f.Key) {
			continue
		}
		value := strings.TrimPrefix(c.Word(f.Key), "#")
		if protocol.CheckID(value) != nil {
			return nil, "", commands.Sorry(answers(c).Say("no-value", say.Quoted("Value", value, 40), say.Code("Key", protocol.Plain(f.Key))))
		}
		want.Filters[f.Key] = value
		flags += "--" + f.Key + " " + value + " "
	}
	if c.Role >= commands.Moderator {
		return conf.Bus.Matching(c.Tx, want), flags, nil
	}
	return conf.visible(c, want), flags, nil
}

// visible goes through those of the wanted facts that everybody may see, or that are about the person.
func (conf Config) visible(c *commands.Call, want events.Query) iter.Seq2[events.Fact, error] {
	var sources []iter.Seq2[events.Fact, error]
	for _, outcome := range conf.Outcomes {
		q := want
		q.Filters = maps.Clone(want.Filters)
		switch {
		case q.Kind == "":
			q.Kind = outcome.Kind
		case outcome.Kind != "" && outcome.Kind != q.Kind:
			continue
		}
		if clash := merge(q.Filters, outcome.Filters); !clash {
			sources = append(sources, conf.Bus.Matching(c.Tx, q))
		}
	}
	if own := conf.Bus.Lookup(c.Tx, c.Person); own != 0 {
		q := want
		q.Filters = maps.Clone(want.Filters)
		about := q.Filters[events.KeyPerson]
		q.Filters[events.KeyPerson] = own.String()
		sources = append(sources, naming(conf.Bus.Matching(c.Tx, q), about))
	}
	return latest(sources, pageLines*int(max(1, c.Integer("page")))+1)
}

// merge adds filters to others, and tells whether they cannot both hold.
func merge(into, from map[string]string) (clash bool) {
	for k, v := range from {
		if was, ok := into[k]; ok && was != v {
			return true
		}
		into[k] = v
	}
	return false
}

// naming leaves out the facts that do not name a person, who is given by number; zero leaves out none.
func naming(facts iter.Seq2[events.Fact, error], person string) iter.Seq2[events.Fact, error] {
	return func(yield func(events.Fact, error) bool) {
		for f, err := range facts {
			named := person == "" || err != nil
			for _, n := range f.People {
				named = named || n.String() == person
			}
			if named && !yield(f, err) {
				return
			}
		}
	}
}

// latest goes through several sources, each of them the last first, as one, and at most so far. What is in two of them
// comes once.
func latest(sources []iter.Seq2[events.Fact, error], most int) iter.Seq2[events.Fact, error] {
	type read struct {
		fact events.Fact
		err  error
	}
	var all []read
	for _, source := range sources {
		n := 0
		for f, err := range source {
			all = append(all, read{f, err})
			if n++; n == most {
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b read) int { return cmp.Compare(b.fact.Seq, a.fact.Seq) })
	all = slices.CompactFunc(all, func(a, b read) bool { return a.fact.Seq == b.fact.Seq })
	return func(yield func(events.Fact, error) bool) {
		for _, r := range all[:min(most, len(all))] {
			if !yield(r.fact, r.err) {
				return
			}
		}
	}
}

func (conf Config) factLines(c *commands.Call, facts iter.Seq2[events.Fact, error]) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		names := rooms.NamesIn(c.Tx, c.Room.ID)
		for f, err := range facts {
			line := bullet(conf.factLine(c, names, f))
			if err != nil {
				line = bullet(answers(c).Say("unreadable"))
			}
			if !yield(line) {
				return
			}
		}
	}
}

// factLine shows a fact to somebody in a room, without its number: facts are numbered over all rooms, and how much happens
// elsewhere is nobody's to know.
func (conf Config) factLine(c *commands.Call, names *rooms.Names, f events.Fact) protocol.Text {
	s := answers(c)
	line := s.Say("fact", say.Moment("At", f.Time), say.Part("What", protocol.Plain(conf.Bus.Describe(c.Language(), f))))
	for _, role := range slices.Sorted(maps.Keys(f.People)) {
		line = s.Say("fact-person", say.Part("Line", line), roleOf(s, role), say.Person("Who", conf.person(c.Tx, s, names, f.People[role])))
	}
	return line
}

// person names somebody whom a fact names, as they are called in the room.
func (conf Config) person(tx *store.Tx, s say.Speaker, names *rooms.Names, n events.Number) protocol.Text {
	id, ok := conf.Bus.Who(tx, n)
	if !ok {
		return s.Say("forgotten")
	}
	return names.Person(id)
}

// roleOf is what somebody is to a fact.
func roleOf(s say.Speaker, role string) say.Slot {
	if s.Has("role-" + role) {
		return say.Part("Role", s.Say("role-"+role))
	}
	return say.Part("Role", protocol.Plain(role)) // of a feature whose roles this package does not know
}
