package matrix

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/net/html"

	"maunium.net/go/mautrix/id"

	"moot/internal/alike"
	"moot/protocol"
)

// mayMention reports whether HTML may hold a link to a person.
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

// link is where a link to a person stands in a text, be it within the brackets of Markdown.
var link = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:\[[^\][\n]{0,200}\]\(|<)?(?:(?:https?://)?matrix\.to/#/(?:@|%40)|matrix:u/)[^\s<>()"']+[)>]?`)
})

// mentionLinks puts mention tokens in the place of the links to people that stand in a text as they are.
func mentionLinks(text string) string {
	if !mayMention(text) {
		return text
	}
	return link().ReplaceAllStringFunc(text, func(found string) string {
		bare := strings.TrimPrefix(found[strings.LastIndexAny(found[:strings.Index(found, "matrix")], "(<")+1:], "(")
		trimmed := strings.TrimRight(bare, ")>.,;:!?")
		user := linked(trimmed)
		if user == "" {
			return found
		}
		after := bare[len(trimmed):]
		if bare != found { // the bracket at its beginning has one at its end
			after = strings.TrimPrefix(strings.TrimPrefix(after, ")"), ">")
		}
		return protocol.MentionToken(userID(user)) + after
	})
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

// addressed reports whether a text begins by naming the bot, and returns what it then says. Where the client says that the
// bot is mentioned, its name alone is enough; so is its full id, wherever it is written out.
func (r reader) addressed(text string, mentions []string) (rest string, yes bool) {
	if rest, ok := strings.CutPrefix(strings.TrimLeftFunc(text, unicode.IsSpace), protocol.MentionToken(userID(r.self))); ok {
		return strings.TrimLeft(rest, ":,：，、 \u3000\n"), true
	}
	full := string(r.self)
	local, _, _ := strings.Cut(strings.TrimPrefix(full, "@"), ":")
	if _, ok := alike.CutPrefix(strings.TrimLeftFunc(text, unicode.IsSpace), alike.Fold(full)); ok {
		if rest, ok := alike.Called(text, true, full); ok {
			return rest, true
		}
	}
	if rest, ok := alike.Called(text, slices.Contains(mentions, full), r.name, full, local); ok {
		return rest, true
	}
	return text, false
}
