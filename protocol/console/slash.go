package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
)

// slash is a command of the console. What it does is said by the message "do-" and its name.
type slash struct {
	name   string
	params []param
	run    func(t *Terminal, args []string) error
}

// param is a parameter: one word, which stands in double quotes if it has spaces, or, where it is rest, all that
// follows.
type param struct {
	name     string
	kind     kind
	optional bool
	rest     bool
}

// kind says what a parameter may be, for completion.
type kind string

const (
	aPerson   kind = "person"
	aRoom     kind = "room"
	aMessage  kind = "message"
	anEmoji   kind = "emoji"
	onOrOff   kind = "on|off"
	aVoice    kind = "on|off|deaf|afk"
	aDuration kind = "duration"
	aCommand  kind = "command"
	aCrash    kind = "place"
	failWord  kind = "fail"
	freeText  kind = "text"
)

// words are what a parameter of a kind can be, where that is always the same.
var words = map[kind][]string{
	onOrOff:   {"on", "off"},
	aVoice:    {"on", "off", "deaf", "afk"},
	failWord:  {"fail"},
	aCrash:    {"now", "arrival", "commit", "sending", "receipt"},
	anEmoji:   {"👍", "👎", "✅", "❌", "🎉", "❤️"},
	aDuration: {"10m", "25h", "3d"},
}

// slashes are the commands, in the order of /help.
func slashes() []slash {
	person := param{name: "NAME", kind: aPerson}
	whole := func(p param) param { p.rest = true; return p } // names have spaces
	room := whole(param{name: "ROOM", kind: aRoom})
	message := param{name: "N", kind: aMessage}
	text := func(name string, optional bool) param {
		return param{name: name, kind: freeText, optional: optional, rest: true}
	}
	maybe := func(p param) param { p.optional = true; return p }
	return []slash{
		{"as", []param{whole(person)}, (*Terminal).as},
		{"in", []param{room}, (*Terminal).in},
		{"dm", nil, (*Terminal).dm},
		{"reply", []param{message, text("TEXT", false)}, (*Terminal).reply},
		{"edit", []param{message, text("TEXT", false)}, (*Terminal).edit},
		{"delete", []param{message, text("REASON", true)}, (*Terminal).delete},
		{"react", []param{message, {name: "EMOJI", kind: anEmoji}}, (*Terminal).react},
		{"unreact", []param{message, {name: "EMOJI", kind: anEmoji}}, (*Terminal).unreact},

		{"rooms", nil, (*Terminal).listRooms},
		{"people", nil, (*Terminal).listPeople},
		{"who", nil, (*Terminal).listMembers},
		{"join", []param{maybe(room)}, (*Terminal).join},
		{"leave", []param{maybe(room)}, (*Terminal).leave},
		{"voice", []param{{name: "on|off|deaf|afk", kind: aVoice}}, (*Terminal).voice},
		{"nick", []param{text("NAME", false)}, (*Terminal).nick},

		{"invite", []param{whole(person)}, (*Terminal).invite},
		{"kick", []param{person, text("REASON", true)}, (*Terminal).kick},
		{"ban", []param{person, text("REASON", true)}, (*Terminal).ban},
		{"unban", []param{person, text("REASON", true)}, (*Terminal).unban},
		{"mod", []param{person, {name: "on|off", kind: onOrOff}}, (*Terminal).mod},
		{"rename", []param{text("NAME", false)}, (*Terminal).rename},
		{"topic", []param{text("TEXT", true)}, (*Terminal).topic},
		{"upgrade", nil, (*Terminal).upgrade},
		{"create", []param{{name: "ROOM", kind: freeText}}, (*Terminal).create},
		{"person", []param{{name: "NAME", kind: freeText}}, (*Terminal).person},

		{"wait", []param{{name: "DURATION", kind: aDuration}}, (*Terminal).wait},
		{"time", nil, (*Terminal).time},
		{"again", []param{message}, (*Terminal).again},
		{"id", []param{message}, (*Terminal).id},
		{"members", []param{{name: "fail", kind: failWord}, {name: "on|off", kind: onOrOff}}, (*Terminal).members},
		{"inside", []param{message}, (*Terminal).inside},
		{"crash", []param{{name: "PLACE", kind: aCrash, optional: true}}, (*Terminal).crash},
		{"tour", nil, (*Terminal).tour},
		{"help", []param{{name: "COMMAND", kind: aCommand, optional: true}}, (*Terminal).help},
		{"quit", nil, (*Terminal).leaveAll},
	}
}

// summary says what a command does.
func (s slash) summary(speak say.Speaker) string { return speak.Plain("do-" + s.name) }

// label is what a parameter is called where there is no value for it.
func (p param) label(speak say.Speaker) string {
	if id := "param-" + strings.ToLower(p.name); speak.Has(id) {
		return speak.Plain(id)
	}
	return p.name
}

func (s slash) usage(speak say.Speaker) string {
	var b strings.Builder
	b.WriteString("/" + s.name)
	for _, p := range s.params {
		if p.optional {
			fmt.Fprintf(&b, " [%s]", p.label(speak))
		} else {
			b.WriteString(" " + p.label(speak))
		}
	}
	return b.String()
}

func findSlash(speak say.Speaker, name string) (slash, error) {
	folded := alike.Fold(name)
	if folded == "exit" { // as other programs call it
		folded = "quit"
	}
	var known []string
	for _, s := range slashes() {
		if s.name == folded {
			return s, nil
		}
		known = append(known, s.name)
	}
	typed := say.Quoted("Typed", "/"+name, 40)
	if best := nearest(name, known); best != "" {
		return slash{}, sorry(speak, ErrNoCommand, "no-command-meant", typed, code("Best", best))
	}
	return slash{}, sorry(speak, ErrNoCommand, "no-command-list", typed)
}

// command runs a command, which was typed without its slash.
func (t *Terminal) command(typed string) error {
	name, rest := cutWord(strings.TrimSpace(typed))
	if name == "" {
		return sorry(t.speak, ErrNoCommand, "slash-alone")
	}
	s, err := findSlash(t.speak, name)
	if err != nil {
		return err
	}
	args, wrong := s.parse(t.speak, rest)
	if wrong != nil {
		return sorry(t.speak, ErrBadText, "usage", say.Part("What", wrong), code("Usage", s.usage(t.speak)))
	}
	return s.run(t, args)
}

// parse returns one argument for each parameter, an empty one where it is missing, or says what is wrong.
func (s slash) parse(speak say.Speaker, typed string) (args []string, wrong protocol.Text) {
	args = make([]string, len(s.params))
	for i, p := range s.params {
		typed = strings.TrimSpace(typed)
		closed := true
		switch {
		case p.rest && p.kind == freeText:
			args[i], typed = typed, ""
		case p.rest:
			args[i], typed = strings.Trim(typed, `"`), ""
		default:
			args[i], typed, closed = nextWord(typed)
		}
		if !closed {
			return nil, speak.Say("quote-open")
		}
		if args[i] == "" && !p.optional {
			return nil, speak.Say("missing", code("Param", p.label(speak)))
		}
	}
	if typed = strings.TrimSpace(typed); typed != "" {
		return nil, speak.Say("too-much", say.Quoted("Typed", typed, 20))
	}
	return args, nil
}

// nextWord takes the first word off, which may stand in double quotes.
func nextWord(typed string) (word, rest string, closed bool) {
	if inside, ok := strings.CutPrefix(typed, `"`); ok {
		word, rest, ok = strings.Cut(inside, `"`)
		return word, rest, ok
	}
	word, rest = cutWord(typed)
	return word, rest, true
}

// cutWord cuts at the first space of any kind: what is pasted from a page often has one that does not break.
func cutWord(typed string) (word, rest string) {
	i := strings.IndexFunc(typed, unicode.IsSpace)
	if i < 0 {
		return typed, ""
	}
	return typed[:i], typed[i:]
}

// help lists the commands, or describes one.
func (t *Terminal) help(args []string) error {
	if args[0] != "" {
		s, err := findSlash(t.speak, strings.TrimPrefix(args[0], "/"))
		if err != nil {
			return err
		}
		t.tell("help-one", code("Usage", s.usage(t.speak)), say.Part("What", protocol.Plain(s.summary(t.speak))))
		return nil
	}
	width := 0
	for _, s := range slashes() {
		width = max(width, utf8.RuneCountInString(s.usage(t.speak)))
	}
	for _, s := range slashes() {
		t.note("  " + t.view.paint(codeStyle, pad(s.usage(t.speak), width)) + "  " + s.summary(t.speak))
	}
	t.tell("help-rest")
	return nil
}
