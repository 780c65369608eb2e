package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"moot/commands"
	"moot/events"
	"moot/internal/bot"
	"moot/internal/config"
	"moot/internal/inspect"
	"moot/internal/say"
	"moot/protocol"
	"moot/protocol/console"
	"moot/protocol/console/screen"
	"moot/rooms"
	"moot/store"
	"moot/votes"
)

// openTerminal opens what a person or a script speaks through, if the console is open in this process.
func (a *app) openTerminal(n *networks, in *insight, runner *bot.Runner, cfg config.Config, fl runFlags, log *slog.Logger) (terminal, error) {
	if n.world == nil {
		return nil, nil
	}
	settle := runner.Settle
	if slices.ContainsFunc(n.adapters, func(a protocol.Adapter) bool {
		_, service := a.(protocol.Auxiliary)
		return !service && a.Network() != protocol.Console
	}) {
		settle = briefly(settle)
	}
	return a.newTerminal(console.TerminalConfig{World: n.world, Adapter: n.console, Settle: settle}, localLook{in, log}, cfg, fl)
}

// settleBeside is how long a line of a script waits for the chat networks beside the console to be at rest. What a service does
// is part of the answer, and is waited for.
const settleBeside = 100 * time.Millisecond

// briefly gives up, without an error, what another network that hangs would hold up.
func briefly(settle func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		brief, cancel := context.WithTimeout(ctx, settleBeside)
		defer cancel()
		if err := settle(brief); ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return nil
	}
}

// look is what a terminal shows of the bot beside what the bot says.
type look interface {
	complete(console.Typing) []console.Suggestion
	cards() []screen.Card
	steps(protocol.Ref) []screen.Step
	// dead reports whether the bot is dead at the moment.
	dead() bool
	// follow has f called after each commit, or less often, until the context ends.
	follow(ctx context.Context, f func()) error
}

// newTerminal returns the whole screen where there is one, or else lines.
func (a *app) newTerminal(t console.TerminalConfig, l look, cfg config.Config, fl runFlags) (terminal, error) {
	nothing := screen.Words(spoken(cfg)).Plain("nothing")
	t.In, t.Out, t.Errs, t.Complete = a.in, a.out, a.errs, l.complete
	t.Inside = func(ref protocol.Ref) []string { return stepLines(nothing, l.steps(ref)) }
	term, err := console.NewTerminal(t)
	if err != nil || !a.isTerminal() || fl.plain || !screen.Able(os.Getenv) {
		return term, err
	}
	return &fullScreen{screen.Config{
		Terminal: term, Votes: l.cards, Inside: l.steps, Notices: t.Notices, Dead: l.dead, Dir: cfg.Data, In: a.in, Out: a.out,
	}, l}, nil
}

// fullScreen is a screen that is told of each commit.
type fullScreen struct {
	screen.Config
	look look
}

// Run shows the screen until the person leaves or the context ends.
func (s *fullScreen) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	commits := make(chan struct{}, 1)
	s.Commits = commits
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		_ = s.look.follow(ctx, func() { // what ends it is logged
			select {
			case commits <- struct{}{}:
			default: // one is on its way
			}
		})
	}()
	err := screen.New(s.Config).Run(ctx)
	cancel()
	<-followed
	return err
}

// complete returns what a line to the bot may become, for the terminal.
func (in *insight) complete(t console.Typing) (found []console.Suggestion) {
	f := in.features
	err := in.store.View(func(tx *store.Tx) error {
		given := strings.Fields(t.Line)
		if len(given) > 0 && !strings.HasSuffix(t.Line, " ") {
			given = given[:len(given)-1] // the word that is being completed
		}
		if !t.Private && len(given) > 0 {
			given = given[1:] // the prefix
		}
		for _, text := range f.commands.Complete(tx, commands.CompletionContext{Person: t.Person, Room: t.Room, Private: t.Private}, t.Line) {
			s := console.Suggestion{Text: text}
			if n, ok := f.commands.Find(append(given[:len(given):len(given)], text)...); ok {
				s.Summary = n.Summary
			}
			found = append(found, s)
		}
		return nil
	})
	if err != nil {
		return nil // the next line that is sent finds out
	}
	return found
}

// spoken is the language of the people at the terminal: the one that is configured, or that of the environment.
func spoken(cfg config.Config) say.Language {
	if l, ok := say.Parse(cfg.Console.Language); ok {
		return l
	}
	return say.Environment(os.Getenv)
}

// insight is what the terminal shows of the bot beside what the bot says. It only reads.
type insight struct {
	store    *store.Store
	bus      *events.Bus
	features *features
	words    say.Speaker // of the person at the terminal
}

func newInsight(st *store.Store, bus *events.Bus, f *features, l say.Language) *insight {
	return &insight{store: st, bus: bus, features: f, words: screen.Words(l)}
}

// cards returns the open votes of the console.
func (in *insight) cards() (cards []screen.Card) {
	err := in.store.View(func(tx *store.Tx) error {
		for info := range rooms.All(tx) {
			if info.ID.Network() != protocol.Console || info.Private {
				continue
			}
			for v := range votes.OpenIn(tx, info.ID) {
				cards = append(cards, in.card(tx, info, v))
			}
		}
		return nil
	})
	if err != nil {
		return nil // the store is closed; so is the screen in a moment
	}
	return cards
}

func (in *insight) card(tx *store.Tx, info rooms.Info, v votes.Vote) screen.Card {
	c := screen.Card{
		Room: info.ID, Where: info.Title(), Name: in.words.Plain("vote", say.Number("Vote", v.Number())), Title: in.about(tx, info.ID, v),
		Turnout: v.Turnout, Size: v.Size, Quorum: v.Tally.Quorum, Closes: v.Deadline, Private: v.Secret,
	}
	ballots := []string{"yes", "no", "abstain"}
	labels := []string{in.words.Plain("choice-yes"), in.words.Plain("choice-no"), in.words.Plain("choice-abstain")}
	keys := []string{"y", "n", "a"}
	if len(v.Options) > 0 {
		labels, keys = v.Options, nil
	}
	private := ""
	if v.Secret {
		private = " --in " + info.Word()
	}
	for i, label := range labels {
		key, ballot := strconv.Itoa(i+1), "#"+strconv.Itoa(i+1)
		if keys != nil {
			key, ballot = keys[i], ballots[i]
		}
		if v.Type == votes.Election { // each press ranks one more, behind those that the ballot has
			ballot = "--place " + key
		}
		line := in.features.typed("vote cast "+v.Number()+" "+ballot, v.Secret) + private
		c.Choices = append(c.Choices, screen.Choice{Key: key, Label: label, Line: line})
		if v.Told() && i < len(v.Count.For) {
			c.Bars = append(c.Bars, screen.Bar{Label: label, Count: v.Count.For[i]})
		}
	}
	if v.Type == votes.Election {
		c.Ranks = true
		c.Choices = append(c.Choices, screen.Choice{Key: "0", Label: in.words.Plain("choice-anew"),
			Line: in.features.typed("vote withdraw "+v.Number(), v.Secret) + private})
	}
	return c
}

// typed is how a command is typed, in a room or in private.
func (f *features) typed(line string, private bool) string {
	if private {
		return line
	}
	return f.prefix + " " + line
}

// about says what a vote is about.
func (in *insight) about(tx *store.Tx, room protocol.RoomID, v votes.Vote) string {
	text, _ := in.bus.Text(tx, v.Text)
	who := in.words.Say("somebody")
	if user, ok := in.bus.Who(tx, v.Target); ok {
		who = rooms.NamesIn(tx, room).Person(user)
	}
	target, wrote := say.Person("Target", who), say.Words("Text", protocol.Plain(text))
	switch v.Type {
	case votes.Challenge:
		return in.words.Plain("about-challenge", target, wrote)
	case votes.Restore:
		return in.words.Plain("about-restore", target, wrote)
	case votes.Rule:
		return in.words.Plain("about-rule", wrote)
	}
	return text
}

// steps says what the bot did with a message, from its arrival to what was sent for it.
func (in *insight) steps(ref protocol.Ref) []screen.Step {
	i := &inspect.Inspector{Store: in.store, Bus: in.bus}
	arrived := screen.UnknownSteps(in.words.Language(), ref)[0]
	why, err := i.Why(inspect.WhyQuery{Room: string(ref.Room), Event: string(ref.Event)})
	if err != nil {
		return screen.UnknownSteps(in.words.Language(), ref)
	}
	name := func(id string) screen.Step { return screen.Step{Name: in.words.Plain(id)} }
	seen, facts := name("step-seen"), name("step-facts")
	seen.Detail = []string{in.words.Plain("step-seen-not", say.Code("When", protocol.Plain(when(why.Time))))}
	for _, f := range why.Facts {
		facts.Detail = append(facts.Detail, protocol.Shorten(factLine(f), 160))
	}
	sent, receipt, ended := name("step-outbox"), name("step-receipt"), name("step-disposition")
	for _, s := range why.Sent {
		sent.Detail = append(sent.Detail, strings.TrimSpace(fmt.Sprintf("%s for %s", s.Kind, clean(inspect.LaneName(s.Lane)))))
		receipt.Detail = append(receipt.Detail, sendingLine(s))
	}
	end := why.Disposition
	if why.Reason != "" {
		end += ": " + why.Reason
	}
	ended.Detail = []string{end}
	return []screen.Step{arrived, seen, facts, sent, receipt, ended}
}

// stepLines is steps for a terminal of lines.
func stepLines(nothing string, steps []screen.Step) (out []string) {
	for _, s := range steps {
		if len(s.Detail) == 0 {
			s.Detail = []string{nothing}
		}
		for i, d := range s.Detail {
			name := s.Name
			if i > 0 {
				name = ""
			}
			out = append(out, fmt.Sprintf("%-13s %s", name, protocol.OneLine(d)))
		}
	}
	return out
}
