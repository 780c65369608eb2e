// Package feed is the collector that reads an RSS, Atom or JSON feed: each entry that is new in it is one thing.
//
// # Promises
//
//   - An entry is brought once, by its guid (or, without one, its address, or its title and date), the oldest first. One that is
//     edited is the same.
//   - The first time nothing is brought: what is there is old. So it is where the address of the feed is another than before.
//   - The feed is asked whether it has changed (If-None-Match, If-Modified-Since), not more often than it is to be, and less often the
//     longer that fails. A Retry-After is kept.
//   - What a job has of an entry is bounded: texts are shortened, of a guid that is too long its hash is handed on, and an address that is
//     too long is left out, which is in the log.
//   - It has at most [MaxBody] bytes, comes within half a minute, and leads elsewhere at most five times.
package feed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html"

	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/service"
)

const (
	// MaxBody is how many bytes a feed has at most.
	MaxBody = 8 << 20
	// patience is how long it may take.
	patience = 30 * time.Second
	// remembered is how many entries are remembered that are no longer in the feed.
	remembered = 1000
	// maxEntries is how many entries of a feed are looked at.
	maxEntries = 2000
	// maxSummary is how many characters of a summary are handed on.
	maxSummary = 2000
	// maxGUID, maxLink and maxMark are how many bytes a guid, an address, and what a server knows a version of the feed by may have.
	maxGUID = 500
	maxLink = 2048
	maxMark = 500
)

// Config says what a Collector is.
type Config struct {
	Name, URL string
	// Every is how often the feed is asked.
	Every time.Duration
	Log   *slog.Logger // nil means none
}

// Collector reads a feed.
type Collector struct {
	cfg     Config
	client  *http.Client
	backoff pause.Backoff
}

// New returns a collector.
func New(c Config) (*Collector, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || c.Name == "" || c.Every <= 0 {
		return nil, errors.New("feed: Name, Every or an address that begins with http is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	client := &http.Client{
		Timeout: patience, Transport: http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > 5 {
				return errors.New("it leads elsewhere more than five times")
			}
			return nil
		},
	}
	return &Collector{c, client, pause.Backoff{First: c.Every, Most: max(c.Every, 24*time.Hour)}}, nil
}

// Name implements service.Collector.
func (c *Collector) Name() string { return c.cfg.Name }

// Source implements service.Collector. Its cursor has the address.
func (c *Collector) Source() string { return "feed" }

// state is what is known of the feed. It is the cursor, as JSON.
type state struct {
	URL      string   `json:"url"`
	Tag      string   `json:"tag,omitempty"`
	Modified string   `json:"modified,omitempty"`
	Seen     []string `json:"seen"` // hashes of guids, those of the last time first
}

// entry is what a task is given.
type entry struct {
	Feed      string     `json:"feed"`
	Title     string     `json:"title"`
	Link      string     `json:"link"`
	Author    string     `json:"author,omitempty"`
	Summary   string     `json:"summary,omitempty"`
	Published *time.Time `json:"published,omitempty"`
	GUID      string     `json:"guid"`
}

// Run implements service.Collector.
func (c *Collector) Run(ctx context.Context, to service.Sink) error {
	defer c.client.CloseIdleConnections()
	value, err := to.Cursor()
	if err != nil {
		return err
	}
	var known state
	if value != "" {
		if err := json.Unmarshal([]byte(value), &known); err != nil {
			return fmt.Errorf("read the cursor of the feed: %w", err)
		}
	}
	if known.URL != c.cfg.URL {
		known = state{}
	}
	for failures := 0; ; {
		if err := to.Ready(ctx); err != nil {
			return err
		}
		wait := c.cfg.Every
		next, fresh, err := c.fetch(ctx, known)
		var failed *fetchError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			wait = max(c.backoff.After(failures), failed.after)
			failures++
			c.cfg.Log.Warn("a feed could not be read", "url", c.cfg.URL, "err", err, "again in", wait.Round(time.Second))
		case err != nil:
			return err
		default:
			failures = 0
			if err := c.bring(ctx, to, &known, next, fresh); err != nil {
				return err
			}
		}
		if err := pause.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// bring brings what is new, and makes durable what is known now.
func (c *Collector) bring(ctx context.Context, to service.Sink, known *state, next state, fresh []service.Item) error {
	was, err := json.Marshal(*known)
	if err != nil {
		return err
	}
	is, err := json.Marshal(next)
	if err != nil {
		return err
	}
	switch {
	case len(fresh) > 0:
		fresh[len(fresh)-1].Cursor = string(is)
		err = to.Bring(ctx, fresh)
	case !bytes.Equal(was, is):
		err = to.Mark(ctx, string(is))
	}
	if err == nil {
		*known = next
	}
	return err
}

// fetchError is why a feed could not be read, and how long it is to be left alone.
type fetchError struct {
	err   error
	after time.Duration
}

func (e *fetchError) Error() string { return e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

// fetch asks for the feed. It returns what is known then, and what is new, the oldest first.
func (c *Collector) fetch(ctx context.Context, known state) (state, []service.Item, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.URL, nil)
	if err != nil {
		return known, nil, err
	}
	req.Header.Set("User-Agent", "moot (+feed)")
	req.Header.Set("Accept", "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5")
	if known.Tag != "" {
		req.Header.Set("If-None-Match", known.Tag)
	}
	if known.Modified != "" {
		req.Header.Set("If-Modified-Since", known.Modified)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return known, nil, &fetchError{err: err}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return known, nil, nil
	case resp.StatusCode != http.StatusOK:
		return known, nil, &fetchError{fmt.Errorf("it answered %s", resp.Status), retryAfter(resp.Header)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		err = fmt.Errorf("it has more than %d MiB", MaxBody>>20)
	}
	if err != nil {
		return known, nil, &fetchError{err: err}
	}
	feed, err := gofeed.NewParser().Parse(bytes.NewReader(body))
	if err != nil {
		return known, nil, &fetchError{err: fmt.Errorf("it is no feed: %w", err)}
	}
	next := state{URL: c.cfg.URL, Tag: mark(resp.Header.Get("ETag")), Modified: mark(resp.Header.Get("Last-Modified"))}
	items := c.news(feed, known, &next)
	return next, items, nil
}

// mark returns what a server knows a version of the feed by, and nothing where that is too long to be kept.
func mark(s string) string {
	if len(s) > maxMark {
		return ""
	}
	return s
}

// retryAfter is how long a server wants to be left alone, at most a day.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	seconds, err := strconv.Atoi(value)
	if at, bad := http.ParseTime(value); bad == nil { // the other form of it (RFC 9110, section 10.2.3)
		seconds, err = int(min(time.Until(at), 24*time.Hour)/time.Second), nil
	}
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 86400))*time.Second, 24*time.Hour)
}

// news returns what is new in a feed, the oldest first, and notes in the state what is there.
func (c *Collector) news(feed *gofeed.Feed, known state, next *state) (items []service.Item) {
	first := known.URL == ""
	old := map[string]bool{}
	for _, s := range known.Seen {
		old[s] = true
	}
	here, long := map[string]bool{}, 0
	for _, it := range feed.Items[:min(len(feed.Items), maxEntries)] {
		guid := guidOf(it)
		hash := hashOf(guid)
		if here[hash] {
			continue // it stands there twice
		}
		here[hash] = true
		next.Seen = append(next.Seen, hash)
		if first || old[hash] {
			continue
		}
		e := entry{
			Feed: plain(feed.Title, 200), Title: plain(it.Title, 300), Link: it.Link, Summary: plain(it.Description, maxSummary),
			Published: it.PublishedParsed, GUID: guid,
		}
		if len(guid) > maxGUID || len(it.Link) > maxLink {
			long++
		}
		if len(guid) > maxGUID {
			sum := sha256.Sum256([]byte(guid))
			e.GUID = "sha256:" + hex.EncodeToString(sum[:])
		}
		if len(it.Link) > maxLink {
			e.Link = ""
		}
		if e.Summary == "" {
			e.Summary = plain(it.Content, maxSummary)
		}
		if len(it.Authors) > 0 && it.Authors[0] != nil {
			e.Author = plain(it.Authors[0].Name, 100)
		}
		data, err := json.Marshal(e)
		if err != nil { // its date is beyond what JSON knows
			e.Published = nil
			if data, err = json.Marshal(e); err != nil {
				c.cfg.Log.Warn("an entry of a feed cannot be encoded", "url", c.cfg.URL, "err", err)
				continue
			}
		}
		items = append(items, service.Item{
			ID: protocol.EventID("entry/" + protocol.DeriveKey(c.cfg.URL, guid)), Collected: protocol.Collected{Kind: "feed", Text: e.Title, Data: data},
		})
	}
	if long > 0 {
		c.cfg.Log.Warn("entries of a feed have a guid or an address that is too long to be handed on", "url", c.cfg.URL, "entries", long)
	}
	gone := 0
	for _, s := range known.Seen {
		if !here[s] && gone < remembered {
			next.Seen = append(next.Seen, s)
			gone++
		}
	}
	slices.Reverse(items)
	return items
}

// guidOf returns by what an entry is known.
func guidOf(it *gofeed.Item) string {
	switch {
	case strings.TrimSpace(it.GUID) != "":
		return strings.TrimSpace(it.GUID)
	case it.Link != "":
		return it.Link
	}
	return it.Title + "\n" + it.Published
}

func hashOf(guid string) string {
	sum := sha256.Sum256([]byte(guid))
	return hex.EncodeToString(sum[:8])
}

// plain returns the words of a text that may be HTML.
func plain(s string, most int) string {
	z := html.NewTokenizer(strings.NewReader(s))
	var out strings.Builder
	for skip := 0; ; {
		switch z.Next() {
		case html.ErrorToken:
			return protocol.Shorten(strings.Join(strings.Fields(out.String()), " "), most)
		case html.TextToken:
			if skip == 0 {
				out.Write(z.Text())
			}
		case html.StartTagToken:
			if name, _ := z.TagName(); string(name) == "script" || string(name) == "style" {
				skip++
			} else {
				out.WriteByte(' ')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "script" || string(name) == "style" {
				skip = max(0, skip-1)
			} else {
				out.WriteByte(' ')
			}
		}
	}
}
