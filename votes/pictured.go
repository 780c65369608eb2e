package votes

import (
	"strconv"

	"moot/internal/alike"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
	"moot/votes/picture"
	"moot/votes/tally"
)

// A picture of what came of a vote goes with the words that say it, where the room wants that. It shows nothing that they do not say,
// so that who does not see it has lost nothing. Where a network does not take it, the words are said alone.

// pictured is the setting that says whether the room wants pictures.
func pictured() setting {
	return setting{
		name: pictures, moderators: true,
		bounds: func(s say.Speaker) protocol.Text { return s.Say("bounds-switch") },
		read: func(w string) (string, bool) {
			w = alike.Fold(w)
			return w, w == "on" || w == "off"
		},
	}
}

// pictured reports whether the room wants a picture of each outcome.
func (s *Settings) pictured(tx *store.Tx, room protocol.RoomID) bool {
	return string(tx.Get(settings, store.Key(room, pictures))) == "on"
}

// pictureOf returns a picture of what came of the vote; nil where the room wants none, or nothing was counted.
func (h *atHand) pictureOf() *protocol.File {
	if !h.settings.pictured(h.tx, h.room) || !h.Decided() || h.Count.Cast == 0 {
		return nil
	}
	data, height, err := picture.Draw(h.result())
	if err != nil {
		return nil // the words say it all
	}
	f := &protocol.File{Name: "vote-" + h.Number() + ".png", Type: "image/png", Data: data, Width: picture.Width, Height: height}
	if f.Check() != nil {
		return nil
	}
	return f
}

// firsts says how many ranked each option of an election first, which its picture shows; nil of any other vote.
func (h *atHand) firsts() protocol.Text {
	if h.Type != Election {
		return nil
	}
	var each []protocol.Text
	for i, o := range h.Options {
		each = append(each, h.say("option-count", say.Quoted("Option", o, MaxOption), say.Number("Votes", h.Count.For[i])))
	}
	return h.say("picture-firsts", say.Part("Counts", say.Commas(each)))
}

// result is what the picture of the vote shows.
func (h *atHand) result() picture.Result {
	v := h.view()
	r := picture.Result{Title: picture.Words{
		Text: v.Title().Plain(), Instead: h.say("picture-title", h.number(), say.Part("Type", h.say("type-"+string(v.Type)))).Plain(),
	}}
	chosen := h.chosen()
	for i, choice := range v.Choices() {
		b := picture.Bar{Label: picture.Words{Text: choice}, Value: h.Count.For[i], Chosen: chosen[i]}
		if h.listed() {
			place := strconv.Itoa(i + 1)
			b.Label = picture.Words{Text: place + ": " + choice, Instead: h.say("option-number", say.Number("Place", i+1)).Plain()}
		}
		r.Bars = append(r.Bars, b)
	}
	if h.Type == Election {
		r.Sentences = append(r.Sentences, h.say("picture-bars").Plain())
	}
	for _, line := range v.Outcomes() {
		r.Sentences = append(r.Sentences, line.Plain())
	}
	if h.Role != (Role{}) {
		r.Sentences = append(r.Sentences, h.say("for-role", h.role()).Plain())
	}
	return r
}

// chosen are the options that were chosen, or the yes or no that decided it.
func (h *atHand) chosen() map[int]bool {
	all := map[int]bool{}
	switch {
	case h.Election != nil:
		for _, o := range h.Election.Elected {
			all[o] = true
		}
	case h.listed():
		for _, o := range tally.Final(h.Tally, h.Size, h.Count).Winners {
			all[o] = true
		}
	case h.Outcome == tally.Passed:
		all[tally.Yes] = true
	}
	return all
}
