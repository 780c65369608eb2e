package protocol

import (
	"errors"
	"fmt"
	"unicode/utf16"
)

// Control is something on a message that can be pressed, or chosen from. It stands for a command: whoever acts on it has
// it come back as an [Invocation] of Path with Args, and it is understood, allowed, refused and answered as if they had
// typed it. So it keeps no state of its own, and one on an old message still works, or gets an answer that says why not.
//
// A network without such things leaves controls out. The text of the message therefore always says what to type instead.
type Control struct {
	// Label is what a button says, or what a menu asks for while nothing is chosen.
	Label string
	Tone  Tone
	// Path and Args are the command, as in an Invocation.
	Path []string
	Args map[string]string
	// Form are parameters that are asked for in a form once it is pressed, where the network has forms. Those that the
	// command requires and Args lack are asked for in any case.
	Form []string
	// Param is the parameter that is chosen, which makes this a menu of Options; zero makes it a button. The values that
	// are chosen fill those of its slots, in their order, that Args leave free.
	Param   string
	Options []Option
	// Least and Most are how many options may be chosen at once; zero means one.
	Least, Most int
}

// Option is one of those that a menu offers.
type Option struct {
	Label  string
	Detail string // zero says no more
	Value  string
}

// Tone is a hint at what pressing a control amounts to. Nothing depends on it.
type Tone string

// The tones.
const (
	ToneNeutral Tone = ""
	ToneMain    Tone = "main"  // what most people want
	ToneGood    Tone = "good"  // agrees
	ToneGrave   Tone = "grave" // refuses, or takes something away
)

// Limits of a control. They are those of Discord (developer documentation, "Component Reference"), less what
// the adapter adds to a custom id.
const (
	MaxControlLabel = 80 // characters, in UTF-16 units as everything here: an emoji is two
	MaxOptions      = 25
	MaxOptionText   = 100 // of a label, a detail or a value
	MaxControlBytes = 90  // of Path, Args, Param and Form, with one more for each name and value in them
)

// ErrControl is the error of a control that no network could show.
var ErrControl = errors.New("control")

// Check tells what is wrong with the control, whatever the network.
func (c Control) Check() error {
	size := len(c.Param)
	for _, word := range c.Path {
		size += len(word) + 1
	}
	for name, value := range c.Args {
		size += len(name) + len(value) + 2
	}
	for _, name := range c.Form {
		size += len(name) + 1
	}
	switch {
	case len(c.Path) == 0:
		return fmt.Errorf("%w %q: it has no command", ErrControl, c.Label)
	case !fits(c.Label, MaxControlLabel):
		return fmt.Errorf("%w %q: its label is one clean line of 1 to %d characters", ErrControl, c.Label, MaxControlLabel)
	case size > MaxControlBytes:
		return fmt.Errorf("%w %q: its command has %d bytes, and at most %d fit", ErrControl, c.Label, size, MaxControlBytes)
	case c.Param == "" && len(c.Options) > 0:
		return fmt.Errorf("%w %q: a button has no options", ErrControl, c.Label)
	case c.Param == "":
		return nil
	case len(c.Options) == 0 || len(c.Options) > MaxOptions:
		return fmt.Errorf("%w %q: a menu has 1 to %d options", ErrControl, c.Label, MaxOptions)
	case c.Least < 0 || c.Most < 0 || max(c.Least, 1) > max(c.Most, 1) || c.Most > len(c.Options):
		return fmt.Errorf("%w %q: of %d options %d to %d cannot be chosen", ErrControl, c.Label, len(c.Options), c.Least, c.Most)
	}
	seen := map[string]bool{}
	for _, o := range c.Options {
		if !fits(o.Label, MaxOptionText) || !fits(o.Value, MaxOptionText) || o.Detail != "" && !fits(o.Detail, MaxOptionText) || seen[o.Value] {
			return fmt.Errorf("%w %q: option %q is too long, not clean, or there twice", ErrControl, c.Label, o.Value)
		}
		seen[o.Value] = true
	}
	return nil
}

// fits reports whether s is one clean line of 1 to most characters.
func fits(s string, most int) bool {
	return s != "" && s == OneLine(s) && units(s) <= most
}

// units is the length of a string in UTF-16 units.
func units(s string) (n int) {
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// OptionText cuts s to what a menu can show of an option, as [Shorten] does.
func OptionText(s string) string {
	short := s
	for most := MaxOptionText; units(short) > MaxOptionText; most-- {
		short = Shorten(s, most)
	}
	return short
}
