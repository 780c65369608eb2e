package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moot/protocol"
)

func TestReader(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1)
	fits := strings.Repeat("y", MaxLine)
	r := NewReader(strings.NewReader("one\n\n  \ntwo\n" + long + "\n" + fits + "\n" + long + long + "\nthree\ntorn"))
	for _, want := range []struct {
		n    int64
		line string
		err  error
	}{{1, "one", nil}, {4, "two", nil}, {5, "", ErrLong}, {6, fits, nil}, {7, "", ErrLong}, {8, "three", nil}, {8, "", io.EOF}} {
		line, n, err := r.Next()
		if string(line) != want.line || n != want.n || !errors.Is(err, want.err) {
			t.Errorf("got %.20q, %d, %v; want %.20q, %d, %v", line, n, err, want.line, want.n, want.err)
		}
	}
}

func TestBodiesReadBack(t *testing.T) {
	for _, b := range []protocol.Body{
		nil, protocol.MemberList{Last: true, Members: []protocol.Member{{User: "console:ann"}}},
		protocol.ReactionSet{Target: "e1", Reactions: []protocol.Reaction{{User: "console:ann", Reaction: "👍"}}},
	} {
		text, err := json.Marshal(In{Answer: "k", Body: &Body{b}})
		if err != nil {
			t.Fatal(err)
		}
		var in In
		if err := json.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		var got protocol.Body
		if in.Body != nil {
			got = in.Body.Body
		}
		if d := cmp.Diff(b, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}

func TestFailuresReadBack(t *testing.T) {
	for _, want := range []error{
		errors.New("boo"),
		&protocol.SendError{Final: true, Err: fmt.Errorf("%w: kicked", protocol.ErrGone)},
		&protocol.SendError{Ambiguous: true, Err: errors.New("timeout")},
		fmt.Errorf("send: %w", &protocol.SendError{RetryAfter: 1500 * time.Millisecond, Err: errors.New("slow down")}),
	} {
		text, err := json.Marshal(Failure("k", want))
		if err != nil {
			t.Fatal(err)
		}
		var in In
		if err := json.Unmarshal(text, &in); err != nil {
			t.Fatal(err)
		}
		if err := in.Check(); err != nil {
			t.Error(err)
		}
		got := in.Err()
		if errors.Is(got, protocol.ErrGone) != errors.Is(want, protocol.ErrGone) {
			t.Errorf("%v came back as %v", want, got)
		}
		var g, w *protocol.SendError
		if errors.As(got, &g) != errors.As(want, &w) {
			t.Fatalf("%v came back as %v", want, got)
		}
		if w != nil && (g.Final != w.Final || g.Ambiguous != w.Ambiguous || g.RetryAfter != w.RetryAfter || g.Err.Error() != w.Err.Error()) {
			t.Errorf("%+v came back as %+v", w, g)
		}
	}
}
