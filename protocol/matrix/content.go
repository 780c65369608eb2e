package matrix

import (
	"fmt"
	"slices"

	"go.mau.fi/util/variationselector"

	"moot/protocol"
)

// What the bot sends. The content is a map so that it can hold the key, which is of no specification; it is named so that
// it cannot be mistaken for one.

// keyField holds the key of what is sent, behind a dot with the part of a message that was cut.
const keyField = "org.moot.key"

// partsField stands in the last part of a message that was cut, and holds the ids of those before it.
const partsField = "org.moot.parts"

// textContent is the content of a message.
func textContent(t protocol.Text) map[string]any {
	c := map[string]any{"msgtype": "m.notice", "body": t.Plain(), "m.mentions": mentions(t)}
	if isStyled(t) {
		if html := htmlOf(t); len(html) <= maxHTML {
			c["format"], c["formatted_body"] = "org.matrix.custom.html", html
		}
	}
	return c
}

// mentions is m.mentions: always there, so that no client looks for names in the text (MSC3952), and empty but for those
// whose attention is wanted.
func mentions(t protocol.Text) map[string]any {
	users := []string{}
	for _, u := range t.Mentions() {
		if u.Network() == Network && isUser(u.Local()) {
			users = append(users, u.Local())
		}
	}
	if len(users) == 0 {
		return map[string]any{}
	}
	slices.Sort(users)
	return map[string]any{"user_ids": users}
}

// relate puts a message into its thread, and lets it answer another.
func relate(c map[string]any, place protocol.PlaceID, replyTo protocol.EventID) {
	rel := map[string]any{}
	if place != "" {
		rel["rel_type"], rel["event_id"], rel["is_falling_back"] = "m.thread", string(place), replyTo == ""
		if replyTo == "" {
			replyTo = protocol.EventID(place) // for clients that know no threads
		}
	}
	if replyTo != "" {
		rel["m.in_reply_to"] = map[string]any{"event_id": string(replyTo)}
	}
	if len(rel) > 0 {
		c["m.relates_to"] = rel
	}
}

// editContent is the content of an edit. It mentions nobody anew. What programs show that know no edits is only the beginning of
// a long text: all of it would not fit twice.
func editContent(t protocol.Text, original protocol.EventID) map[string]any {
	fresh := textContent(t)
	old := shortened(t, maxPart/2)
	c := map[string]any{
		"msgtype": "m.notice", "body": "* " + old.Plain(), "m.mentions": map[string]any{}, "m.new_content": fresh,
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": string(original)},
	}
	if html, ok := fresh["formatted_body"]; ok && size(old) == size(t) {
		c["format"], c["formatted_body"] = fresh["format"], fmt.Sprint("* ", html)
	}
	return c
}

// reactionContent is the content of a reaction. An emoji has variation selector 16 where the specification recommends it (m.annotation):
// people's programs send it so, and show what is written in another way as a second 👍.
func reactionContent(target protocol.EventID, reaction string) map[string]any {
	key := variationselector.Add(reaction)
	return map[string]any{"m.relates_to": map[string]any{"rel_type": "m.annotation", "event_id": string(target), "key": key}}
}

// partKey is the transaction id of a part of a message, and what stands in its content: the key itself for a message that
// is whole.
func partKey(key protocol.Key, i, n int) string {
	if n == 1 {
		return string(key)
	}
	return fmt.Sprintf("%s.%d-%d", key, i+1, n)
}
