package page

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"moot/internal/inspect"
	"moot/outbox"
	"moot/protocol"
	"moot/rooms"
	"moot/store"
)

// isQuestion reports whether an error says, for people, that there is no answer.
func isQuestion(err error) bool { return errors.Is(err, inspect.ErrNotFound) }

// private reports whether a room is a private conversation; one that is not known may be.
func private(tx *store.Tx, room protocol.RoomID) bool {
	info, ok := rooms.Get(tx, room)
	return !ok || info.Private
}

// sending is something that waits to be sent, or was.
type sending struct {
	inspect.Sending
	Where string
}

func (p *Page) outbox(*http.Request) (view, error) {
	page, err := p.Inspector.Outbox(inspect.OutboxQuery{})
	if err != nil {
		return view{}, err
	}
	var data struct {
		Waiting, Ended         []sending
		MoreWaiting, MoreEnded bool
	}
	data.MoreWaiting, data.MoreEnded = page.MoreWaiting, page.MoreEnded
	err = p.Inspector.Store.View(func(tx *store.Tx) error {
		named := func(all []inspect.Sending) (out []sending) {
			for _, s := range all {
				where := "a private conversation"
				room := outbox.LaneRoom(s.Lane)
				if !private(tx, room) {
					info, _ := rooms.Get(tx, room)
					where = protocol.OneLine(info.Title())
				}
				if name, is := room.Network().Service(); is {
					where, s.Reason = "the service "+name, "" // a task writes what it likes, also of a private conversation: the jobs show it
				}
				s.Reason = protocol.Shorten(protocol.OneLine(s.Reason), 200)
				out = append(out, sending{s, where})
			}
			return out
		}
		data.Waiting, data.Ended = named(page.Waiting), named(page.Ended)
		return nil
	})
	return view{Title: "Outbox", Template: "outbox.html", Data: data}, err
}

// letter is a dead letter. Of one from a private conversation only that it is there is shown.
type letter struct {
	inspect.Letter
	Private bool
}

func (p *Page) dead(r *http.Request) (view, error) {
	after, _ := strconv.ParseUint(r.FormValue("after"), 10, 64)
	page, err := p.Inspector.Dead(after)
	if err != nil {
		return view{}, err
	}
	var data struct {
		Letters []letter
		After   uint64 // of the next page; zero where there is none
	}
	err = p.Inspector.Store.View(func(tx *store.Tx) error {
		for _, l := range page.Letters {
			one := letter{Letter: l, Private: private(tx, l.Event.Room)}
			if one.Private {
				one.Event, one.Sender, one.Error = inspect.Ref{}, "", ""
			}
			one.Error = protocol.Shorten(protocol.OneLine(one.Error), 300)
			data.Letters = append(data.Letters, one)
		}
		return nil
	})
	if page.More {
		data.After = page.Letters[len(page.Letters)-1].ID
	}
	return view{Title: "Dead letters", Template: "dead.html", Data: data}, err
}

// changeDead has a dead letter tried again, or lets go of it.
func (p *Page) changeDead(w http.ResponseWriter, r *http.Request, s *session) {
	id, err := strconv.ParseUint(r.PostFormValue("id"), 10, 64)
	said := ""
	switch do := r.PostFormValue("do"); {
	case err != nil || do != "retry" && do != "drop":
		p.Write(w, http.StatusBadRequest, s, view{Title: "Not understood", Template: "refused.html", Data: "This was no question of this page."})
		return
	case do == "retry":
		said, err = p.retry(r, id)
	default:
		if err = p.Drop(r.Context(), id); err == nil {
			said = "Dead letter " + strconv.FormatUint(id, 10) + " is gone. Its event stays recorded as failed."
		}
	}
	if err != nil {
		p.refuse(w, s, err)
		return
	}
	p.Log.Info("a dead letter was seen to on the page", "letter", id, "do", r.PostFormValue("do"))
	s.Say(said)
	http.Redirect(w, r, "/dead", http.StatusSeeOther)
}

// retry has a dead letter tried again. Why it failed again is not said of one from a private conversation.
func (p *Page) retry(r *http.Request, id uint64) (string, error) {
	said, err := p.Retry(r.Context(), id)
	if err != nil {
		return "", err
	}
	hide := false
	err = p.Inspector.Store.View(func(tx *store.Tx) error {
		l, ok := tx.Letter(id)
		hide = ok && private(tx, l.Event.Room)
		return nil
	})
	if before, _, found := strings.Cut(said, ":"); hide && found {
		said = before + "."
	}
	return said, err
}

func (p *Page) events(r *http.Request) (view, error) {
	data := struct {
		Room, Event, Outcome string
		Outcomes             []string
		Rooms                []roomRow // to choose from
		Found                []inspect.SeenEvent
		Next                 string // of an older page; empty where there is none
		Refused              string
		Why                  *inspect.Why
	}{
		Room: strings.TrimSpace(r.FormValue("room")), Event: strings.TrimSpace(r.FormValue("event")), Outcome: r.FormValue("outcome"),
		Outcomes: []string{"handled", "ignored", "refused", "failed", "waiting"},
	}
	err := p.Inspector.Store.View(func(tx *store.Tx) error {
		for info := range rooms.All(tx) {
			if !info.Private && info.Joined() {
				data.Rooms = append(data.Rooms, rowOf(info))
			}
			if len(data.Rooms) == listed {
				break
			}
		}
		return nil
	})
	if err != nil {
		return view{}, err
	}
	switch {
	case data.Event != "":
		var why inspect.Why
		if why, err = p.Inspector.Why(inspect.WhyQuery{Room: data.Room, Event: data.Event}); err == nil {
			if err = p.public(why.Event.Room); err == nil {
				data.Why = &why
			}
		}
	case data.Room != "":
		q := inspect.SeenQuery{Room: data.Room, Outcome: data.Outcome, Backward: true, Limit: 100}
		if at, event, ok := strings.Cut(r.FormValue("before"), " "); ok {
			nanos, _ := strconv.ParseInt(at, 10, 64)
			q.Before = inspect.SeenPlace{Time: time.Unix(0, nanos).UTC(), Event: protocol.EventID(event)}
		}
		var page inspect.SeenPage
		if page, err = p.Inspector.Seen(q); err == nil {
			err = p.public(page.Room)
		}
		if err == nil {
			data.Found = page.Events
			if page.More {
				data.Next = strconv.FormatInt(page.Last.Time.UnixNano(), 10) + " " + string(page.Last.Event)
			}
		}
	}
	switch {
	case errors.Is(err, inspect.ErrAmbiguous): // its text may name private conversations
		data.Refused, err = "Several rooms are meant. Name one by its id.", nil
	case isQuestion(err):
		data.Refused, err = err.Error(), nil
	}
	return view{Title: "Events", Template: "events.html", Data: data}, err
}

// public refuses a private conversation.
func (p *Page) public(room protocol.RoomID) error {
	return p.Inspector.Store.View(func(tx *store.Tx) error {
		if private(tx, room) {
			return question("This belongs to a private conversation, of which nothing is shown here. `moot why` tells what became of it.")
		}
		return nil
	})
}
