package console

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/alike"
	"moot/protocol"
)

// slash is a command of the console.
type slash struct {
	name    string
	params  []param
	summary string
	run     func(t *Terminal, args []string) error
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
		{"as", []param{whole(person)}, "speak as somebody else", (*Terminal).as},
		{"in", []param{room}, "speak in another room", (*Terminal).in},
		{"dm", nil, "talk with the bot alone; again: back to the room", (*Terminal).dm},
		{"reply", []param{message, text("TEXT", false)}, "answer message N", (*Terminal).reply},
		{"edit", []param{message, text("TEXT", false)}, "change what you said in message N", (*Terminal).edit},
		{"delete", []param{message, text("REASON", true)}, "delete message N", (*Terminal).delete},
		{"react", []param{message, {name: "EMOJI", kind: anEmoji}}, "react to message N", (*Terminal).react},
		{"unreact", []param{message, {name: "EMOJI", kind: anEmoji}}, "take a reaction back", (*Terminal).unreact},

		{"rooms", nil, "list the rooms", (*Terminal).listRooms},
		{"people", nil, "list everybody", (*Terminal).listPeople},
		{"who", nil, "list who is in this room", (*Terminal).listMembers},
		{"join", []param{maybe(room)}, "go into a room and speak there", (*Terminal).join},
		{"leave", []param{maybe(room)}, "leave a room", (*Terminal).leave},
		{"voice", []param{{name: "on|off|deaf|afk", kind: aVoice}}, "join or leave the voice call", (*Terminal).voice},
		{"nick", []param{text("NAME", false)}, "change your display name", (*Terminal).nick},

		{"invite", []param{whole(person)}, "ask somebody in; the bot comes by itself", (*Terminal).invite},
		{"kick", []param{person, text("REASON", true)}, "put somebody out (moderators)", (*Terminal).kick},
		{"ban", []param{person, text("REASON", true)}, "put somebody out for good (moderators)", (*Terminal).ban},
		{"unban", []param{person, text("REASON", true)}, "lift a ban (moderators)", (*Terminal).unban},
		{"mod", []param{person, {name: "on|off", kind: onOrOff}}, "make somebody a moderator (moderators)", (*Terminal).mod},
		{"rename", []param{text("NAME", false)}, "rename this room (moderators)", (*Terminal).rename},
		{"topic", []param{text("TEXT", true)}, "set or remove the topic (moderators)", (*Terminal).topic},
		{"upgrade", nil, "continue this room under a new id (moderators)", (*Terminal).upgrade},
		{"create", []param{{name: "ROOM", kind: freeText}}, "make a room and speak there", (*Terminal).create},
		{"person", []param{{name: "NAME", kind: freeText}}, "bring somebody new into the world", (*Terminal).person},

		{"wait", []param{{name: "DURATION", kind: aDuration}}, "let time pass: 10m, 25h, 3d", (*Terminal).wait},
		{"time", nil, "what time it is here", (*Terminal).time},
		{"again", []param{message}, "deliver message N to the bot a second time", (*Terminal).again},
		{"id", []param{message}, "the event that message N is, for the bot's why", (*Terminal).id},
		{"members", []param{{name: "fail", kind: failWord}, {name: "on|off", kind: onOrOff}}, "keep the bot from reading who is in a room", (*Terminal).members},
		{"inside", []param{message}, "what the bot did with message N, step by step", (*Terminal).inside},
		{"crash", []param{{name: "PLACE", kind: aCrash, optional: true}}, "kill the bot in the middle of what you choose, and watch it come back", (*Terminal).crash},
		{"tour", nil, "see in a minute what this is about; any key stops it", (*Terminal).tour},
		{"help", []param{{name: "COMMAND", kind: aCommand, optional: true}}, "this list, or one command", (*Terminal).help},
		{"quit", nil, "leave", (*Terminal).leaveAll},
	}
}

func (s slash) usage() string {
	var b strings.Builder
	b.WriteString("/" + s.name)
	for _, p := range s.params {
		if p.optional {
			fmt.Fprintf(&b, " [%s]", p.name)
		} else {
			b.WriteString(" " + p.name)
		}
	}
	return b.String()
}

func findSlash(name string) (slash, error) {
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
	hint := "; /help lists them"
	if best := nearest(name, known); best != "" {
		hint = "; did you mean /" + best + "?"
	}
	return slash{}, errors.New("there is no command " + protocol.Quoted("/"+name, 40) + hint)
}

// command runs a command, which was typed without its slash.
func (t *Terminal) command(typed string) error {
	name, rest := cutWord(strings.TrimSpace(typed))
	if name == "" {
		return errors.New("a command follows the slash; /help lists them, and //x says /x")
	}
	s, err := findSlash(name)
	if err != nil {
		return err
	}
	args, err := s.parse(rest)
	if err != nil {
		return fmt.Errorf("%w; it goes %s", err, s.usage())
	}
	return s.run(t, args)
}

// parse returns one argument for each parameter, an empty one where it is missing.
func (s slash) parse(typed string) ([]string, error) {
	args := make([]string, len(s.params))
	for i, p := range s.params {
		typed = strings.TrimSpace(typed)
		var err error
		switch {
		case p.rest && p.kind == freeText:
			args[i], typed = typed, ""
		case p.rest:
			args[i], typed = strings.Trim(typed, `"`), ""
		default:
			args[i], typed, err = nextWord(typed)
		}
		if err != nil {
			return nil, err
		}
		if args[i] == "" && !p.optional {
			return nil, fmt.Errorf("%s is missing", p.name)
		}
	}
	if typed = strings.TrimSpace(typed); typed != "" {
		return nil, fmt.Errorf("%s is too much", protocol.Quoted(typed, 20))
	}
	return args, nil
}

// nextWord takes the first word off, which may stand in double quotes.
func nextWord(typed string) (word, rest string, err error) {
	if inside, ok := strings.CutPrefix(typed, `"`); ok {
		word, rest, ok = strings.Cut(inside, `"`)
		if !ok {
			return "", "", errors.New("a quotation mark is not closed")
		}
		return word, rest, nil
	}
	word, rest = cutWord(typed)
	return word, rest, nil
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
		s, err := findSlash(strings.TrimPrefix(args[0], "/"))
		if err != nil {
			return err
		}
		t.tell("%s: %s", s.usage(), s.summary)
		return nil
	}
	width := 0
	for _, s := range slashes() {
		width = max(width, utf8.RuneCountInString(s.usage()))
	}
	for _, s := range slashes() {
		t.note("  " + t.view.paint(codeStyle, pad(s.usage(), width)) + "  " + s.summary)
	}
	t.note("Anything else is said where you are; //x says /x. N is the number at the left of a")
	t.note("message here, garden:3 one of another room, and @ann in a message mentions ann. Commands of the bot begin with !moot;")
	t.note("alone with it they need no prefix.")
	return nil
}
