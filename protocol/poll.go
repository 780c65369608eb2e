package protocol

import (
	"errors"
	"fmt"
)

// StartPoll opens a poll by the network's own means. People answer it by pressing, and what they choose comes back as a
// [PollResponse]. A poll is not edited: what has been answered could then mean something else.
//
// A network without such polls refuses it for good. So it stands beside a message, which says what to do instead, and never
// in its place. Discord has polls too, but one that ends at a time of its own: nobody can give time back there, nor close it
// with an outcome that is not its own count. Its answers would come back as the same [PollResponse].
type StartPoll struct {
	Question string
	// Options are what can be chosen, each with its Label; the Value is what comes back.
	Options []Option
	// Most is how many may be chosen at once; zero means one.
	Most int
	// Disclosed is whether programs show how it stands while it is open.
	Disclosed bool
}

// EndPoll ends a poll that the bot has started: nobody can answer it any more. Text is what came of it, for programs that
// show no polls.
type EndPoll struct {
	Original Key
	Text     Text
}

// PollResponse is what the sender of the event chooses in a poll: the values of options, or none, which takes back what they
// chose before. Whose poll it is the adapter does not know.
type PollResponse struct {
	Target  EventID // the poll
	Answers []string
}

func (StartPoll) act()     {}
func (EndPoll) act()       {}
func (PollResponse) body() {}

// Limits of a poll. Matrix cuts off what comes after 20 options (MSC3381), and the common programs take questions and
// options of 340 characters.
const (
	MaxPollOptions = 20
	MaxPollText    = 340
)

// ErrPoll is the error of a poll that no network could show.
var ErrPoll = errors.New("poll")

// Check tells what is wrong with the poll, whatever the network.
func (p StartPoll) Check() error {
	switch {
	case !fits(p.Question, MaxPollText):
		return fmt.Errorf("%w %q: its question is one clean line of 1 to %d characters", ErrPoll, p.Question, MaxPollText)
	case len(p.Options) < 2 || len(p.Options) > MaxPollOptions:
		return fmt.Errorf("%w %q: it has 2 to %d options, not %d", ErrPoll, p.Question, MaxPollOptions, len(p.Options))
	case p.Most < 0 || p.Most > len(p.Options):
		return fmt.Errorf("%w %q: of %d options %d cannot be chosen", ErrPoll, p.Question, len(p.Options), p.Most)
	}
	seen := map[string]bool{}
	for _, o := range p.Options {
		if !fits(o.Label, MaxPollText) || !fits(o.Value, MaxOptionText) || seen[o.Value] {
			return fmt.Errorf("%w %q: option %q is too long, not clean, or there twice", ErrPoll, p.Question, o.Value)
		}
		seen[o.Value] = true
	}
	return nil
}
