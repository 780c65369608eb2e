package words

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"moot/internal/say"
	"moot/protocol"
	"moot/votes/tally"
)

// TestLanguages: every language has every sentence, with the same slots.
func TestLanguages(t *testing.T) {
	if err := catalogue.Check(); err != nil {
		t.Error(err)
	}
}

// TestPressed: what stands on buttons and menus fits them on Discord, which takes 80 characters on the one and 150 on the other.
func TestPressed(t *testing.T) {
	for _, l := range say.Languages() {
		for _, id := range catalogue.IDs() {
			if strings.HasPrefix(id, "press-") || strings.HasPrefix(id, "choice-") {
				if label := In(l).Plain(id); utf8.RuneCountInString(label) > 80 {
					t.Errorf("%s: %q is too long for a button", l, label)
				}
			}
		}
	}
}

func example(l say.Language, change func(*Vote)) Vote {
	v := Vote{
		Speaker: In(l), ID: 3, Type: Motion, Status: Open, Told: true, Opener: protocol.Person("console:ann", "Ann"),
		Target: protocol.Person("console:ben", "Ben"), Text: "we meet on Tuesdays",
		Tally: tally.Rules{Method: tally.Majority, Options: 3, Quorum: 3}, Size: 8, Turnout: 2, Count: tally.Tally{Cast: 2, For: []int{1, 0, 1}},
		Closes: time.Date(2026, 11, 30, 17, 25, 0, 0, time.UTC), Runs: 48 * time.Hour, Room: "lobby",
		Command: func(line string) protocol.Text { return protocol.Code("!moot " + line) },
	}
	change(&v)
	return v
}

// TestMessages: votes as people read them, in both languages.
func TestMessages(t *testing.T) {
	challenge := func(v *Vote) {
		v.Type, v.Text, v.Earlier = Challenge, "spams", true
		v.Tally = tally.Rules{Method: tally.Supermajority, Options: 3, Quorum: 3, Part: 2, Of: 3, LeastYes: 3}
	}
	poll := func(v *Vote) {
		v.Type, v.Text, v.Options = Poll, "When?", []string{"Monday", "Tuesday"}
		v.Tally, v.Count = tally.Rules{Method: tally.Plurality, Options: 2}, tally.Tally{Cast: 3, For: []int{1, 2}}
	}
	closed := func(v *Vote) {
		v.Status, v.Outcome, v.Turnout, v.Count = Closed, tally.Passed, 4, tally.Tally{Cast: 4, For: []int{2, 1, 1}}
	}
	for _, one := range []struct {
		name   string
		vote   func(*Vote)
		say    func(Vote) protocol.Text
		en, de string
	}{
		{"motion", func(*Vote) {}, message, `Vote 3: Ann moves: we meet on Tuesdays
To vote: react with 👍 for yes, 👎 for no, 🤷 for abstain; or say !moot vote 3 yes. You can change it until the end.
2 of 8 voted: 1 yes, 0 no, 1 abstained.
Passes with more yes than no and a turnout of at least 3.
Open for 2 days, until 2026-11-30 17:25 UTC.`,
			`Abstimmung 3: Ann beantragt: we meet on Tuesdays
So stimmt Ihr ab: mit 👍 für Ja, 👎 für Nein, 🤷 für Enthaltung reagieren; oder !moot vote 3 ja schreiben. Bis zum Ende könnt Ihr es ändern.
Abgestimmt: 2 von 8, davon 1 Ja, 0 Nein, 1 Enthaltung.
Angenommen mit mehr Ja als Nein und einer Beteiligung von mindestens 3.
Läuft 2 Tage und endet am 2026-11-30 17:25 UTC.`},
		{"motion, asked for", func(*Vote) {}, func(v Vote) protocol.Text { return v.Message(false, ShownWords) }, `Vote 3: Ann moves: we meet on Tuesdays
To vote: say !moot vote 3 yes (yes, no, abstain). You can change it until the end.
2 of 8 voted: 1 yes, 0 no, 1 abstained.
Passes with more yes than no and a turnout of at least 3.
Open for 2 days, until 2026-11-30 17:25 UTC.`,
			`Abstimmung 3: Ann beantragt: we meet on Tuesdays
So stimmt Ihr ab: !moot vote 3 ja schreiben (ja, nein, Enthaltung). Bis zum Ende könnt Ihr es ändern.
Abgestimmt: 2 von 8, davon 1 Ja, 0 Nein, 1 Enthaltung.
Angenommen mit mehr Ja als Nein und einer Beteiligung von mindestens 3.
Läuft 2 Tage und endet am 2026-11-30 17:25 UTC.`},
		{"challenge", challenge, message, `Vote 3: suspend Ben from using me here? Opened by Ann.
Reason: spams
To vote: react with 👍 for yes, 👎 for no, 🤷 for abstain; or say !moot vote 3 yes. You can change it until the end.
2 of 8 voted: 1 yes, 0 no, 1 abstained.
Passes with at least 2/3 yes (abstentions aside), at least 3 yes, and a turnout of at least 3.
Open for 2 days, until 2026-11-30 17:25 UTC, earlier once the result is certain.`,
			`Abstimmung 3: Ben sperren, sodass die Person mich hier nicht mehr benutzen kann? Eröffnet von Ann.
Begründung: spams
So stimmt Ihr ab: mit 👍 für Ja, 👎 für Nein, 🤷 für Enthaltung reagieren; oder !moot vote 3 ja schreiben. Bis zum Ende könnt Ihr es ändern.
Abgestimmt: 2 von 8, davon 1 Ja, 0 Nein, 1 Enthaltung.
Angenommen mit mindestens 2/3 Ja (ohne Enthaltungen), mindestens 3 Ja und einer Beteiligung von mindestens 3.
Läuft 2 Tage und endet am 2026-11-30 17:25 UTC, früher, sobald das Ergebnis feststeht.`},
		{"poll with a poll below", func(v *Vote) { poll(v); v.Polled = true }, message, `Vote 3, a poll by Ann: When?
1: Monday – 1 vote
2: Tuesday – 2 votes
To vote: press in the poll below; react with the number; or say !moot vote 3 1. You can change it until the end.
The poll shows what was pressed in it; this message counts all ballots.
2 of 8 voted.
Open for 2 days, until 2026-11-30 17:25 UTC.`,
			`Abstimmung 3, eine Umfrage von Ann: When?
1: Monday – 1 Stimme
2: Tuesday – 2 Stimmen
So stimmt Ihr ab: in der Umfrage unten drücken; mit der Nummer reagieren; oder !moot vote 3 1 schreiben. Bis zum Ende könnt Ihr es ändern.
Die Umfrage zeigt, was in ihr gedrückt wurde; diese Nachricht zählt alle Stimmen.
Abgestimmt: 2 von 8.
Läuft 2 Tage und endet am 2026-11-30 17:25 UTC.`},
		{"secret, on several machines", func(v *Vote) { v.Secret, v.Shared, v.Told = true, true, false }, message, `Secret vote 3: Ann moves: we meet on Tuesdays
Vote in our private conversation only: vote 3 yes --in lobby.
Until it closes only the turnout is shown. Who voted how is hidden from the room and the moderators, not from who operates me. I run on several machines that all keep the ballots: where one fails, another goes on with the vote. With few voters it may be guessed.
2 of 8 voted.
Passes with more yes than no and a turnout of at least 3.
Open for 2 days, until 2026-11-30 17:25 UTC.`,
			`Geheime Abstimmung 3: Ann beantragt: we meet on Tuesdays
Stimmt nur im privaten Gespräch mit mir ab: vote 3 ja --in lobby.
Bis zum Ende wird nur die Beteiligung gezeigt. Wer wie gestimmt hat, erfahren weder der Raum noch die Moderatoren; wer mich betreibt, könnte es. Ich laufe auf mehreren Rechnern, die alle die Stimmen haben: Fällt einer aus, führt ein anderer die Abstimmung fort. Bei wenigen Stimmen lässt es sich vielleicht erraten.
Abgestimmt: 2 von 8.
Angenommen mit mehr Ja als Nein und einer Beteiligung von mindestens 3.
Läuft 2 Tage und endet am 2026-11-30 17:25 UTC.`},
		{"how long it is left", func(v *Vote) { v.Earlier, v.Left = true, 23*time.Hour }, Vote.Ends, "2026-11-30 17:25 UTC (in 23 hours), earlier once the result is certain",
			"am 2026-11-30 17:25 UTC (noch 23 Stunden), früher, sobald das Ergebnis feststeht"},
		{"beside others", challenge, Vote.Short, "3 (challenge, Ben)", "3 (Sperrantrag, Ben)"},
		{"poll closed", func(v *Vote) { poll(v); v.Status, v.Outcome = Closed, tally.Chosen }, Vote.Closing, `Vote 3: poll «When?» has closed.
Most votes: «Tuesday», with 2. 3 of 8 who could vote did. «Monday» 1, «Tuesday» 2.`,
			`Abstimmung 3: Umfrage «When?» ist beendet.
Die meisten Stimmen: «Tuesday», mit 2. 3 von 8 Stimmberechtigten haben abgestimmt. «Monday» 1, «Tuesday» 2.`},
		{"motion closed", closed, Vote.Closing, `Vote 3: motion «we meet on Tuesdays» has closed.
Passed: 2 yes, 1 no, 1 abstained of 8 who could vote. It took 2 yes of 3, and a turnout of 3.`,
			`Abstimmung 3: Antrag «we meet on Tuesdays» ist beendet.
Angenommen: 2 Ja, 1 Nein, 1 Enthaltung von 8 Stimmberechtigten. Nötig waren 2 Ja von 3 und eine Beteiligung von 3.`},
		{"without a quorum", func(v *Vote) { closed(v); v.Count = tally.Tally{Cast: 1, For: []int{1, 0, 0}} }, Vote.Closing,
			`Vote 3: motion «we meet on Tuesdays» has closed.
Not passed, too few voted: 1 of the 3 needed. 1 yes, 0 no, 0 abstained of 8 who could vote.`,
			`Abstimmung 3: Antrag «we meet on Tuesdays» ist beendet.
Nicht angenommen, zu wenige haben abgestimmt: 1 von 3 nötigen. 1 Ja, 0 Nein, 0 Enthaltungen von 8 Stimmberechtigten.`},
	} {
		for l, want := range map[say.Language]string{say.English: one.en, say.German: one.de} {
			if got := one.say(example(l, one.vote)).Plain(); got != want {
				t.Errorf("%s in %s reads:\n%s", one.name, l, got)
			}
		}
	}
}

func message(v Vote) protocol.Text { return v.Message(true, ShownWords) }

// TestFitsDiscord: with nothing of what people wrote but an ellipsis, the longest message that a vote can have is a message of Discord,
// in every language.
func TestFitsDiscord(t *testing.T) {
	for _, l := range say.Languages() {
		v := example(l, func(v *Vote) {
			v.Type, v.Secret, v.Told, v.Polled, v.Asked, v.Removed, v.Poll, v.Untold, v.Corrected, v.Waived = Election, true, false, true, true, 3, true, true, true, true
			v.Shared = true
			v.Text, v.Reply = strings.Repeat("w", 300), strings.Repeat("r", 1000)
			v.Tally, v.Example, v.Room = tally.Rules{Method: tally.STV, Options: 10, Seats: 9, Quorum: 3}, "#2 > #1", strings.Repeat("room ", 8)
			for range 10 {
				v.Options = append(v.Options, strings.Repeat("o", 80))
			}
			v.Target, v.Opener = protocol.Plain(strings.Repeat("t", 40)), protocol.Plain(strings.Repeat("o", 40))
		})
		if n := utf8.RuneCountInString(v.Message(true, 0).Plain()); n > 2000 {
			t.Errorf("in %s it has %d characters", l, n)
		}
	}
}

// TestElections: an election by its numbers, in German too.
func TestElections(t *testing.T) {
	r := tally.Rules{Method: tally.STV, Options: 3, Seats: 2}
	count := tally.Tally{Cast: 4, For: []int{2, 1, 1}, Ballots: []tally.Ballot{{1, 2, 0}, {1, 2, 0}, {0, 1, 2}, {0, 2, 1}}}
	v := example(say.German, func(v *Vote) {
		v.Type, v.Status, v.Options, v.Tally, v.Count = Election, Closed, []string{"Anna", "Bob", "Cleo"}, r, count
		res := tally.Final(r, 8, count)
		v.Outcome, v.Election = res.Outcome, res.Election
	})
	got := v.Message(false, 100).Plain()
	for _, want := range []string{"eine Wahl für 2 Plätze", "Gewählt: Option 1", "Mit übertragbarer Einzelstimme", "Stufe 1: die ersten Präferenzen: 1 hat 2"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if got := v.Ballot(tally.Ballot{1, 2, 2}).Plain(); got != "zuerst «Anna», dann «Bob» und «Cleo» gleichauf" {
		t.Errorf("a ranking is %q", got)
	}
}
