package generation

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestNext(t *testing.T) {
	first, err := Next("", Generation{})
	if err != nil || first.Number != 1 || first.Run == "" {
		t.Fatalf("the first is %+v, %v", first, err)
	}
	second, err := Next(first.Encode(), first.Generation)
	if err != nil || second.Number != 2 || second.Run == first.Run {
		t.Fatalf("the second is %+v, %v", second, err)
	}
	copied, err := Next(first.Encode(), first.Generation) // of the folder as it was after the first
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		saved string
		found Generation
		older bool
	}{
		"killed before the account had it":       {second.Encode(), first.Generation, false},
		"killed afterwards":                      {second.Encode(), second.Generation, false},
		"another copy came later":                {second.Encode(), copied.Generation, true},
		"another copy came much later":           {second.Encode(), Generation{9, "else"}, true},
		"a folder of an old day":                 {first.Encode(), second.Generation, true},
		"a new folder, or one that was put back": {"", second.Generation, false},
		"the server was put back":                {second.Encode(), Generation{1, "else"}, false},
		"nothing stands there any more":          {second.Encode(), Generation{}, false},
		"nonsense stands there":                  {second.Encode(), Generation{most, "else"}, false},
		"nonsense of another kind":               {second.Encode(), Generation{-1, "else"}, false},
	} {
		got, err := Next(tt.saved, tt.found)
		if errors.Is(err, ErrOlder) != tt.older || err == nil && got.Number <= max(tt.found.Number%most, 0) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestOneIsLeft: of any number of copies that start, are killed at any place, and look, at most one goes on.
func TestOneIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type folder struct {
			saved string
			claim Claim // of the Run that runs; zero for none
		}
		var account Generation
		folders := []*folder{{}}
		start := func(f *folder, last int) {
			f.claim = Claim{}
			next, err := Next(f.saved, account)
			if err != nil || last == 0 {
				return
			}
			f.saved = next.Encode()
			if last == 1 {
				return
			}
			account = next.Generation
			if last > 2 {
				f.claim = next
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"copy": func(t *rapid.T) {
				if len(folders) < 5 {
					folders = append(folders, &folder{saved: rapid.SampledFrom(folders).Draw(t, "of").saved})
				}
			},
			"start": func(t *rapid.T) {
				f := rapid.SampledFrom(folders).Draw(t, "which")
				start(f, rapid.IntRange(0, 3).Draw(t, "killed after"))
			},
			"": func(t *rapid.T) {
				left := 0
				for _, f := range folders {
					if f.claim.Run != "" && f.claim.Check(account) == nil {
						left++
					}
				}
				if left > 1 {
					t.Fatalf("%d copies go on", left)
				}
			},
		})
		for range 2 { // who was the last one can always go on
			for _, f := range folders {
				if f.claim.Run != "" && f.claim.Check(account) == nil {
					if start(f, 3); f.claim.Run == "" {
						t.Fatal("the newest is refused")
					}
				}
			}
		}
	})
}
