package say

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"
	"golang.org/x/text/language"

	"moot/protocol"
)

// Catalogue is what one package says, in every language. It can be used by several goroutines at once.
type Catalogue struct {
	// What is in the files of each language, read when it is first asked for: most calls of a program say little, in one language,
	// and to read everything takes longer than all else of a start.
	said, told map[Language]func() *content // told: of what commands say of themselves; nil where that is among the rest
	parsed     sync.Map                     // a message → []piece
}

// content is what is in the files of one language.
type content struct {
	in  *i18n.Localizer
	ids map[string]*i18n.Message
}

//go:embed en.toml de.toml
var own embed.FS

// New returns the catalogue of the files, with the lengths of time and the lists of this package. What commands say of themselves
// may stand in files of its own, commands.en.toml and so on, and then stands nowhere else. Files of the program itself are right or the
// program is not, so that an error is a panic.
func New(files fs.FS) *Catalogue {
	c := &Catalogue{said: map[Language]func() *content{}}
	for _, l := range Languages() {
		name := string(l) + ".toml"
		c.said[l] = sync.OnceValue(func() *content { return read(l, source{own, name}, source{files, name}) })
		if _, err := fs.Stat(files, "commands."+name); err == nil {
			if c.told == nil {
				c.told = map[Language]func() *content{}
			}
			c.told[l] = sync.OnceValue(func() *content { return read(l, source{files, "commands." + name}) })
		}
	}
	return c
}

// source is a file of a catalogue.
type source struct {
	files fs.FS
	name  string
}

func read(l Language, all ...source) *content {
	tag := language.Make(string(l))
	bundle := i18n.NewBundle(tag)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	c := &content{ids: map[string]*i18n.Message{}}
	for _, from := range all {
		f, err := bundle.LoadMessageFileFS(from.files, from.name)
		if err != nil {
			panic(fmt.Errorf("say: %s: %w", l, err))
		}
		for _, m := range f.Messages {
			if c.ids[m.ID] != nil {
				panic(fmt.Errorf("say: %s: %q stands twice", l, m.ID))
			}
			c.ids[m.ID] = m
		}
	}
	c.in = i18n.NewLocalizer(bundle, string(l)) // once all are in the bundle
	return c
}

// ofCommands are the beginnings of the ids of what commands say of themselves.
var ofCommands = []string{"command-", "detail-", "name-", "menu-", "param-", "label-", "value-"}

// content returns what is in the file that has a message, if any has.
func (c *Catalogue) content(l Language, id string) *content {
	if l == Pseudo {
		l = English
	}
	if c.told[l] != nil && slices.ContainsFunc(ofCommands, func(begin string) bool { return strings.HasPrefix(id, begin) }) {
		return c.told[l]()
	}
	return c.said[l]()
}

// disguised is whether all speak Pseudo.
var disguised atomic.Bool

// Disguise has everything said in [Pseudo], whatever language was chosen, until the function that it returns is called. It is for tests.
func Disguise() (undo func()) {
	disguised.Store(true)
	return func() { disguised.Store(false) }
}

// Speaker speaks one language. The zero value says nothing: it comes from [Catalogue.In].
type Speaker struct {
	catalogue *Catalogue
	language  Language
}

// In returns who speaks the language; English where no catalogue has it.
func (c *Catalogue) In(l Language) Speaker {
	if disguised.Load() {
		l = Pseudo
	}
	if l != Pseudo && !slices.Contains(Languages(), l) {
		l = English
	}
	return Speaker{c, l}
}

// Language returns the language that is spoken.
func (s Speaker) Language() Language { return s.language }

// Has reports whether there is a message of that id.
func (s Speaker) Has(id string) bool { return s.catalogue.content(s.language, id).ids[id] != nil }

// Say says a message. A message that is not there, or has other slots than are given, is a panic: tests hold the code to the
// catalogue.
func (s Speaker) Say(id string, slots ...Slot) protocol.Text {
	config := i18n.LocalizeConfig{MessageID: id, TemplateParser: template.IdentityParser{}}
	if i := slices.IndexFunc(slots, func(s Slot) bool { return s.kind == count }); i >= 0 {
		config.PluralCount = slots[i].n
	}
	message, err := s.catalogue.content(s.language, id).in.Localize(&config)
	if err != nil {
		panic(fmt.Errorf("say: %s in %s: %w", id, s.language, err))
	}
	var text protocol.Text
	for _, p := range s.catalogue.pieces(message) {
		if p.name == "" {
			for _, span := range s.written(p) {
				text = add(text, span)
			}
			continue
		}
		i := slices.IndexFunc(slots, func(s Slot) bool { return s.name == p.name && s.kind == p.kind })
		if i < 0 {
			panic(fmt.Errorf("say: %s in %s: no %s %s is given", id, s.language, p.kind, p.name))
		}
		for _, span := range s.fill(slots[i]) {
			if span.Style == protocol.PlainStyle {
				span.Style = p.style
			}
			text = add(text, span)
		}
	}
	return text
}

// add adds a span to a text. What is plain, or strong, becomes one with what is so before it: networks mark each span.
func add(text protocol.Text, span protocol.Span) protocol.Text {
	if last := len(text) - 1; last >= 0 && span.Style == text[last].Style && (span.Style == protocol.PlainStyle || span.Style == protocol.StrongStyle) {
		text[last].Text += span.Text
		return text
	}
	return append(text, span)
}

// Plain is Say without markup.
func (s Speaker) Plain(id string, slots ...Slot) string { return s.Say(id, slots...).Plain() }

func (c *Catalogue) pieces(message string) []piece {
	if p, ok := c.parsed.Load(message); ok {
		return p.([]piece)
	}
	p, err := parse(message)
	if err != nil {
		panic(fmt.Errorf("say: %w", err))
	}
	c.parsed.Store(message, p)
	return p
}

// fill returns what stands in a slot.
func (s Speaker) fill(slot Slot) protocol.Text {
	switch {
	case slot.kind == span:
		return s.Length(slot.length)
	case slot.kind == number && s.language == German:
		return protocol.Plain(strings.ReplaceAll(slot.text.Plain(), ".", ","))
	case s.language == Pseudo && slot.kind != part && slot.kind != count && len(slot.text) > 0:
		return apart(slot.text)
	}
	return slot.text
}

// apart puts what no catalogue says between the marks of [Pseudo].
func apart(text protocol.Text) protocol.Text { return protocol.Join("⟦", text, "⟧") }

// written returns the words of a message as they are written.
func (s Speaker) written(p piece) protocol.Text {
	plain := protocol.Text{{Style: p.style, Text: protocol.Clean(p.text)}}
	switch {
	case s.language != Pseudo:
		return plain
	case p.style == protocol.CodeStyle:
		return apart(plain)
	}
	var b strings.Builder
	for _, r := range plain[0].Text {
		marked := r
		if i := strings.IndexRune(plainLetters, r); i >= 0 {
			marked = markedLetters[i]
		}
		b.WriteRune(marked)
		if strings.ContainsRune("aeiou", r) {
			b.WriteRune(marked)
		}
	}
	plain[0].Text = b.String()
	return plain
}

const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

var markedLetters = []rune("åƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ")

// Length says how long something takes, in its two largest units: "1 day and 2 hours". Less than a second is "0 seconds".
func (s Speaker) Length(d time.Duration) protocol.Text {
	const day = 24 * time.Hour
	units := []struct {
		size time.Duration
		id   string
	}{{day, "span-days"}, {time.Hour, "span-hours"}, {time.Minute, "span-minutes"}, {time.Second, "span-seconds"}}
	for i, u := range units {
		if d < u.size && u.size > time.Second {
			continue
		}
		whole := s.Say(u.id, Count("N", int(d/u.size)))
		if u.size < time.Hour {
			return whole
		}
		if rest := int(d % u.size / units[i+1].size); rest > 0 {
			return s.Say("span-two", Part("Large", whole), Part("Small", s.Say(units[i+1].id, Count("N", rest))))
		}
		return whole
	}
	return nil // which no length of time is
}

// And lists things: "a, b and c".
func (s Speaker) And(things []protocol.Text) protocol.Text { return s.list("list-and", things) }

// Or lists things: "a, b or c".
func (s Speaker) Or(things []protocol.Text) protocol.Text { return s.list("list-or", things) }

func (s Speaker) list(id string, things []protocol.Text) protocol.Text {
	last := len(things) - 1
	if last <= 0 {
		return Commas(things)
	}
	return s.Say(id, Part("Before", Commas(things[:last])), Part("Last", things[last]))
}

// Commas lists things: "a, b, c".
func Commas(things []protocol.Text) protocol.Text { return between(", ", things) }

// Semicolons lists things: "a; b; c".
func Semicolons(things []protocol.Text) protocol.Text { return between("; ", things) }

func between(mark string, things []protocol.Text) (text protocol.Text) {
	for i, one := range things {
		if i > 0 {
			text = protocol.Join(text, mark)
		}
		text = append(text, one...)
	}
	return text
}

// Sentences puts sentences one behind the other.
func Sentences(all ...protocol.Text) protocol.Text {
	return between(" ", slices.DeleteFunc(all, func(one protocol.Text) bool { return len(one) == 0 }))
}

// IDs returns the ids of all messages.
func (c *Catalogue) IDs() []string { return slices.Sorted(maps.Keys(c.all(English))) }

// all returns all messages of a language.
func (c *Catalogue) all(l Language) map[string]*i18n.Message {
	all := maps.Clone(c.said[l]().ids)
	if c.told[l] != nil {
		maps.Copy(all, c.told[l]().ids)
	}
	return all
}
