package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"moot/commands"
	"moot/events"
	"moot/internal/config"
	"moot/internal/say"
	"moot/protocol/discord"
	"moot/protocol/discord/discordtest"
)

// shippedTree is the tree of commands of a bot without services.
func shippedTree(t *testing.T) *commands.Commands {
	t.Helper()
	f, err := newFeatures(config.Default(), &events.Bus{})
	if err != nil {
		t.Fatal(err)
	}
	return f.commands
}

// TestCommandsInEveryLanguage: each command that ships says in every language what it does and is called, within the limits of Discord
// (developer documentation, "Application Commands"); nothing is said of commands that are not there, and what one is
// called leads to it where it is typed.
func TestCommandsInEveryLanguage(t *testing.T) {
	tree := shippedTree(t)
	form := regexp.MustCompile(`^[-_'\p{L}\p{N}]{1,32}$`)
	said := map[*say.Catalogue]map[string]bool{}
	n := 0
	for node := range tree.Walk() {
		if node.Words == nil {
			t.Errorf("%s has no catalogue", node.Title())
			continue
		}
		ids := said[node.Words]
		if ids == nil {
			ids = map[string]bool{}
			said[node.Words] = ids
		}
		key := strings.Join(node.Path, "-")
		ids["command-"+key], ids["detail-"+key], ids["name-"+key], ids["menu-"+key] = true, true, true, true
		names := map[string]bool{}
		for _, l := range say.Languages() {
			s := node.Words.In(l)
			for _, id := range []string{"command-" + key, "name-" + key} {
				if !s.Has(id) {
					t.Errorf("%s is not in the catalogue", id)
				}
			}
			name := node.NameIn(l)
			if !form.MatchString(name) || strings.ToLower(name) != name {
				t.Errorf("%s is called %q in %s", node.Title(), name, l)
			}
			if size := utf8.RuneCountInString(sentence(node.SummaryIn(l))); size > commands.MaxSummary {
				t.Errorf("%s: the summary has %d characters in %s", node.Title(), size, l)
			}
			if size := utf8.RuneCountInString(node.OnPersonIn(l)); size > commands.MaxName {
				t.Errorf("%s: the entry in the menu has %d characters in %s", node.Title(), size, l)
			}
			path := append(append([]string(nil), node.Path[:len(node.Path)-1]...), name)
			if found, ok := tree.Find(path...); !ok || found != node {
				t.Errorf("%v does not lead to %s", path, node.Title())
			}
			for i := range node.Params {
				p := &node.Params[i]
				for _, id := range []string{"param-", "label-"} {
					ids[id+key+"-"+p.Name], ids[id+p.Name] = true, true
				}
				for _, choice := range p.Choices {
					ids["value-"+key+"-"+p.Name+"-"+choice] = true
					if size := utf8.RuneCountInString(node.ChoiceIn(l, p, choice)); size < 1 || size > commands.MaxSummary {
						t.Errorf("%s: the choice %s has %d characters in %s", node.Title(), choice, size, l)
					}
				}
				if p.Hidden {
					continue
				}
				label := node.ParamNameIn(l, p)
				if !form.MatchString(label) || strings.ToLower(label) != label || names[string(l)+label] {
					t.Errorf("%s: %s is called %q in %s", node.Title(), p.Name, label, l)
				}
				names[string(l)+label] = true
				if !s.Has("param-"+key+"-"+p.Name) && !s.Has("param-"+p.Name) {
					t.Errorf("%s: nothing is said of %s", node.Title(), p.Name)
				}
				if !s.Has("label-"+key+"-"+p.Name) && !s.Has("label-"+p.Name) {
					t.Errorf("%s: %s has no name elsewhere", node.Title(), p.Name)
				}
				if size := utf8.RuneCountInString(sentence(node.ParamSummaryIn(l, p))); size > commands.MaxSummary {
					t.Errorf("%s: the summary of %s has %d characters in %s", node.Title(), p.Name, size, l)
				}
			}
			n++
		}
	}
	if n < 60 {
		t.Errorf("only %d were looked at", n)
	}
	for catalogue, ids := range said {
		for _, id := range catalogue.IDs() {
			kind, _, _ := strings.Cut(id, "-")
			switch kind {
			case "command", "detail", "name", "menu", "param", "label", "value":
				if !ids[id] {
					t.Errorf("%q is of no command", id)
				}
			}
		}
	}
}

// TestNothingIsCutOnDiscord: no description of a command ends with an ellipsis, in any language.
func TestNothingIsCutOnDiscord(t *testing.T) {
	data := discord.Register(discordCommands(shippedTree(t))).Commands
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	texts, german := 0, 0
	var walk func(v any, within string)
	walk = func(v any, within string) {
		switch v := v.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(inner, key)
			}
		case []any:
			for _, inner := range v {
				walk(inner, within)
			}
		case string:
			if texts++; within == "de" {
				german++
			}
			if strings.HasSuffix(v, "…") {
				t.Errorf("it is cut: %s", v)
			}
		}
	}
	walk(all, "")
	if texts < 300 || german < 150 {
		t.Errorf("only %d texts, %d in German", texts, german)
	}
}

// TestGermanOnDiscord: who uses Discord in German has the commands in German, and is answered in German where nobody else reads it;
// what all read stays in the language of the server. What is registered in all languages is not registered again at the next start.
func TestGermanOnDiscord(t *testing.T) {
	w := newDiscordBot(t).settle("town")
	w.ann.Locale = "de"
	w.start()
	w.ready()
	if got := w.ann.Slash(w.general, "sprache", nil).Reply(); !got.Ephemeral || !strings.Contains(got.Content, "weil Dein Programm so eingestellt ist") {
		t.Errorf("Ann is told: %s", got.Content)
	}
	if got := w.ben.Slash(w.general, "language", nil).Reply(); !strings.Contains(got.Content, "in English") {
		t.Errorf("Ben is told: %s", got.Content)
	}
	members := w.ann.Slash(w.general, "mitglieder", discordtest.Options{"seite": 1}).Reply()
	if members.Ephemeral || !strings.Contains(members.Content, "members, including me") {
		t.Errorf("the server reads: %s", members.Content)
	}
	if got := w.ann.Slash(w.general, "abstimmung antrag", discordtest.Options{"text": "wir singen", "geheim": true}).Reply(); !strings.Contains(got.Content, "Abstimmung 1 läuft") {
		t.Errorf("a motion is answered: %s", got.Content)
	}
	if got := w.ann.Slash(w.general, "sprache", discordtest.Options{"sprache": "en"}).Reply(); !strings.Contains(got.Content, "in English") {
		t.Errorf("Ann has chosen, and is told: %s", got.Content)
	}
	puts := len(w.srv.Requests("PUT", "/commands"))
	w.stop()
	w.start()
	w.ready()
	if again := len(w.srv.Requests("PUT", "/commands")); puts != 1 || again != puts {
		t.Errorf("the commands were registered %d times, and then %d", puts, again)
	}
}
