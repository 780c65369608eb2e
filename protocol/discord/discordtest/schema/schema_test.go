package schema_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"moot/protocol/discord/discordtest/schema"
)

const document = `{"openapi": "3.1.0", "info": {"title": "t", "version": "10"}, "paths": {
	"/things/{id}": {
		"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[0-9]+$"}}],
		"get": {"parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}],
			"responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}}}}},
		"put": {"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}, "responses": {"204": {"description": "ok"}}}},
	"/things/@me": {"get": {"responses": {"204": {"description": "ok"}}}}},
	"components": {"schemas": {
		"Thing": {"type": "object", "properties": {"name": {"type": ["string", "null"]}, "parts": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]}}, "free": {"type": "object", "additionalProperties": true}}},
		"A": {"type": "object", "required": ["type"], "properties": {"type": {"type": "integer", "enum": [1]}, "a": {"type": "string"}}},
		"B": {"type": "object", "required": ["type"], "properties": {"type": {"type": "integer", "enum": [2]}, "b": {"type": "string"}}}}}}`

func load(t *testing.T) *schema.Document {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := schema.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func request(t *testing.T, method, path string, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://localhost/api/v10"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func TestRequests(t *testing.T) {
	d := load(t)
	for _, c := range []struct{ method, path, body, fault string }{
		{"GET", "/things/1", "", ""},
		{"GET", "/things/1?limit=3", "", ""},
		{"GET", "/things/1?limit=300", "", "limit"},
		{"GET", "/things/1?limits=3", "", `the query parameter "limits" is unknown`},
		{"GET", "/things/one", "", "id"},
		{"GET", "/things/@me", "", ""},
		{"GET", "/things", "", schema.ErrUnknownRoute.Error()},
		{"DELETE", "/things/1", "", schema.ErrUnknownRoute.Error()},
		{"PUT", "/things/1",
			`{"name": null, "parts": [{"type": 1, "a": "x"}, {"type": 2, "b": "x"}], "free": {"x": 1}}`, ""},
		{"PUT", "/things/1", `{"names": "x"}`, "names"},
		{"PUT", "/things/1", `{"name": 3}`, "name"},
		{"PUT", "/things/1", `{"parts": [{"type": 1, "b": "x"}]}`, "parts"},
		{"PUT", "/things/1", `{`, "body"},
	} {
		path, _, _ := strings.Cut(c.path, "?")
		err := d.Request(request(t, c.method, c.path, c.body), path, []byte(c.body))
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s %s %s: %v", c.method, c.path, c.body, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s %s %s: %v, want %s", c.method, c.path, c.body, err, c.fault)
		}
	}
	if err := d.Request(request(t, "GET", "/nothing", ""), "/nothing", nil); !errors.Is(err, schema.ErrUnknownRoute) {
		t.Errorf("an unknown route: %v", err)
	}
}

func TestResponses(t *testing.T) {
	d := load(t)
	h := http.Header{"Content-Type": {"application/json"}}
	r := request(t, "GET", "/things/1", "")
	if err := d.Response(r, "/things/1", 200, h, []byte(`{"id": "1", "more": 2}`)); err != nil {
		t.Error(err)
	}
	if err := d.Response(r, "/things/1", 200, h, []byte(`{"more": 2}`)); err == nil {
		t.Error("an answer without its required field passes")
	}
	if err := d.Response(r, "/things/1", 201, h, []byte(`{"id": "1"}`)); err == nil {
		t.Error("a status that is not described passes")
	}
}

// TestDiscordsOwn holds the real document, where it is at hand, to what the package says of it.
func TestDiscordsOwn(t *testing.T) {
	path := os.Getenv("MOOT_DISCORD_OPENAPI")
	if path == "" {
		t.Skip("$MOOT_DISCORD_OPENAPI is not set: Discord's own document was not tried")
	}
	d, err := schema.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	const messages = "/channels/1/messages"
	for _, c := range []struct {
		method, path, body string
		ok                 bool
	}{
		{"POST", messages, `{"content": "hi", "nonce": "n", "enforce_nonce": true, "allowed_mentions": {"parse": []}}`,
			true},
		{"POST", messages, `{"content": "hi", "contents": "hi"}`, false},
		{"POST", messages,
			`{"content": "hi", "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "y"}]}]}`, true},
		{"POST", messages,
			`{"content": "hi", "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "x", "custom_id": "` + strings.Repeat("y", 101) + `"}]}]}`, false},
		{"GET", messages + "?limit=100&after=1", "", true},
		{"GET", messages + "?limit=500", "", false},
		{"GET", messages + "?from=1", "", false},
		{"PUT", "/guilds/1/bans/2", `{"delete_message_seconds": 0}`, true},
		{"PUT", "/guilds/1/bans/2?reason=x", "", false},
	} {
		path, _, _ := strings.Cut(c.path, "?")
		if err := d.Request(request(t, c.method, c.path, c.body), path, []byte(c.body)); (err == nil) != c.ok {
			t.Errorf("%s %s %.100s: %v", c.method, c.path, c.body, err)
		}
	}
}
