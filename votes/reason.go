package votes

import (
	"slices"
	"strings"

	"moot/commands"
	"moot/events"
	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
	"moot/votes/tally"
	"moot/votes/words"
)

// Reasons with ballots. Who votes where ballots are not secret can say why, for all to read when the vote closes and in
// what vote show answers. A reason belongs to the ballot with which it was given, and outlives the close.
var reasons = store.ScopedBucket("votes-reasons")

const (
	// maxBecause is how many characters a reason has at most.
	maxBecause = 300
	// shownReasons is how many are said when a vote closes, and listedReasons how many vote show lists.
	shownReasons, listedReasons = 5, 20
)

// reason is why somebody voted so.
type reason struct {
	Choices tally.Ballot  `json:"choices"`
	Text    events.TextID `json:"text"`
}

// encode writes how many options there are, the options, a byte each, and the id of the text.
func (r reason) encode() []byte {
	return append(append([]byte{byte(len(r.Choices))}, encodeBallot(r.Choices)...), r.Text...)
}

func decodeReason(data []byte) reason {
	n := 1 + int(data[0])
	return reason{decodeBallot(data[1:n]), events.TextID(data[n:])}
}

// said returns what was chosen, and the reason that was given with it: what stands behind "because". An option in whose
// text there is a "because" stays one.
func (f *Feature) said(c *commands.Call) (said chosen, because string, err error) {
	words, because := c.Words("ballot"), protocol.OneLine(c.Word("because"))
	if c.Has(placeParam) || c.Native() && because != "" {
		said, err = f.choice(c, words)
		return said, because, err
	}
	flat := words
	if len(words) == 1 {
		flat = strings.Fields(words[0])
	}
	i := slices.IndexFunc(flat, isBecause)
	whole, err := f.choice(c, append(slices.Clone(words), strings.Fields(because)...))
	if i < 1 || err == nil && whole.ballot != nil {
		return whole, "", err
	}
	said, err = f.choice(c, flat[:i])
	return said, strings.TrimSpace(strings.Join(flat[i+1:], " ") + " " + because), err
}

// isBecause reports whether a word parts a ballot from its reason.
func isBecause(word string) bool {
	w := alike.Fold(word)
	return w == "because" || w == "weil"
}

// mayBecause tells somebody why they cannot give that reason with the ballot; nil if they can, or give none where none is
// needed.
func (h *atHand) mayBecause(c *commands.Call, b tally.Ballot, because string) error {
	switch n := len([]rune(because)); {
	case h.Secret && because != "":
		return sorry(h.here(c), "reason-secret", h.number())
	case n > maxBecause:
		return sorry(h.here(c), "reason-long", say.Number("Most", maxBecause), say.Number("Has", n))
	case h.objects(b) && alike.Blank(because):
		return sorry(h.here(c), "reason-needed", h.number(),
			say.Code("Command", c.Code("vote "+h.Number()+" "+h.here(c).Plain("objection"))))
	}
	return nil
}

// objects reports whether a ballot is an objection to what goes by consent.
func (v Vote) objects(b tally.Ballot) bool {
	return v.Tally.Method == tally.Consent && slices.Contains(b, tally.No)
}

// because is the command that gives a reason for the ballot that stands.
func (f *Feature) because(c *commands.Call) error {
	v, text, err := f.voteAndWords(c, "reason", "text")
	if err != nil {
		return err
	}
	if err := v.outOfDate(c); err != nil {
		return err
	}
	if err := v.refuseTyped(c, "reason"); err != nil {
		return err
	}
	if why := v.mayCast(f.alone(c), c.Room, c.Person, alone(c)); why != nil {
		return f.privately(c, why)
	}
	b := v.ballotOf(f.bus.Lookup(c.Tx, c.Person))
	switch {
	case v.Secret:
		return v.mayBecause(c, nil, "?")
	case b == nil:
		return sorry(f.here(c), "reason-no-ballot", v.number())
	case alike.Blank(text):
		return sorry(f.here(c), "reason-why", say.Code("Command", c.Code("vote reason "+v.Number()+" TEXT")))
	}
	if err := v.mayBecause(c, b, text); err != nil {
		return err
	}
	if _, err := v.castBy(c.Person, b, via(c), text); err != nil {
		return err
	}
	return c.Tick(f.here(c).Say("your-ballot-why", v.number(), say.Part("Ballot", v.as(f.here(c)).view().Ballot(b))))
}

// reasons returns why people voted as they did, that many of them, each with so many characters, and how many more there are.
func (h *atHand) reasons(most, characters int) (some []words.Reason, more int) {
	if !h.counts() {
		return nil, 0
	}
	prefix := h.voterKey("")
	var names *rooms.Names
	for k, data := range h.tx.Prefix(reasons, prefix) {
		if len(some) == most {
			more++
			continue
		}
		if names == nil {
			names = rooms.NamesIn(h.tx, h.room)
		}
		r := decodeReason(data)
		some = append(some, words.Reason{Voter: h.named(names, parseVoter(k[len(prefix):])), Choices: r.Choices, Text: h.text(r.Text), Most: characters})
	}
	return some, more
}
