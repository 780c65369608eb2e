package votes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"moot/commands"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/internal/span"
)

// apart are marks that people put behind an option where they need none.
const apart = ",;、，；،"

// bracketed is something in brackets.
var bracketed = regexp.MustCompile(`[\[({<]\s*([^\[\](){}<>]+?)\s*[\])}>]`)

// pollWords are the words of a poll as they are read.
type pollWords struct {
	question string
	loose    bool // whether the question is one word without quotes, which may be the first of several
	options  []string
}

// meant returns how the words of a poll were plainly meant where that is otherwise than they are read, and false where they
// are what they seem.
func (p pollWords) meant() (pollWords, bool) {
	loose := p.loose && !asks(p.question)
	asked := slices.IndexFunc(p.options, asks)
	all := append([]string{p.question}, p.options...)
	line := strings.Join(all, " ")
	switch {
	case loose && asked >= 0: // the question has several words
		return pollWords{question: strings.Join(all[:asked+2], " "), options: itemsOf(all[asked+2:])}, true
	case loose && onlyBrackets(line):
		return listed(inBrackets(line)), true
	case onlyBrackets(strings.Join(p.options, " ")) && !strings.Contains(line, "("):
		return pollWords{question: p.question, options: inBrackets(strings.Join(p.options, " "))}, true
	case loose && slices.ContainsFunc(all, setApart):
		return listed(itemsOf(all)), true
	case len(p.options) > 1 && alike.Fold(p.options[0]) == "or": // "Mon" or "Tue"
		items := itemsOf(all)
		return pollWords{question: strings.Join(items, " or ") + "?", options: items}, true
	case slices.ContainsFunc(p.options, setApart):
		return pollWords{question: p.question, options: itemsOf(p.options)}, true
	}
	return p, false
}

// listed returns the words of a poll whose question stands first in a list.
func listed(items []string) pollWords {
	if len(items) == 0 {
		return pollWords{}
	}
	return pollWords{question: items[0], options: items[1:]}
}

// meantOtherwise refuses a poll whose words were plainly meant otherwise than they are read, and shows how it would be
// written: a poll stands at once, for all to see. What comes through fields has no words to be told apart.
func (f *Feature) meantOtherwise(c *commands.Call) error {
	if c.Native() {
		return nil
	}
	s := f.here(c)
	read := pollWords{c.Word("question"), c.Loose("question"), c.Words("option")}
	meant, other := read.meant()
	if !other && (!read.loose || asks(read.question) || len(read.options) < 2) {
		return nil
	}
	if !other {
		return sorry(s, "question-options", say.Quoted("Question", read.question, 40), say.Code("Poll", c.Again(read.line(c))),
			say.Code("Motion", c.Code("vote motion "+commands.InQuotes(read.question+" "+strings.Join(read.options, " ")))))
	}
	_, err := options(s, meant.options)
	if _, again := meant.meant(); err != nil || again || len([]rune(meant.question)) > MaxQuery || alike.Blank(meant.question) {
		return commands.Sorry(say.Sentences(s.Say("question-unclear"), s.Say("question-usual")))
	}
	return commands.Sorry(say.Sentences(s.Say("question-meant", say.Code("Poll", c.Again(meant.line(c)))), s.Say("question-usual")))
}

// line writes what stands behind the command of a poll, with the flags that were given.
func (p pollWords) line(c *commands.Call) string {
	var line []string
	elects := c.Command.Name == "elect"
	for _, name := range []string{"secret", "hidden", "multiple"} {
		if (name != "multiple" || !elects) && c.Switch(name) {
			line = append(line, "--"+name)
		}
	}
	if elects && c.Has("seats") {
		line = append(line, fmt.Sprintf("--seats %d", c.Integer("seats")))
	}
	if runs := c.Duration("for"); runs > 0 {
		line = append(line, "--for "+span.Format(runs))
	}
	line = append(line, commands.InQuotes(p.question))
	for _, w := range p.options {
		line = append(line, commands.Quoted(w))
	}
	return strings.Join(line, " ")
}

// asks reports whether a word ends a question.
func asks(w string) bool { return strings.HasSuffix(w, "?") || strings.HasSuffix(w, "？") }

// onlyBrackets reports whether nothing stands outside of brackets.
func onlyBrackets(s string) bool { return strings.TrimSpace(bracketed.ReplaceAllString(s, "")) == "" }

// inBrackets returns what stands in brackets.
func inBrackets(s string) (out []string) {
	for _, m := range bracketed.FindAllStringSubmatch(s, -1) {
		out = append(out, m[1])
	}
	return out
}

// setApart reports whether a word ends with what stands between options, or is nothing else. What has a space in it stood
// between quotes, and is what it is.
func setApart(w string) bool {
	return !strings.Contains(w, " ") && (strings.TrimRight(w, apart) != w || !strings.ContainsFunc(w, showsWord) || alike.Fold(w) == "or")
}

func showsWord(r rune) bool { return r != '|' && !unicode.IsPunct(r) }

// itemsOf returns the options among words that stand apart from one another.
func itemsOf(words []string) (items []string) {
	if !slices.ContainsFunc(words, setApart) {
		return words
	}
	var now []string
	end := func() {
		if len(now) > 0 {
			items, now = append(items, strings.Join(now, " ")), nil
		}
	}
	for _, w := range words {
		bare := strings.TrimRight(w, apart)
		switch quoted := strings.Contains(w, " "); {
		case quoted:
			end()
			items = append(items, w)
		case setApart(w) && bare == w, bare == "":
			end() // a mark by itself
		default:
			if now = append(now, bare); bare != w {
				end()
			}
		}
	}
	end()
	return items
}
