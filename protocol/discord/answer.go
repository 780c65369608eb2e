package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"moot/protocol"
	"moot/protocol/discord/rest"
)

// mentions says who notices a message. Without it Discord would have everybody noticed whom the
// text names.
type mentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users,omitempty"`
	Reply *bool    `json:"replied_user,omitempty"`
}

// content is a message as it is sent.
type content struct {
	Content    string      `json:"content"`
	Mentions   mentions    `json:"allowed_mentions"`
	Components []component `json:"components,omitempty"`
	Flags      int         `json:"flags,omitempty"`
	// Attachments name the files, which go beside the JSON.
	Attachments []attachment `json:"attachments,omitempty"`
	files       []rest.File

	// of a message in a channel
	Nonce     string   `json:"nonce,omitempty"`
	Enforce   bool     `json:"enforce_nonce,omitempty"`
	Reference *replyTo `json:"message_reference,omitempty"`
}

type replyTo struct {
	Message string `json:"message_id"`
	Fail    bool   `json:"fail_if_not_exists"`
}

// answers is the message that this one answers, zero if none.
func (c content) answers() string {
	if c.Reference == nil {
		return ""
	}
	return c.Reference.Message
}

// revision is what an edit sends: without components it takes them away.
type revision struct {
	Content    string      `json:"content"`
	Mentions   mentions    `json:"allowed_mentions"`
	Components []component `json:"components"`
	// Attachments that are left out stay as they are.
	Attachments []attachment `json:"attachments,omitempty"`
}

func (a *Adapter) content(r rendered, controls []protocol.Control, private bool) content {
	c := content{Content: r.Content, Mentions: allow(r.Users), Components: a.rows(controls)}
	if private {
		c.Flags = flagEphemeral
	}
	return c
}

// rows lays controls out, and logs those that cannot be shown.
func (a *Adapter) rows(controls []protocol.Control) []component {
	return layOut(controls, func(c protocol.Control, err error) {
		a.log.Warn("a control was left out", "label", c.Label, "err", err)
	})
}

// allow lets these notice, and nobody else. A hundred is Discord's limit.
func allow(users []string) mentions {
	no := false
	return mentions{Parse: []string{}, Users: users[:min(len(users), 100)], Reply: &no}
}

// errUndeliverable is the cause where there is no way to answer any more.
var errUndeliverable = errors.New("it cannot be delivered any more")

var errManyLate = errors.New("many answers were late, and become private messages one after another")

// answer answers an interaction: to the person alone, or for all to read.
func (a *Adapter) answer(ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt, h handle,
	what words, private bool) (protocol.Ref, error) {
	private = (private || h.Quiet) && h.Guild != "" // a private conversation is private
	pieces := render(what.text)
	if len(pieces) == 0 {
		return protocol.Ref{}, errEmpty
	}
	if err := checkFile(what.file); err != nil {
		return protocol.Ref{}, err
	}
	if time.Since(h.Arrived) > tokenLife {
		return a.tellInstead(ctx, out, attempt, h, what)
	}
	r := a.replies.of(h)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stage == stageUnknown {
		if err := a.probe(ctx, r); err != nil {
			return protocol.Ref{}, a.fault(err)
		}
	}
	last := len(pieces) - 1
	shown := func(n int) content {
		if n < last {
			return a.content(pieces[n], nil, private)
		}
		c := a.content(pieces[n], what.controls, private)
		c.attach(what.file, what.text)
		return c
	}
	m, err := a.answerFirst(ctx, r, out, attempt, shown(0), private)
	if errors.Is(err, errUndeliverable) {
		r.stage = stageDead
		return a.tellInstead(ctx, out, attempt, h, what)
	}
	if err != nil {
		return protocol.Ref{}, err
	}
	a.replies.settled(r)
	parts := []protocol.EventID{messageID(channelOr(m.Channel, h.Channel), m.ID)}
	for n := 1; n <= last; n++ {
		more, err := a.followUp(ctx, r, shown(n))
		if err != nil {
			a.log.Warn("a long answer is not whole", "event", interactionID(h.ID), "piece", n+1, "err", err)
			return protocol.Ref{}, &protocol.SendError{Ambiguous: true,
				Err: fmt.Errorf("its piece %d of %d: %w", n+1, last+1, err)}
		}
		parts = append(parts, messageID(channelOr(more.Channel, h.Channel), more.ID))
	}
	return protocol.PartsRef(roomIn(out, h, m), parts...), nil
}

// answerFirst sends the first piece of an answer in the way that the stage asks for. It is called
// with the mutex held.
func (a *Adapter) answerFirst(ctx context.Context, r *reply, out protocol.Outgoing, attempt protocol.Attempt, c content,
	private bool) (m message, err error) {
	if r.stage == stageFresh {
		m, err = a.callFirst(ctx, r, c)
		switch rest.CodeOf(err) {
		case rest.CodeUnknownInteraction:
			return m, errUndeliverable
		case rest.CodeAlreadyAcknowledged:
			// By a defer, or by this very answer, of which nothing came back. What stands there is
			// replaced.
			r.stage, err = stageDeferred, nil
		default:
			if err != nil {
				r.stage = stageUnknown
				return m, a.fault(retryable(err))
			}
			r.stage, r.first, r.private = stageAnswered, string(out.Key), private
			return m, nil
		}
	}
	switch {
	case r.stage == stageDead:
		return m, errUndeliverable
	case r.stage == stageAnswered && r.stood != nil && r.stood.Content == c.Content && r.stood.carries(c.files):
		m, r.first, r.stood = *r.stood, string(out.Key), nil // this very answer had arrived
		return m, nil
	case r.stage == stageDeferred && r.private == private, r.stage == stageAnswered && r.first == string(out.Key):
		m, err = a.original(ctx, r, http.MethodPatch, revision{c.Content, c.Mentions, rowsOf(c), c.Attachments}, c.files...)
		if gone(err) {
			break // somebody took the acknowledgement away
		}
		if err != nil {
			return m, a.tokenFault(err)
		}
		r.stage, r.first = stageAnswered, string(out.Key)
		return m, nil
	case r.stage == stageDeferred:
		// It was acknowledged for other eyes than the answer is for.
		if _, err := a.original(ctx, r, http.MethodDelete, nil); err != nil && !gone(err) {
			return m, a.tokenFault(err)
		}
	}
	if attempt.N > 1 && !r.tried[string(out.Key)] {
		return m, &protocol.SendError{Ambiguous: true,
			Err: errors.New("the bot was stopped while it answered, and Discord does not tell whether " +
				"the answer stands")}
	}
	r.stage = stageAnswered
	m, err = a.followUp(ctx, r, c)
	if err != nil {
		var e *rest.Error
		if errors.As(err, &e) && !e.Ambiguous {
			if r.tried == nil {
				r.tried = map[string]bool{}
			}
			r.tried[string(out.Key)] = true
		}
		return m, a.tokenFault(err)
	}
	return m, nil
}

// retryable is the error of a first answer without its ambiguity: whether it arrived can be looked
// up.
func retryable(err error) error {
	var e *rest.Error
	if errors.As(err, &e) && e.Ambiguous {
		clear := *e
		clear.Ambiguous = false
		return &clear
	}
	return err
}

// probe finds out how far the answer of an interaction is that another run, or a lost answer, may
// have acknowledged. It is called with the mutex held.
func (a *Adapter) probe(ctx context.Context, r *reply) error {
	m, err := a.original(ctx, r, http.MethodGet, nil)
	switch {
	case err == nil && m.Flags&flagLoading != 0:
		r.stage, r.private = stageDeferred, m.Flags&flagEphemeral != 0
	case err == nil:
		r.stage, r.stood = stageAnswered, &m
	case rest.CodeOf(err) == rest.CodeUnknownMessage:
		r.stage = stageAnswered // it was, and then that was taken away
	case gone(err):
		r.stage = stageFresh // as far as Discord knows
	default:
		return err
	}
	return nil
}

// callFirst sends the first answer and returns the message that it became.
func (a *Adapter) callFirst(ctx context.Context, r *reply, c content) (message, error) {
	var back struct {
		Resource struct {
			Message message `json:"message"`
		} `json:"resource"`
		Interaction struct {
			Message string `json:"response_message_id"`
		} `json:"interaction"`
	}
	err := a.callBack(ctx, r.handle, callback{callbackMessage, c}, &back, "", c.files...)
	m := back.Resource.Message
	if m.ID == "" {
		m.ID = back.Interaction.Message
	}
	if err == nil && !isSnowflake(m.ID) {
		return a.original(ctx, r, http.MethodGet, nil)
	}
	return m, err
}

// original reads, edits or deletes the first answer. All three can be repeated.
func (a *Adapter) original(ctx context.Context, r *reply, method string, body any, files ...rest.File) (m message, err error) {
	q := rest.Request{Method: method, Path: a.webhook(r.handle) + "/messages/@original", Body: body, Files: files}
	if method != http.MethodDelete {
		q.Into = &m
	}
	return m, a.rest.Do(ctx, q)
}

// followUp sends another answer. Discord takes no nonce here, so it cannot be repeated.
func (a *Adapter) followUp(ctx context.Context, r *reply, c content) (m message, err error) {
	return m, a.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, Path: a.webhook(r.handle), Query: url.Values{"wait": {"true"}}, Body: c, Files: c.files, Into: &m,
	})
}

func (a *Adapter) webhook(h handle) string { return "/webhooks/" + a.application() + "/" + h.Token }

// tokenFault is fault, for what was sent by the token of an interaction: where that is over, there
// is another way.
func (a *Adapter) tokenFault(err error) error {
	switch rest.CodeOf(err) {
	case rest.CodeUnknownWebhook, rest.CodeInvalidWebhookToken, rest.CodeUnknownInteraction:
		return errUndeliverable
	}
	return a.fault(err)
}

// gone reports whether Discord knows no such message or webhook.
func gone(err error) bool {
	return rest.StatusOf(err) == http.StatusNotFound
}

// tellInstead answers by a private message, since the interaction cannot be answered any more: only
// what is private, and not too often, since Discord keeps bots that open many conversations from
// opening more. What all were to read is given up.
func (a *Adapter) tellInstead(
	ctx context.Context, out protocol.Outgoing, attempt protocol.Attempt, h handle, what words,
) (protocol.Ref, error) {
	if h.Guild == "" {
		return a.post(ctx, out, attempt, target{channel: h.Channel, room: directRoom(h.Channel)}, what, "")
	}
	if _, private := out.Act.(protocol.Whisper); !private {
		return protocol.Ref{}, final(errUndeliverable)
	}
	if wait := a.replies.late(time.Now()); wait > 0 {
		return protocol.Ref{}, &protocol.SendError{RetryAfter: wait, Err: errManyLate}
	}
	channel, err := a.directWith(ctx, h.User)
	if err != nil {
		return protocol.Ref{}, a.fault(fmt.Errorf("%w: %w", errUndeliverable, err))
	}
	what.text = append(protocol.Join(h.told("answer-from"), "\n"), what.text...)
	return a.post(ctx, out, attempt, target{channel: channel, room: directRoom(channel)}, what, "")
}

func rowsOf(c content) []component {
	if c.Components == nil {
		return []component{}
	}
	return c.Components
}

func channelOr(channel, otherwise string) string {
	if isSnowflake(channel) {
		return channel
	}
	return otherwise
}

// roomIn is the room in which an answer stands.
func roomIn(out protocol.Outgoing, h handle, m message) protocol.RoomID {
	switch {
	case out.Room != "":
		return out.Room
	case h.Guild != "":
		return guildRoom(h.Guild)
	}
	return directRoom(channelOr(m.Channel, h.Channel))
}
