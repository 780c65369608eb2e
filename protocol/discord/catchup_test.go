package discord

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"moot/protocol"
)

// TestTheMostRecentConversationsComeFirst where a session was lost, and there are no more than a
// budget of them.
func TestTheMostRecentConversationsComeFirst(t *testing.T) {
	g := &gate{open: make(chan struct{}), cursors: map[string]string{}}
	a, end := alone(nobody{}, g)
	defer end()
	var rooms []protocol.RoomID
	for i := range 10_000 {
		room := directRoom(fmt.Sprint(i + 1))
		rooms = append(rooms, room)
		if i%2 == 0 { // of the others it is not known
			g.cursors[roomCursor(room)] = fmt.Sprintf("s.%d.%d", 20_000-i, 1_000_000+i)
		}
	}
	got := a.mostRecent(rooms)
	if len(got) != maxPrivate {
		t.Fatalf("%d are looked into", len(got))
	}
	for i, room := range got {
		if want := directRoom(fmt.Sprint(9999 - 2*i)); room != want {
			t.Fatalf("number %d is %s, not %s", i, room, want)
		}
	}
}

// reader is a Discord that has one message in each channel, and notes what is read.
type reader struct{ read []string }

func (r *reader) RoundTrip(q *http.Request) (*http.Response, error) {
	r.read = append(r.read, strings.Split(q.URL.Path, "/")[2])
	body := fmt.Sprintf(`[{"id":%q,"type":0,"content":"x","author":{"id":"7"}}]`, snowflakeAt(time.Now()))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "Via": {"1.1 google"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: q}, nil
}

// TestWhatIsReadAfterALostSessionHasABudget: the channels in which somebody wrote last are read, as
// many as the budget of requests allows, and of the others it is said that they are lost.
func TestWhatIsReadAfterALostSessionHasABudget(t *testing.T) {
	discord := &reader{}
	a := New(Config{State: nobody{}, APIURL: "http://discord", Transport: discord, MessageContent: true})
	a.ctx = t.Context()
	now := time.Now()
	c := &discordgo.Guild{ID: "5", OwnerID: "9", Roles: []*discordgo.Role{{ID: "5"}}, JoinedAt: now.Add(-time.Hour)}
	for i, ago := range []time.Duration{3 * time.Minute, time.Minute, 4 * time.Minute, 2 * time.Minute} {
		c.Channels = append(c.Channels, &discordgo.Channel{ID: fmt.Sprint(i + 1), Name: fmt.Sprint("channel ", i+1),
			LastMessageID: snowflakeAt(now.Add(-ago))})
	}
	a.guilds.put(c, "9")
	a.me = "9"
	p := &progress{session: "s", since: snowflakeAt(now.Add(-30 * time.Minute))}
	p.asked.Store(maxRequests - 2)
	evs, gaps := a.missedInGuild(t.Context(), p, c, snowflakeAt(now.Add(-30*time.Minute)))
	if !slices.Equal(discord.read, []string{"2", "4"}) || len(evs) != 2 {
		t.Errorf("it read %v, and has %d messages", discord.read, len(evs))
	}
	if want := []string{"messages in «channel 1»", "messages in «channel 3»"}; !slices.Equal(gaps, want) {
		t.Errorf("lost are %q", gaps)
	}
	if evs := a.missedInPrivate(t.Context(), p, "8"); len(evs) != 1 {
		t.Errorf("of a private conversation beyond the budget there are %d events", len(evs))
	} else if gap, ok := evs[0].Body.(protocol.Gap); !ok || !slices.Equal(gap.Lost, []string{"messages"}) {
		t.Errorf("it is said: %+v", evs[0].Body)
	}
}
