package discord

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"moot/internal/generation"
	"moot/internal/pause"
	"moot/protocol"
	"moot/protocol/discord/rest"
)

// GenerationCursor is the name of the cursor that says what the data folder has last left on the application. A folder that was
// put back from a backup has none. All processes of a bot share it, as they share the store.
const GenerationCursor = "discord/generation"

// A generation stands in a role connection metadata record of the application, because that is all that a bot may write there
// which nobody sees: records show only in a server that has made the application a verification method of a role, which takes
// a role_connections_verification_url, and moot has none.
// https://discord.com/developers/docs/resources/application-role-connection-metadata
const (
	generationKey  = "moot_generation"
	generationName = "Which data folder of the bot runs"
	// mostRecords is how many records an application can have.
	mostRecords = 5
)

const (
	// claimWithin is for how long a start is held up. Where Discord does not answer by then, it goes on without, and another look
	// makes up for it.
	claimWithin = 10 * time.Second
	// lookEvery is how often a bot that runs looks whether another folder has come. Discord tells nobody of changes there.
	lookEvery = 15 * time.Second
	// lookAgain is when it looks for the first time after it has left something: of two that start at once, one finds here that the
	// other was later. It is also the time between two looks at the least.
	lookAgain = 2 * time.Second
)

// record is one role connection metadata record.
type record struct {
	Type        int    `json:"type"`
	Key         string `json:"key"`
	Name        string `json:"name"`
	Description string `json:"description"`
}

func metadataPath(app string) string { return "/applications/" + app + "/role-connections/metadata" }

// readGeneration returns what stands there, and the records of others.
func readGeneration(ctx context.Context, c *rest.Client, app string) (found generation.Generation, others []json.RawMessage, err error) {
	var records []json.RawMessage
	if err := c.Do(ctx, rest.Request{Method: http.MethodGet, Path: metadataPath(app), Into: &records}); err != nil {
		return found, nil, err
	}
	for _, raw := range records {
		var r record
		if json.Unmarshal(raw, &r) != nil || r.Key != generationKey {
			others = append(others, raw)
		} else if json.Unmarshal([]byte(r.Description), &found) != nil {
			found = generation.Generation{} // nobody here has written that
		}
	}
	return found, others, nil
}

// claimant leaves the generation of this Run on the application, and looks whether another folder leaves a later one. It is
// owned by Run at first, and then by its goroutine.
type claimant struct {
	*Adapter
	app     string // the id of the application; zero where it is not known yet
	claimed bool   // whether something of this Run stands there
	mute    bool   // whether nothing can be left there
	quiet   bool   // whether it was said that Discord does not answer
}

// look does what is to be done next: it claims, or compares. An error of protocol.RetryNever is that this folder is the older one;
// after any other, another look may do better.
func (c *claimant) look(ctx context.Context) error {
	if c.app == "" {
		var app struct{ ID string }
		if err := c.rest.Do(ctx, rest.Request{Method: http.MethodGet, Path: "/applications/@me", Into: &app}); err != nil {
			return err
		}
		c.app = app.ID
	}
	found, others, err := readGeneration(ctx, c.rest, c.app)
	if err != nil {
		return err
	}
	saved, err := c.to.Cursor(GenerationCursor) // after that: another process of the bot may just have left something
	if err != nil {
		return err
	}
	if c.claimed {
		return protocol.Ends(protocol.RetryNever, generation.Parse(saved).Check(found))
	}
	next, err := generation.Next(saved, found)
	if err != nil {
		return protocol.Ends(protocol.RetryNever, err)
	}
	if c.mute || !c.has(0) { // of several processes the one with the first shard claims
		return nil
	}
	if len(others) >= mostRecords {
		c.mute = true
		c.log.Warn("discord: the application has as many role connection metadata records as it can: a copy of the data folder that runs as well would not be noticed")
		return nil
	}
	if err := c.to.Admit(ctx, nil, protocol.Cursor{Name: GenerationCursor, Value: next.Encode()}); err != nil {
		return err
	}
	text, err := json.Marshal(next.Generation)
	if err != nil {
		panic(err) // a number and a text can be encoded
	}
	own, err := json.Marshal(record{Type: 1, Key: generationKey, Name: generationName, Description: string(text)})
	if err != nil {
		panic(err) // so can this
	}
	err = c.rest.Do(ctx, rest.Request{Method: http.MethodPut, Path: metadataPath(c.app), Body: append(others, own)})
	if refuses(err) {
		c.mute = true
		c.log.Warn("discord: nothing can be left on the application: a copy of the data folder that runs as well would not be noticed", "err", err)
		return nil
	}
	c.claimed = err == nil
	return err
}

// refuses reports whether a request is refused for good.
func refuses(err error) bool {
	status := rest.StatusOf(err)
	return status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusUnauthorized && status != http.StatusRequestTimeout
}

// try looks once, and returns an error only where this folder must say nothing.
func (c *claimant) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	err := c.look(ctx)
	switch {
	case err == nil:
		c.quiet = false
	case protocol.RetryOf(err) == protocol.RetryNever:
		return err
	case c.ctx.Err() == nil && !c.quiet && !errors.Is(err, rest.ErrToken): // which the gateway says
		c.quiet = true
		c.log.Warn("discord: it is not known whether a copy of the data folder runs as well; looking again", "err", err)
	}
	return nil
}

// watch looks again and again, until the context ends.
func (c *claimant) watch(ctx context.Context) {
	for wait := lookAgain; pause.Sleep(ctx, lookAgain) == nil; wait = lookEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(wait-lookAgain, 0)):
		case <-c.doubts:
		}
		if err := c.try(ctx); err != nil {
			c.fail(err)
			return
		}
	}
}

// doubt has it looked soon whether another copy of the data folder runs.
func (a *Adapter) doubt() {
	select {
	case a.doubts <- struct{}{}:
	default: // it will be anyway
	}
}
