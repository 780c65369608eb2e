package standard

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"moot/events"
	"moot/internal/say"
	"moot/protocol"
	"moot/store"
)

// The conversations with these commands are in moot/commands/testdata.

func lines(n, length int) iter.Seq[protocol.Text] {
	return func(yield func(protocol.Text) bool) {
		for i := range n {
			if !yield(protocol.Plain(fmt.Sprintf("%04d%s", i, strings.Repeat("ä", length-4)))) {
				return
			}
		}
	}
}

func TestPagesHoldEverythingOnce(t *testing.T) {
	for _, test := range []struct{ n, length, pages int }{
		{0, 10, 0}, {1, 10, 1}, {pageLines, 10, 1}, {pageLines + 1, 10, 2}, {100, 10, 4},
		{100, 1000, 50}, {3, 2 * pageCharacters, 3}, {3, pageCharacters - 1, 3},
	} {
		var seen []string
		number := int64(1)
		for ; ; number++ {
			p := page(lines(test.n, test.length), number)
			size := 0
			for _, l := range p.lines {
				seen = append(seen, l.Plain()[:4])
				size += utf8.RuneCountInString(l.Plain()) + 1
			}
			if size > pageCharacters+1 || len(p.lines) > pageLines {
				t.Errorf("page %d has %d characters in %d lines", number, size, len(p.lines))
			}
			if !p.more {
				break
			}
		}
		if int64(test.pages) != number && test.n > 0 {
			t.Errorf("%d lines of %d make %d pages", test.n, test.length, number)
		}
		if len(seen) != test.n || !slices.IsSorted(seen) || len(slices.Compact(seen)) != test.n {
			t.Errorf("%d lines of %d come as %v", test.n, test.length, seen)
		}
		if p := page(lines(test.n, test.length), number+1); len(p.lines) > 0 || p.more {
			t.Errorf("behind the last page there is %v", p)
		}
	}
}

func facts(seqs ...uint64) iter.Seq2[events.Fact, error] {
	return func(yield func(events.Fact, error) bool) {
		for _, n := range seqs {
			var err error
			if n%10 == 0 {
				err = errors.New("damaged")
			}
			if !yield(events.Fact{Seq: n, People: map[string]events.Number{"by": events.Number(n % 3)}}, err) {
				return
			}
		}
	}
}

func numbers(seq iter.Seq2[events.Fact, error]) (out []uint64) {
	for f := range seq {
		out = append(out, f.Seq)
	}
	return out
}

func TestSourcesComeAsOne(t *testing.T) {
	sources := []iter.Seq2[events.Fact, error]{facts(9, 7, 3), facts(), facts(10, 9, 8, 3, 1), facts(2)}
	for most, want := range map[int][]uint64{100: {10, 9, 8, 7, 3, 2, 1}, 3: {10, 9, 8}, 1: {10}} {
		if got := numbers(latest(sources, most)); !slices.Equal(got, want) {
			t.Errorf("the last %d are %v", most, got)
		}
	}
	for range latest(sources, 100) {
		break // which is no harm
	}
	if got := numbers(naming(facts(1, 2, 3, 4, 10), "1")); !slices.Equal(got, []uint64{1, 4, 10}) {
		t.Errorf("those that name somebody are %v; what cannot be read is one of them", got)
	}
	if got := numbers(naming(facts(1, 2, 3), "")); len(got) != 3 {
		t.Errorf("without a name they are %v", got)
	}
}

func TestFiltersThatCannotBothHold(t *testing.T) {
	into := map[string]string{"a": "1"}
	if merge(into, map[string]string{"b": "2", "a": "1"}) || !maps.Equal(into, map[string]string{"a": "1", "b": "2"}) {
		t.Errorf("merged to %v", into)
	}
	if !merge(into, map[string]string{"a": "2"}) {
		t.Error("a cannot be 1 and 2")
	}
}

func TestWhatBecameOfWhatWasSent(t *testing.T) {
	seen := map[string]bool{}
	for _, state := range []store.State{store.StateQueued, store.StateSent, store.StateFailed, store.StateExpired,
		store.StateSuperseded, store.StateReplaced, store.StateAmbiguous, store.StateEnded} {
		line := bullet(sentLine(catalogue.In(say.English), store.Delivery{State: state})).Plain()
		if !strings.HasSuffix(line, ".") || seen[line] {
			t.Errorf("%s is told as %q", state, line)
		}
		seen[line] = true
	}
}

func TestWordsOfAnEvent(t *testing.T) {
	for want, body := range map[string]protocol.Body{
		"hello":            protocol.Message{Text: "hello"},
		"anew":             protocol.Edit{Text: "anew"},
		"vote --a=1 --b=2": protocol.Invocation{Path: []string{"vote"}, Args: map[string]string{"b": "2", "a": "1"}},
		"👍":                protocol.ReactionAdded{Reaction: "👍"},
		"👎":                protocol.ReactionRemoved{Reaction: "👎"},
		"":                 protocol.VoicePresence{},
	} {
		if got := words(body); got != want {
			t.Errorf("%T says %q", body, got)
		}
	}
}
