package matrix

import (
	"html"
	"net/url"
	"strings"

	"moot/protocol"
)

// maxPart is how many bytes of text go into one message. With its HTML and sealed it stays well under the 64 KiB that an
// event may have (Client-Server API, section "Size limits").
const maxPart = 8 << 10

// maxHTML is how long the HTML of a part may be, which is more than five times as long where all of it has to be escaped.
const maxHTML = 3 * maxPart

// htmlOf returns a text as HTML of Matrix (Client-Server API, m.room.message, "formatted_body"). Whatever people have said
// in it is escaped; only who is mentioned or named is a link to a person, which clients show as a pill. Who is notified of
// it m.mentions says (Client-Server API, section "User and room mentions").
func htmlOf(t protocol.Text) string {
	var b strings.Builder
	for _, s := range t {
		text := strings.ReplaceAll(html.EscapeString(s.Text), "\n", "<br>")
		switch s.Style {
		case protocol.StrongStyle:
			b.WriteString("<strong>" + text + "</strong>")
		case protocol.CodeStyle:
			b.WriteString("<code>" + text + "</code>")
		case protocol.MentionStyle, protocol.PersonStyle:
			if user := protocol.UserID(s.Ref); user.Network() == Network && isUser(user.Local()) {
				b.WriteString(`<a href="` + html.EscapeString(userLink(user)) + `">` + text + "</a>")
				continue
			}
			b.WriteString(text)
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

// userLink is the link by which clients show a person.
func userLink(user protocol.UserID) string {
	return "https://matrix.to/#/" + url.PathEscape(user.Local())
}

// isStyled reports whether the HTML of a text says more than its plain form.
func isStyled(t protocol.Text) bool {
	for _, s := range t {
		switch s.Style {
		case protocol.StrongStyle, protocol.CodeStyle, protocol.MentionStyle, protocol.PersonStyle:
			return true
		}
	}
	return false
}

// split cuts a text into parts of at most maxPart bytes: between paragraphs if it can be, else between lines, else anywhere.
func split(t protocol.Text) []protocol.Text {
	var parts []protocol.Text
	for size(t) > maxPart {
		head, tail := cut(t, breakAt(t.Plain()))
		parts = append(parts, trim(head))
		t = trim(tail)
	}
	if len(parts) > 0 && size(t) == 0 {
		return parts
	}
	return append(parts, t)
}

func size(t protocol.Text) int { return len(t.Plain()) }

// breakAt returns where the first part of a text that is too long ends.
func breakAt(plain string) int {
	head := plain[:maxPart]
	for _, sep := range []string{"\n\n", "\n", " "} {
		if i := strings.LastIndex(head, sep); i > maxPart/4 {
			return i + len(sep)
		}
	}
	for i := maxPart; i > maxPart-4; i-- {
		if plain[i]&0xC0 != 0x80 { // the first byte of a character
			return i
		}
	}
	return maxPart
}

// cut cuts a text after so many bytes of its plain form.
func cut(t protocol.Text, at int) (head, tail protocol.Text) {
	for i, s := range t {
		if at >= len(s.Text) {
			at -= len(s.Text)
			continue
		}
		head, tail = append(protocol.Text{}, t[:i]...), append(protocol.Text{}, t[i+1:]...)
		if at > 0 {
			first := s
			first.Text = s.Text[:at]
			head = append(head, first)
			s.Text = s.Text[at:]
			if s.Style == protocol.MentionStyle {
				s.Style = protocol.PersonStyle // mentioned once is enough
			}
		}
		return head, append(protocol.Text{s}, tail...)
	}
	return t, nil
}

// trim takes empty lines off the beginning and the end.
func trim(t protocol.Text) protocol.Text {
	for len(t) > 0 {
		if t[0].Text = strings.TrimLeft(t[0].Text, "\n"); t[0].Text != "" {
			break
		}
		t = t[1:]
	}
	for len(t) > 0 {
		last := len(t) - 1
		if t[last].Text = strings.TrimRight(t[last].Text, "\n"); t[last].Text != "" {
			break
		}
		t = t[:last]
	}
	return t
}
