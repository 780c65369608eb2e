package matrix

import (
	"encoding/json"
	"net/http"

	"maunium.net/go/mautrix"

	"moot/internal/generation"
	"moot/protocol"
)

// GenerationCursor is the name of the cursor that says what the data folder has last left on the account. A folder that was put
// back from a backup has none.
const GenerationCursor = "matrix/generation"

// GenerationData is the type of the account data in which it stands, for all Runs with the account to see. Every sync that goes on tells of its changes.
const GenerationData = "moot.generation"

// claim leaves the generation of this Run on the account, where no other data folder has left a later one. It comes before the
// first sync of the Run, so that a change which follows is heard of.
func (r *run) claim() error {
	saved, err := r.to.Cursor(GenerationCursor)
	if err != nil {
		return err
	}
	path := mautrix.ClientURLPath{"v3", "user", r.self, "account_data", GenerationData}
	var there object
	if err := r.request(r.ctx, http.MethodGet, path, nil, nil, &there); err != nil && !isCode(err, mautrix.MNotFound) {
		return passing{err}
	}
	next, err := generation.Next(saved, Generation(there))
	if err != nil {
		return protocol.Ends(protocol.RetryNever, err)
	}
	if err := r.to.Admit(r.ctx, nil, protocol.Cursor{Name: GenerationCursor, Value: next.Encode()}); err != nil {
		return unadmitted{err}
	}
	err = r.request(r.ctx, http.MethodPut, path, nil, next.Generation, nil)
	if status, code := answer(err); code != "" && status >= 400 && status < 500 && status != http.StatusTooManyRequests && !isDead(err) {
		r.log.Warn("nothing can be left on the account: a second bot that uses it would not be noticed", "err", cause(err))
		return nil
	} else if err != nil {
		return passing{err}
	}
	r.own = next
	return nil
}

// Generation reads what stands there.
func Generation(o json.RawMessage) generation.Generation {
	var read struct {
		Number number `json:"generation"`
		Run    word   `json:"run"`
	}
	into(o, &read)
	return generation.Generation{Number: read.Number.value, Run: string(read.Run)}
}

// newerData ends the Run where a change on the account says that another data folder is the newest one.
func (r *run) newerData(o object) error {
	return protocol.Ends(protocol.RetryNever, r.own.Check(Generation(o)))
}
