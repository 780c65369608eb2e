package matrix_test

import "testing"

// Nobody sees what is said in a space: the bot counts as one that may not write there, so that it says no hello.
func TestInASpaceTheBotIsMute(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for name, kind := range map[string]string{"Space": "m.space", "Hall": ""} {
		room := w.Create(w.ann, name, map[string]map[string]any{"m.room.create": {"room_version": "10", "type": kind}})
		w.enter(room)
		defer func() {
			if info := w.info(room); !info.Joined() || info.Mute != (kind == "m.space") {
				t.Errorf("in the %s: %+v", name, info)
			}
		}()
	}
	w.start()
}
