package matrix

import (
	"encoding/json"
	"reflect"
	"testing"
)

// TestWhatIsKeptReadsAsItCame: a message that waits for its key is read once more from what was kept of it. Its
// age is not kept: it is another by then.
func TestWhatIsKeptReadsAsItCame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"event_id":"$a","type":"m.room.encrypted","sender":"@ann:here","origin_server_ts":1700000000000,"content":{"session_id":"s"},"unsigned":{"transaction_id":"k"}}`,
		`{"event_id":"$a","type":"m.room.encrypted","sender":"@ann:here","origin_server_ts":"soon","content":{"session_id":"s"}}`,
	} {
		came := readEvents([]object{object(text)})[0]
		kept, err := came.keep()
		if err != nil {
			t.Fatal(err)
		}
		if again := readEvents([]object{kept})[0]; !reflect.DeepEqual(came, again) {
			t.Errorf("it came as\n%+v\nand is read again as\n%+v", came, again)
		}
		if !json.Valid(kept) {
			t.Errorf("%s", kept)
		}
	}
}
