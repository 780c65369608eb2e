package matrix

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"

	"maunium.net/go/mautrix/id"

	"moot/protocol"
)

// mayMention tells whether HTML may hold a link to a person.
func mayMention(h string) bool {
	return strings.Contains(h, "matrix.to/") || strings.Contains(h, "matrix:u/")
}

// plainOf returns the text of HTML, with mention tokens in the place of links to people. It is read tag by tag and makes
// no tree, which hostile HTML could grow.
func plainOf(h string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(h))
	quoted, named := 0, false // within a quote of what is replied to; within a link to a person
	line := func() {
		if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteByte('\n')
		}
	}
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return strings.TrimSpace(b.String())
		case html.TextToken:
			if quoted == 0 && !named {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			name, more := z.TagName()
			end := kind == html.EndTagToken
			switch string(name) {
			case "mx-reply":
				if end {
					quoted = max(quoted-1, 0)
				} else {
					quoted++
				}
			case "br", "p", "div", "li", "tr", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6":
				if quoted == 0 {
					line()
				}
			case "a":
				if end {
					named = false
					continue
				}
				for more {
					var key, value []byte
					key, value, more = z.TagAttr()
					if string(key) != "href" || quoted > 0 || named {
						continue
					}
					if user := linked(string(value)); user != "" {
						b.WriteString(protocol.MentionToken(userID(user)))
						named = kind == html.StartTagToken
					}
				}
			}
		}
	}
}

// linked returns the person that a link leads to, zero if it leads to none: https://matrix.to/#/@ann:example.org, or
// matrix:u/ann:example.org (Client-Server API, appendix "URIs").
func linked(link string) id.UserID {
	user, ok := "", false
	for _, prefix := range []string{"https://matrix.to/#/", "http://matrix.to/#/", "matrix.to/#/"} {
		if user, ok = strings.CutPrefix(link, prefix); ok {
			break
		}
	}
	if !ok {
		if user, ok = strings.CutPrefix(link, "matrix:u/"); !ok {
			return ""
		}
		user = "@" + user
	}
	user, _, _ = strings.Cut(user, "?")
	user, err := url.PathUnescape(user)
	if err != nil || !isUser(user) {
		return ""
	}
	return id.UserID(user)
}

// mentionIDs puts mention tokens in the place of the ids of people that a text names, of those who are mentioned.
func mentionIDs(text string, users []string) string {
	users = slices.Clone(users[:min(len(users), maxMentions)])
	slices.SortFunc(users, func(a, b string) int { return len(b) - len(a) }) // one may begin with another
	var pairs []string
	for _, u := range users {
		if isUser(u) && strings.Contains(text, u) {
			pairs = append(pairs, u, protocol.MentionToken(userID(id.UserID(u))))
		}
	}
	if len(pairs) == 0 {
		return text
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// maxMentions is how many of the mentions of a message are looked for in its text.
const maxMentions = 50

// addressed tells whether a text begins by naming the bot, and what it then says.
func (r reader) addressed(text string) (rest string, yes bool) {
	trimmed := strings.TrimLeftFunc(text, unicode.IsSpace)
	if rest, ok := strings.CutPrefix(trimmed, protocol.MentionToken(userID(r.self))); ok {
		return strings.TrimLeft(rest, ":, \n"), true
	}
	trimmed = strings.TrimPrefix(trimmed, "@")
	local, _, _ := strings.Cut(strings.TrimPrefix(string(r.self), "@"), ":")
	for _, name := range []string{r.name, strings.TrimPrefix(string(r.self), "@"), local} {
		if name == "" || len(trimmed) <= len(name) || !strings.EqualFold(trimmed[:len(name)], name) {
			continue
		}
		if rest := trimmed[len(name):]; rest[0] == ':' || rest[0] == ',' {
			return strings.TrimLeft(rest[1:], " \n"), true
		}
	}
	return text, false
}
