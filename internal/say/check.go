package say

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// Check says what is wrong with a catalogue: a message that a language lacks, or that has other slots there than in English, or no
// plural where it has a count. It is for the tests of the packages that speak.
func (c *Catalogue) Check() error {
	var wrong []error
	inEnglish := c.all(English)
	for _, l := range Languages() {
		all := c.all(l)
		for id, m := range all {
			english := inEnglish[id]
			if english == nil {
				wrong = append(wrong, fmt.Errorf("%s: %q is not in English", l, id))
				continue
			}
			slots, err := slotsOf(m)
			want, _ := slotsOf(english)
			switch {
			case err != nil:
				wrong = append(wrong, fmt.Errorf("%s: %s: %w", l, id, err))
			case !maps.Equal(slots, want):
				wrong = append(wrong, fmt.Errorf("%s: %s has the slots %v, and in English %v", l, id, slots, want))
			}
		}
		for id := range inEnglish {
			switch {
			case all[id] == nil:
				wrong = append(wrong, fmt.Errorf("%s: %q is missing", l, id))
			case c.content(l, id).ids[id] == nil:
				wrong = append(wrong, fmt.Errorf("%s: %q does not stand in the file in which it is looked for", l, id))
			}
		}
	}
	return errors.Join(wrong...)
}

// Slots returns the names of the slots of a message, by which the code can be held to it; nil if there is no such message.
func (c *Catalogue) Slots(id string) []string {
	m := c.content(English, id).ids[id]
	if m == nil {
		return nil
	}
	slots, err := slotsOf(m)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(slots))
}

// slotsOf returns the slots of a message and their kinds. In the singular the count can be left out: "one member".
func slotsOf(m *i18n.Message) (map[string]string, error) {
	all, one := map[string]string{}, map[string]string{}
	for _, form := range []struct {
		text  string
		slots map[string]string
	}{{m.Other, all}, {m.One, one}} {
		pieces, err := parse(form.text)
		if err != nil {
			return nil, err
		}
		for _, p := range pieces {
			if p.name != "" {
				form.slots[p.name] = p.kind
			}
		}
	}
	counts := slices.Contains(slices.Collect(maps.Values(all)), count)
	switch {
	case m.Other == "":
		return nil, errors.New("it says nothing")
	case counts != (m.One != ""):
		return nil, errors.New("a count goes with a plural")
	case !counts:
		return all, nil
	}
	for name, kind := range all {
		if kind != count && one[name] != kind {
			return nil, fmt.Errorf("the singular lacks %s", name)
		}
	}
	return all, nil
}
