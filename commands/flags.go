package commands

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"moot/internal/say"
)

// A flag is a word like --secret or --for=3d. People write it with what their phone or keyboard makes of two hyphens, in
// the brackets of a usage line, between quotation marks, with a comma behind it, and behind the text that takes all the
// rest. All of this is the flag where the command has one of that name: what somebody meant to be secret must not become
// public words. Words that begin so are told from it by a backslash, or by two hyphens alone before them.

// brackets are what may stand around a flag, as in the usage of a command, or as the marks of what is written in Markdown.
var brackets = map[rune]string{'[': "]", '(': ")", '{': "}", '`': "`", '*': "*"}

// stops are what may stand behind a flag as in a sentence.
const stops = ",.;:!?…、，。；：！？"

// flagWord is the beginning of a flag as it was read.
type flagWord struct {
	name    string
	plain   bool // it begins with two hyphens and nothing else, and so it is a flag even where no command knows it
	weak    bool // it begins with one hyphen, which is a flag only where it needs no value, or one that fits follows
	bracket string
	quoted  int    // of how many words the quotation is that it begins; zero where it begins none
	size    int    // how many bytes it takes
	after   string // what follows
}

// flagAt reads the beginning of a flag. It returns false where there is none.
func flagAt(s string) (w flagWord, ok bool) {
	rest := s
	open := firstRune(s)
	switch {
	case brackets[open] != "":
		w.bracket, rest = brackets[open], s[1:]
	case closing(open) != "":
		q := scanner{s: s}
		if _, ok := q.quotation(open); !ok {
			return w, false
		}
		end, size := utf8.DecodeLastRuneInString(s[:q.at])
		w.bracket, rest = string(end), s[utf8.RuneLen(open):]
		w.quoted = len(strings.Fields(s[utf8.RuneLen(open) : q.at-size]))
	}
	dashes := len(rest) - len(strings.TrimLeftFunc(rest, isDash))
	if dashes == 0 {
		return w, false
	}
	n := utf8.RuneCountInString(rest[:dashes])
	w.plain = w.bracket == "" && rest[:dashes] == "--"
	w.weak = n == 1 && !strings.ContainsAny(rest[:dashes], "–—―")
	rest = rest[dashes:]
	end := strings.IndexFunc(rest, func(r rune) bool { return r == '=' || r == ':' || unicode.IsSpace(r) || w.bracket == string(r) })
	if end < 0 {
		end = len(rest)
	}
	w.name, w.size = fold(strings.TrimRight(rest[:end], stops)), len(s)-len(rest)+end
	w.after = s[w.size:]
	return w, w.name != "" || w.plain
}

// isDash reports whether a character is one that is written for a hyphen.
func isDash(r rune) bool { return unicode.Is(unicode.Pd, r) || r == '−' }

// known returns the parameter that a flag names, nil if it is none of the command.
func (n *Node) known(w flagWord) *Param {
	p := n.flag(w.name)
	switch {
	case p == nil, p.Hidden && !w.plain, w.weak && !p.fits(w.after):
		return nil
	case w.quoted > 2, w.quoted == 2 && p.Kind == Switch:
		return nil // a quotation that begins with it
	}
	return p
}

// apart returns the flag of which hyphens alone are the beginning, with a space before its name; zero if there is none. One
// hyphen alone begins a list.
func (w flagWord) apart(n *Node) string {
	if w.name != "" || w.size == 0 || w.weak || w.quoted > 0 {
		return ""
	}
	first := firstOf(w.after)
	next := flagWord{name: fold(strings.TrimRight(first, stops)), weak: true, after: w.after[len(first):]}
	if first == "" || next.name == inFlag || next.name == helpFlag || n.known(next) == nil {
		return ""
	}
	return next.name
}

// fits reports whether what follows a flag can be its value.
func (p *Param) fits(after string) bool {
	if p.Kind == Switch || strings.HasPrefix(after, "=") {
		return true
	}
	value, unit := "", ""
	if words := strings.Fields(after); len(words) > 0 {
		value, unit = words[0], words[min(1, len(words)-1)]
	}
	switch p.Kind {
	case Duration:
		_, one := ParseDuration(value)
		_, two := ParseDuration(value + unit)
		return one || two
	case Integer:
		_, err := wholeNumber(value)
		return err == nil
	case Choice:
		_, ok := oneOf(p.Choices, value)
		return ok
	}
	return value != ""
}

// flagged takes a flag and its value, if there is one.
func (p *linePass) flagged() (taken bool, m *Mistake) {
	w, ok := flagAt(p.rest())
	if name := w.apart(p.node); name != "" {
		return false, p.mistake("a flag apart from its hyphens", "flag-apart", flagSlot(name)).line(p.usageOf(p.node))
	}
	if !ok {
		return false, nil
	}
	if w.name == "" { // two hyphens alone
		p.at += w.size
		p.words = !strings.HasPrefix(p.rest(), "=")
		if p.words {
			return true, nil
		}
		return false, p.unknownFlag(p.node, "")
	}
	param := p.node.known(w)
	if param == nil {
		if !w.plain {
			return false, nil // somebody just begins with a dash
		}
		return false, p.unknownFlag(p.node, w.name)
	}
	p.at += w.size
	if p.given.has(param.Name) {
		return false, p.mistake("a flag is given twice", "flag-twice", flagSlot(w.name)).line(p.usageOf(p.node))
	}
	value, m := p.flagValue(param, w)
	if m != nil {
		return false, m
	}
	p.given[param.Name] = []string{value}
	return true, nil
}

// flagValue reads what stands behind the name of a flag.
func (p *linePass) flagValue(param *Param, w flagWord) (value string, m *Mistake) {
	joined := strings.HasPrefix(p.rest(), "=")
	if colon := strings.HasPrefix(p.rest(), ":"); joined || colon && param.Kind != Switch {
		p.at++
		joined = joined || p.at < len(p.s) && !unicode.IsSpace(firstRune(p.rest()))
	}
	var err error
	switch {
	case joined:
		if p.at < len(p.s) && !unicode.IsSpace(firstRune(p.rest())) {
			value, err = p.word()
		}
	case param.Kind == Switch:
		value = "yes"
	case !p.space(), strings.HasPrefix(p.rest(), "--"):
		return "", p.noValue(p.node, param)
	default:
		value, err = p.word()
		if unit, _, _ := strings.Cut(strings.TrimSpace(p.rest()), " "); err == nil && param.Kind == Duration {
			_, whole := ParseDuration(value)
			if _, ok := ParseDuration(value + unit); ok && !whole { // "2 days"
				p.space()
				p.at += len(unit)
				value += unit
			}
		}
	}
	if err != nil {
		return "", p.unclosed(p.node)
	}
	if w.bracket != "" {
		if strings.HasPrefix(p.rest(), w.bracket) {
			p.at += len(w.bracket)
		}
		value = strings.TrimSuffix(value, w.bracket)
	}
	if param.Kind == Duration || param.Kind == Integer || param.Kind == Choice {
		value = strings.TrimRight(value, stops)
	}
	if behind := strings.TrimLeft(p.rest(), stops); behind == "" || unicode.IsSpace(firstRune(behind)) {
		p.at = len(p.s) - len(behind)
	}
	return value, nil
}

// tail takes the flags that stand behind a text, or says that one stands within it. In quotes, and behind two hyphens
// alone, everything is words.
func (p *linePass) tail(text string) (body string, m *Mistake) {
	within, unknown := "", ""
	for at := 0; at < len(text); {
		start := at + len(text[at:]) - len(strings.TrimLeftFunc(text[at:], unicode.IsSpace))
		next := strings.IndexFunc(text[start:], unicode.IsSpace)
		if at = start + next; next < 0 {
			at = len(text)
		}
		w, ok := flagAt(text[start:])
		if ok && w.plain && w.name == "" && p.flagsWithin(text[at:]) { // from here on everything is words
			text = strings.TrimRightFunc(text[:start], unicode.IsSpace) + text[start+w.size:]
			break
		}
		if !ok || w.name == "" || start == 0 {
			continue
		}
		if p.node.known(w) == nil {
			if w.plain && p.node.nearFlag(w.name) != "" {
				unknown = w.name
			}
			continue
		}
		end := &linePass{manner: p.manner, scanner: scanner{s: text[start:]}, node: p.node, given: given{}}
		if end.flagsOnly() && !slices.ContainsFunc(end.given.names(), p.given.has) {
			for name, value := range end.given {
				p.given[name] = value
			}
			text = strings.TrimRightFunc(text[:start], unicode.IsSpace)
			break
		}
		within = w.name
	}
	switch {
	case unquoted(text) != strings.TrimSpace(text):
	case within != "":
		return "", p.mistake("a flag within the text", "flag-in-text", flagSlot(within)).line(p.usageOf(p.node))
	case unknown != "": // a slip, and what it was meant for is not known
		return "", p.unknownFlag(p.node, unknown)
	}
	return text, nil
}

// flagsWithin reports whether a word of the text is a flag of the command.
func (p *linePass) flagsWithin(text string) bool {
	return p.node.flagIn(text, func(string) bool { return true }) != ""
}

// flagIn returns the first flag of the command among the words of a text that is such, zero if none.
func (n *Node) flagIn(text string, such func(name string) bool) string {
	for text = strings.TrimLeftFunc(text, unicode.IsSpace); text != ""; {
		if w, ok := flagAt(text); ok && w.name != "" && such(w.name) && n.known(w) != nil {
			return w.name
		}
		text = strings.TrimLeftFunc(text[len(firstOf(text)):], unicode.IsSpace)
	}
	return ""
}

// firstOf returns what stands before the first white space, once any has begun.
func firstOf(s string) string {
	start := len(s) - len(strings.TrimLeftFunc(s, unicode.IsSpace))
	if end := strings.IndexFunc(s[start:], unicode.IsSpace); end >= 0 {
		return s[:start+end]
	}
	return s
}

// flagsOnly takes flags to the end, and reports whether nothing else is there.
func (p *linePass) flagsOnly() bool {
	for p.space() {
		if taken, m := p.flagged(); !taken || m != nil || p.words {
			return false
		}
	}
	return true
}

// names returns the names of what was given.
func (g given) names() []string {
	var all []string
	for name := range g {
		all = append(all, name)
	}
	return all
}

// fieldFlag returns the flag of the command that somebody has written into a field of a native interface, zero if none.
func (n *Node) fieldFlag(text string) string {
	return n.flagIn(text, func(name string) bool { return name != inFlag && name != helpFlag })
}

// roomFlag and aboutFlag are what every command understands. What they are for is said by ParamSummaryIn.
var (
	roomFlag  = &Param{Name: inFlag, Kind: Room, Flag: true}
	aboutFlag = &Param{Name: helpFlag, Kind: Switch}
)

// flag returns the parameter that is given by that name; nil if there is none.
func (n *Node) flag(name string) *Param {
	switch name {
	case inFlag:
		return roomFlag
	case helpFlag:
		return aboutFlag
	}
	for i := range n.Params {
		if p := &n.Params[i]; p.ByName() && p.Name == name {
			return p
		}
	}
	for _, l := range say.Languages() { // what they are called elsewhere, where that means no other
		for i := range n.Params {
			if p := &n.Params[i]; p.ByName() && !p.Hidden && fold(n.ParamNameIn(l, p)) == name {
				return p
			}
		}
	}
	return nil
}
