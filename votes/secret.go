package votes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"moot/events"
	"moot/protocol"
	"moot/store"
	"moot/votes/tally"
)

// Secret votes. What stands here is no projection: until the vote closes its ballots are in the box and nowhere else.
// Then they go into the log, sorted by what they say, without anything that stands for a voter. A vote that ends
// undecided takes its box along. The key is random; without it nothing leads from a row of the box, in a backup say,
// to a person.
var (
	secretKeys = store.ScopedBucket("votes-keys")    // room ␟ vote → key
	secretBox  = store.ScopedBucket("votes-box")     // room ␟ vote ␟ hash → ballot, empty where it was withdrawn
	turnouts   = store.ScopedBucket("votes-turnout") // room ␟ vote → how many ballots are in the box
)

const keySize = 32

func (h *atHand) makeKey() {
	key := make([]byte, keySize)
	h.Random(key)
	h.tx.Put(secretKeys, h.key(), key)
}

// secretVoter returns what stands for a person in the secret vote; zero where the key is gone.
func (h *atHand) secretVoter(n events.Number) string {
	key := h.tx.Get(secretKeys, h.key())
	if len(key) != keySize {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(n.String()))
	return hex.EncodeToString(mac.Sum(nil))
}

// boxed returns the ballot of a person in the box of a secret vote, and whether they ever cast one: it is empty if they
// have withdrawn it.
func (h *atHand) boxed(n events.Number) (b tally.Ballot, ever bool) {
	key := h.voterKey(h.secretVoter(n))
	return decodeBallot(h.tx.Get(secretBox, key)), h.tx.Has(secretBox, key)
}

// castSecret puts a ballot into the box, or takes it out where it is empty. It reports whether that changed anything.
func (h *atHand) castSecret(n events.Number, b tally.Ballot) bool {
	before, ever := h.boxed(n)
	if slices.Equal(before, b) || !ever && len(b) == 0 {
		return false
	}
	h.Turnout += min(len(b), 1) - min(len(before), 1)
	h.tx.Put(secretBox, h.voterKey(h.secretVoter(n)), encodeBallot(b))
	h.tx.Put(turnouts, h.key(), []byte(store.Number(uint64(h.Turnout))))
	h.touch()
	return true
}

// unbox puts the ballots of a secret vote that closes into the log.
func (h *atHand) unbox() error {
	if !h.Secret {
		return nil
	}
	var all []tally.Ballot
	for _, data := range h.tx.Prefix(secretBox, h.voterKey("")) {
		if len(data) > 0 {
			all = append(all, decodeBallot(data))
		}
	}
	slices.SortFunc(all, slices.Compare[tally.Ballot])
	for part := range slices.Chunk(all, carrySlice) {
		if err := h.publish(whatBallots, nil, unboxed{part}); err != nil {
			return err
		}
	}
	return nil
}

// burn deletes the key and the box of a vote that has ended.
func (h *atHand) burn() {
	h.tx.Delete(secretKeys, h.key())
	h.tx.Delete(turnouts, h.key())
	for k := range h.tx.Prefix(secretBox, h.voterKey("")) {
		h.tx.Delete(secretBox, k)
	}
}

// Quiet reports whether an event must leave no trace of its moment, because it casts or withdraws a ballot in a
// secret vote through the network's own interface, where nobody else sees it.
func (f *Feature) Quiet(tx *store.Tx, ev protocol.Event) bool {
	press, ok := ev.Body.(protocol.Invocation)
	if !ok || len(press.Path) != 2 || press.Path[0] != "vote" || press.Path[1] != "cast" && press.Path[1] != "withdraw" {
		return false
	}
	// Whether the words mean this vote or another one is not taken apart here.
	for v := range OpenIn(tx, ev.Room) {
		if v.Secret {
			return true
		}
	}
	return false
}
