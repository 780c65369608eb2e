package votes_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"
)

// outcomes returns the messages that say what came of a vote in the lobby.
func (w *town) outcomes() (all []*message) {
	for _, m := range w.messages {
		if m.room == lobby && strings.Contains(m.text, "has closed.") {
			all = append(all, m)
		}
	}
	return all
}

// ended is a town in which a vote of three has ended, after a moderator has said whether pictures are wanted.
func ended(t *testing.T, pictures, opens string, noFiles bool, ballots ...string) *town {
	w := newTown(t)
	w.noFiles = noFiles
	w.mods[person("mia")] = true
	w.settle(lobby, "ann", "ben", "cem", "dan", "mia")
	if pictures != "" {
		w.say(lobby, "mia", "!moot room set votes.picture "+pictures)
	}
	w.say(lobby, "ann", "!moot vote "+opens)
	for i, who := range []string{"ann", "ben", "cem"}[:len(ballots)] {
		w.say(lobby, who, "!moot vote 1 "+ballots[i])
	}
	w.wait(month / 3)
	if w.vote(lobby, 1).Open() {
		t.Fatal("the vote has not ended")
	}
	return w
}

// TestAPictureGoesWithAnOutcome: where the room wants it, the outcome comes with one picture, and its words say all that is drawn.
func TestAPictureGoesWithAnOutcome(t *testing.T) {
	for name, tc := range map[string]struct {
		opens   string
		ballots []string
		says    []string
	}{
		"motion": {"motion we sing", []string{"yes", "yes", "no"}, []string{"motion «we sing»", "Passed: 2 yes, 1 no, 0 abstained of 5 who could vote."}},
		"poll": {`poll "Which day?" Monday Tuesday`, []string{"Monday", "Tuesday", "Tuesday"},
			[]string{"poll «Which day?»", "Most votes: «Tuesday», with 2. 3 of 5 who could vote did.", "«Monday» 1, «Tuesday» 2"}},
		"election": {`elect "Who?" Anna Bob`, []string{"Bob", "Anna", "Bob"}, []string{"election «Who?»", "Elected: «Bob».", "Ranked first: «Anna» 1, «Bob» 2."}},
	} {
		t.Run(name, func(t *testing.T) {
			w := ended(t, "on", tc.opens, false, tc.ballots...)
			all := w.outcomes()
			if len(all) != 1 {
				t.Fatalf("the outcome is said %d times", len(all))
			}
			for _, words := range tc.says {
				if !strings.Contains(all[0].text, words) {
					t.Errorf("beside the picture it does not say %q, but\n%s", words, all[0].text)
				}
			}
			f := all[0].file
			if f == nil || !f.IsPicture() || f.Name != "vote-1.png" || f.Check() != nil {
				t.Fatalf("what comes with it is %+v", f)
			}
			img, err := png.Decode(bytes.NewReader(f.Data))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx() != f.Width || b.Dy() != f.Height {
				t.Errorf("the picture is %v, and said to be %d × %d", b, f.Width, f.Height)
			}
		})
	}
}

// TestNoPicture: none comes where the room has not asked for it, or no more, where nobody has voted, or where the network takes none: there
// the words are said alone, once.
func TestNoPicture(t *testing.T) {
	for name, tc := range map[string]struct {
		pictures string
		noFiles  bool
		ballots  []string
		says     string
	}{
		"by default":             {"", false, []string{"yes", "yes", "no"}, "Passed: 2 yes, 1 no"},
		"switched off":           {"off", false, []string{"yes", "yes", "no"}, "Passed: 2 yes, 1 no"},
		"nobody has voted":       {"on", false, nil, "Not passed, too few voted"},
		"the network takes none": {"on", true, []string{"yes", "yes", "no"}, "Passed: 2 yes, 1 no"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ended(t, tc.pictures, "motion we sing", tc.noFiles, tc.ballots...)
			all := w.outcomes()
			if len(all) != 1 || all[0].file != nil || !strings.Contains(all[0].text, tc.says) {
				t.Errorf("the outcome is %+v", all)
			}
		})
	}
}

// TestAPictureNeedsAModerator: who is none cannot have pictures sent.
func TestAPictureNeedsAModerator(t *testing.T) {
	w := newTown(t)
	w.settle(lobby, "ann", "ben", "cem")
	w.say(lobby, "ann", "!moot room set votes.picture on")
	w.expect("is for the moderators")
}
