package hide

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHide(t *testing.T) {
	v, err := Read([]byte(`{"Password":{"a":"pa<\"ss>\nword","b":["hunter2","hunter2-and-more"],"pin":48151623,"short":"abc"},"other":9007199254740993}`))
	if err != nil {
		t.Fatal(err)
	}
	s := Find([]string{"password"}, v)
	if !s.Found() || Find([]string{"token"}, v).Found() {
		t.Error("it does not know what was found")
	}
	for text, want := range map[string]string{
		"nothing":                          "nothing",
		"hunter2, hunter2-and-more":        "(hidden), (hidden)",
		"pin 48151623, abc":                "pin (hidden), abc",
		"pa<\"ss>\nword":                   "(hidden)",
		"pa<\"ss> word":                    "(hidden)", // on one line
		`it wrote pa<\"ss>\nword`:          "it wrote (hidden)",
		`{"x":"pa\u003c\"ss\u003e\nword"}`: `{"x":"(hidden)"}`,
		"and so on: hunter2-and-…":         "and so on: (hidden)…",
		"and so on: hunte…":                "and so on: (hidden)…",
		"and so on: hun…":                  "and so on: hun…", // it may be any word
	} {
		if got := s.Text(text); got != want {
			t.Errorf("of %q is left %q, and not %q", text, got, want)
		}
	}
	left, err := json.Marshal(s.Value(v))
	if err != nil || string(left) != `{"Password":"(hidden)","other":9007199254740993}` {
		t.Errorf("there is left %s, %v", left, err)
	}
	more, err := Read([]byte(`{"log":["with hunter2",48151623,{"hunter2":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if left, err = json.Marshal(s.Value(more)); err != nil || string(left) != `{"log":["with (hidden)","(hidden)",{"(hidden)":true}]}` {
		t.Errorf("there is left %s, %v", left, err)
	}
	for _, bad := range []string{"", "{", "{} {}"} {
		if _, err := Read([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	if text := strings.Repeat("long ", 100) + "…"; s.Text(text) != text {
		t.Error("a text without secrets is another")
	}
}

func TestOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching("[ab]{1,8}")
		text, value := word.Draw(t, "text"), word.Draw(t, "value")
		want := 0
		for n := 1; n <= min(len(text), len(value)); n++ {
			if strings.HasSuffix(text, value[:n]) {
				want = n
			}
		}
		if got := overlap(text, value); got != want {
			t.Errorf("of %q and %q it is %d, and not %d", text, value, got, want)
		}
	})
	// Somebody may have written what takes other ways to look for hours.
	long := strings.Repeat("a", 1<<20)
	began := time.Now()
	if n := overlap(long+"b"+long[:1<<19], long); n != 1<<19 || time.Since(began) > 10*time.Second {
		t.Errorf("it is %d, in %s", n, time.Since(began))
	}
}
