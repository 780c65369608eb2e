package picture_test

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/votes/picture"
)

var update = flag.Bool("update", false, "write the pictures anew")

func words(s string) picture.Words { return picture.Words{Text: s} }

// results are pictures that are looked at: testdata has them as they were.
var results = map[string]picture.Result{
	"motion": {
		Title: words("Vote 3: motion «we meet on Tuesdays»"),
		Bars:  []picture.Bar{{Label: words("yes"), Value: 5, Chosen: true}, {Label: words("no"), Value: 2}, {Label: words("abstain"), Value: 0}},
		Sentences: []string{
			"5 yes, 2 no, 0 abstained of 9 who could vote; quorum 3 reached; needed 5 of 7: passed.",
		},
	},
	"umfrage": {
		Title: words("Abstimmung 12: Umfrage «Wann treffen wir uns künftig, und zwar so, dass möglichst viele von uns können: größer, früher, öfter?»"),
		Bars: []picture.Bar{
			{Label: words("1: Dienstag, gleich nach der Übung im Gemeindehaus, mit Ärger über die Straßenbahn und allem, was dazugehört"), Value: 12},
			{Label: words("2: Mittwoch 🍕"), Value: 112, Chosen: true},
			{Label: picture.Words{Text: "3: 星期四", Instead: "Option 3"}, Value: 7},
			{Label: picture.Words{Text: "4: يوم الجمعة", Instead: "Option 4"}, Value: 0},
			{Label: words("5: Суббота"), Value: 3},
		},
		Sentences: []string{"Die meisten Stimmen: Option 2, mit 112.", "134 von 200 Stimmberechtigten haben abgestimmt."},
	},
}

// TestPictures: what is drawn is what it was, pixel for pixel. Look at them before you commit them.
func TestPictures(t *testing.T) {
	for name, r := range results {
		data, height, err := picture.Draw(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".png")
		if *update {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, want := decoded(t, data), decoded(t, was)
		if got.Bounds() != want.Bounds() || got.Bounds() != image.Rect(0, 0, picture.Width, height) {
			t.Fatalf("%s is %v, was %v, and is told to be %d high", name, got.Bounds(), want.Bounds(), height)
		}
		if n := differing(got, want); n > 0 {
			t.Errorf("%s is drawn otherwise at %d pixels", name, n)
		}
		if again, _, _ := picture.Draw(r); !bytes.Equal(again, data) {
			t.Errorf("%s is other bytes the second time", name)
		}
	}
}

func decoded(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func differing(a, b image.Image) (n int) {
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if a.At(x, y) != b.At(x, y) {
				n++
			}
		}
	}
	return n
}

// TestPicturesAreBounded: no words make a picture larger than it may be, nor write beyond its edge, and it is opaque.
func TestPicturesAreBounded(t *testing.T) {
	for _, long := range []string{strings.Repeat("w", 3000), strings.Repeat("wide words ", 300), strings.Repeat("é̂", 900), strings.Repeat("ﷺ", 500), strings.Repeat("🍕", 500), "", " "} {
		r := picture.Result{Title: picture.Words{Text: long, Instead: long}}
		for range 30 {
			r.Bars = append(r.Bars, picture.Bar{Label: picture.Words{Text: long, Instead: strings.Repeat("option ", 100)}, Value: 1 << 40, Chosen: true})
			r.Sentences = append(r.Sentences, long)
		}
		data, height, err := picture.Draw(r)
		if err != nil || height > picture.MaxHeight || len(data) > 500_000 {
			t.Fatalf("%.20q: %d bytes, %d high, %v", long, len(data), height, err)
		}
		img := decoded(t, data)
		if img.Bounds() != image.Rect(0, 0, picture.Width, height) {
			t.Errorf("%.20q is %v", long, img.Bounds())
		}
		edge := img.At(0, 0)
		for y := range height {
			if left, right := img.At(0, y), img.At(picture.Width-1, y); left != edge || right != edge {
				t.Fatalf("%.20q writes on the edge at %d", long, y)
			}
			for x := picture.Width - 46; x < picture.Width-2; x++ {
				if img.At(x, y) != img.At(3, 3) && y > 2 && y < height-2 {
					t.Fatalf("%.20q writes beyond its margin at %d, %d", long, x, y)
				}
			}
		}
		if _, _, _, a := img.At(3, 3).RGBA(); a != 0xffff {
			t.Errorf("%.20q can be seen through", long)
		}
	}
}

// TestWordsAreDrawnRightOrNotAtAll: where a letter is missing in the fonts, what stands instead is drawn; where a sign is, the rest.
func TestWordsAreDrawnRightOrNotAtAll(t *testing.T) {
	draw := func(w picture.Words) []byte {
		data, _, err := picture.Draw(picture.Result{Title: w})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	same := func(w picture.Words, as string) {
		t.Helper()
		if !bytes.Equal(draw(w), draw(words(as))) {
			t.Errorf("%q is not drawn as %q", w.Text, as)
		}
	}
	for _, text := range []string{"星期四", "abc 星", "مرحبا", "שלום", "ᚠ", "นี", "a\u0315\u035c"} {
		same(picture.Words{Text: text, Instead: "option 3"}, "option 3")
	}
	same(words("🍕 Pizza\u202e ❤️"), "Pizza")
	same(words("u\u0308ber"), "über")
	same(words("two\nlines\tand  more"), "two lines and more")
	if bytes.Equal(draw(words("Ж")), draw(words("Ω"))) {
		t.Error("Cyrillic and Greek letters are drawn alike")
	}
	var blank color.Color
	img := decoded(t, draw(picture.Words{Text: "星", Instead: "期"}))
	for y := 3; y < img.Bounds().Dy()-3; y++ {
		for x := 3; x < picture.Width-3; x++ {
			if blank == nil {
				blank = img.At(x, y)
			}
			if img.At(x, y) != blank {
				t.Fatalf("something is drawn at %d, %d", x, y)
			}
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for b.Loop() {
		if _, _, err := picture.Draw(results["umfrage"]); err != nil {
			b.Fatal(err)
		}
	}
}
