package protocol

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

// TestActsAndWantsInOneGo: what is written in one go is what a member of a closed set is written as, for each member.
func TestActsAndWantsInOneGo(t *testing.T) {
	same := func(got any, err error, want any) {
		t.Helper()
		if err != nil {
			t.Error(err)
			return
		}
		one, err := json.Marshal(got)
		other, werr := json.Marshal(want)
		if err != nil || werr != nil || string(one) != string(other) {
			t.Errorf("wrote %s (%v), want %s (%v)", one, err, other, werr)
		}
	}
	for _, typ := range kinds[reflect.TypeFor[Act]()] {
		it := reflect.New(typ).Elem().Interface().(Act)
		got, err := actOf(it)
		same(got, err, member[Act]{it})
	}
	for _, typ := range kinds[reflect.TypeFor[Want]()] {
		it := reflect.New(typ).Elem().Interface().(Want)
		if typ == reflect.TypeFor[AskTask]() {
			it = AskTask{Task: "<work>", Input: json.RawMessage(`{ "a": "<" }`), Once: true}
		}
		got, err := wantOf(it)
		same(got, err, member[Want]{it})
	}
	act, err := actOf(nil)
	same(act, err, member[Act]{})
	want, err := wantOf(nil)
	same(want, err, member[Want]{})
	type another struct{ Say }
	if _, err := (Outgoing{Act: another{}}).MarshalJSON(); !errors.Is(err, ErrUnknownBody) {
		t.Errorf("an act of another package: %v", err)
	}
	type foreign struct{ AskJoin }
	if _, err := (Ask{Want: foreign{}}).MarshalJSON(); !errors.Is(err, ErrUnknownBody) {
		t.Errorf("a want of another package: %v", err)
	}
}
