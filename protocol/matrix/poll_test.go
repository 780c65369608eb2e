package matrix

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"moot/protocol"
)

// TestPollEvents: what people choose is read by the names of the draft, which programs send, and by those of the
// specification; polls of others and their ends mean nothing.
func TestPollEvents(t *testing.T) {
	t.Parallel()
	const to = `"m.relates_to":{"rel_type":"m.reference","event_id":"$p"}`
	response := func(kind, rest string) string { return `"type":"` + kind + `","content":{` + rest + `}` }
	unstable := "org.matrix.msc3381.poll.response"
	chose := func(answers ...string) protocol.Body {
		return protocol.PollResponse{Target: "$p", Answers: answers}
	}
	none := protocol.PollResponse{Target: "$p"}
	for fields, want := range map[string]protocol.Body{
		response(unstable, `"`+unstable+`":{"answers":["a"]},`+to):         chose("a"),
		response(unstable, `"`+unstable+`":{"answers":["b","a","b"]},`+to): chose("b", "a", "b"),
		response(unstable, `"`+unstable+`":{"answers":[]},`+to):            none,
		response(unstable, `"`+unstable+`":{},`+to):                        none,
		response(unstable, `"`+unstable+`":{"answers":"a"},`+to):           none,
		response(unstable, `"`+unstable+`":{"answers":[1,null,"a"]},`+to):  chose("a"),
		response(unstable, to):                                                                  none,
		response("m.poll.response", `"m.selections":["a"],`+to):                                 chose("a"),
		response("m.poll.response", `"m.poll.response":{"answers":["a"]},`+to):                  chose("a"),
		response("m.poll.response", `"m.selections":[],`+to):                                    none,
		response(unstable, `"`+unstable+`":{"answers":["a"]}`):                                  protocol.Malformed{Kind: unstable, Reason: "it does not say to which poll it answers"},
		response(unstable, strings.Replace(to, "m.reference", "m.replace", 1)):                  protocol.Malformed{Kind: unstable, Reason: "it does not say to which poll it answers"},
		`"type":"m.poll.response","content":7`:                                                  protocol.Malformed{Kind: "m.poll.response", Reason: "it has no content"},
		response("org.matrix.msc3381.poll.start", ""):                                           protocol.Other{Kind: "org.matrix.msc3381.poll.start"},
		response("m.poll.start", ""):                                                            protocol.Other{Kind: "m.poll.start"},
		response("org.matrix.msc3381.poll.end", to):                                             protocol.Other{Kind: "org.matrix.msc3381.poll.end"},
		response("m.poll.end", to):                                                              protocol.Other{Kind: "m.poll.end"},
		response(unstable, "") + `,"unsigned":{"redacted_because":{"type":"m.room.redaction"}}`: protocol.Other{Kind: "redacted " + unstable},
		response(unstable, `"`+unstable+`":{"answers":["a"]},"org.moot.key":"`+key+`",`+to):     chose("a"), // of somebody else
	} {
		got := readJSON(t, fields).Body
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: %s", fields, d)
		}
	}
	long := strings.Repeat(`"`+strings.Repeat("x", 200)+`",`, 30)
	r, ok := readJSON(t, response(unstable, `"`+unstable+`":{"answers":[`+strings.TrimSuffix(long, ",")+`]},`+to)).Body.(protocol.PollResponse)
	if !ok || len(r.Answers) != protocol.MaxPollOptions || len([]rune(r.Answers[0])) > protocol.MaxOptionText {
		t.Errorf("of thirty long answers %d are kept", len(r.Answers))
	}
	own := ourReader
	own.self = "@ann:fake.test"
	for _, kind := range []string{"org.matrix.msc3381.poll.start", "org.matrix.msc3381.poll.end"} {
		raw := `{"event_id":"$e","sender":"@ann:fake.test",` + response(kind, `"org.moot.key":"`+key+`",`+to) + `}`
		got := own.read(readEvents([]object{object(raw)})[0])
		if d := cmp.Diff(protocol.Body(protocol.Receipt{Key: key}), got.Body); d != "" {
			t.Errorf("the own %s: %s", kind, d)
		}
	}
}
