// Package schema checks what a bot asks of Discord against Discord's own description of its API, an
// OpenAPI document, more strictly than the document does: a field that a schema does not name, and
// a query parameter that an operation does not name, are faults, since Discord drops both without a
// word and leaves the bot to wonder.
//
// Only tests import it. The document is not part of this repository; where it is found is for the
// caller to say.
package schema

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// ErrUnknownRoute says that Discord has no such operation.
var ErrUnknownRoute = errors.New("no such operation")

// Document is Discord's description, made strict. It is safe for concurrent use.
type Document struct {
	doc    *openapi3.T
	routes []route

	mu sync.Mutex // the validator of JSON Schema keeps what it has compiled
}

type route struct {
	template string
	segments []string
	item     *openapi3.PathItem
}

var (
	loading sync.Mutex
	loaded  = map[string]*Document{}
)

// Load reads the document, once per process and path.
func Load(path string) (*Document, error) {
	loading.Lock()
	defer loading.Unlock()
	if d := loaded[path]; d != nil {
		return d, nil
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("the OpenAPI document: %w", err)
	}
	mend(doc)
	d := &Document{doc: doc}
	seen := map[*openapi3.Schema]bool{}
	for template, item := range doc.Paths.Map() {
		d.routes = append(d.routes, route{template, strings.Split(template, "/"), item})
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				for _, media := range op.RequestBody.Value.Content {
					strict(media.Schema, seen)
				}
			}
		}
	}
	loaded[path] = d
	return d, nil
}

// mend changes what the document says wrongly. It has a number for what the documentation
// ("Application Command Object") and the answers of the API have as a string of bits. And the
// validator cannot read a number in a query of which the alternatives have no type of their own.
func mend(doc *openapi3.T) {
	if doc.Components == nil {
		return
	}
	for _, s := range doc.Components.Schemas {
		if p := s.Value.Properties["default_member_permissions"]; p != nil && p.Value != nil {
			p.Value.Type, p.Value.Min, p.Value.Max = &openapi3.Types{"string", "null"}, nil, nil
		}
	}
	if r := doc.Components.Schemas["ReactionTypes"]; r != nil && r.Value != nil {
		for _, one := range r.Value.OneOf {
			r.Value.Enum = append(r.Value.Enum, one.Value.Const)
		}
		r.Value.OneOf = nil
	}
}

// strict forbids, within a schema, the fields that it does not name. A schema that is put together
// of several is left as it is, because each of them would forbid the fields of the others.
func strict(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
	for _, p := range s.Properties {
		strict(p, seen)
	}
	strict(s.Items, seen)
	strict(s.AdditionalProperties.Schema, seen)
	for _, list := range []openapi3.SchemaRefs{s.OneOf, s.AnyOf} {
		for _, p := range list {
			strict(p, seen)
		}
	}
}

// find returns the operation of a path below the version, preferring the template with the most
// literal segments.
func (d *Document) find(method, path string) (*routers.Route, map[string]string, error) {
	segments := strings.Split(path, "/")
	var best *routers.Route
	var params map[string]string
	literals := -1
	for _, r := range d.routes {
		if len(r.segments) != len(segments) {
			continue
		}
		n, found := 0, map[string]string{}
		for i, s := range r.segments {
			if name, ok := strings.CutPrefix(s, "{"); ok && segments[i] != "" {
				value, err := url.PathUnescape(segments[i])
				if err != nil {
					n = -1
					break
				}
				found[strings.TrimSuffix(name, "}")] = value
			} else if s == segments[i] {
				n++
			} else {
				n = -1
				break
			}
		}
		if n <= literals {
			continue
		}
		if op := r.item.GetOperation(method); op != nil {
			best, params, literals = &routers.Route{Spec: d.doc, Path: r.template, PathItem: r.item, Method: method,
				Operation: op}, found, n
		}
	}
	if best == nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, path, ErrUnknownRoute)
	}
	return best, params, nil
}

func options() *openapi3filter.Options {
	return &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		RejectWhenRequestBodyNotSpecified: true}
}

// Request checks a request: its method and path (below the version), its query and its body.
func (d *Document) Request(req *http.Request, path string, body []byte) error {
	input, err := d.input(req, path, body)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, list := range []openapi3.Parameters{input.Route.PathItem.Parameters, input.Route.Operation.Parameters} {
		for _, p := range list {
			known[p.Value.In+" "+p.Value.Name] = true
		}
	}
	for name := range req.URL.Query() {
		if !known["query "+name] {
			return fmt.Errorf("%s %s: the query parameter %q is unknown", req.Method, path, name)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
		return fmt.Errorf("%s %s: %s", req.Method, path, brief(err))
	}
	return nil
}

// brief is what an error of the validator says, without the schemas and values that it repeats.
func brief(err error) string {
	parts := strings.Split(err.Error(), " | ")
	for i, p := range parts {
		p, _, _ = strings.Cut(p, "\nSchema:")
		p, _, _ = strings.Cut(p, "\n  Schema:")
		parts[i] = strings.TrimSpace(p)
	}
	return strings.Join(parts, " | ")
}

// Response checks an answer to the request.
func (d *Document) Response(req *http.Request, path string, status int, header http.Header, body []byte) error {
	input, err := d.input(req, path, nil)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	opts := options()
	opts.IncludeResponseStatus = true
	err = openapi3filter.ValidateResponse(context.Background(),
		&openapi3filter.ResponseValidationInput{RequestValidationInput: input,
			Status: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Options: opts})
	if err != nil {
		return fmt.Errorf("%s %s: the answer %d: %s", req.Method, path, status, brief(err))
	}
	return nil
}

func (d *Document) input(req *http.Request, path string, body []byte) (*openapi3filter.RequestValidationInput, error) {
	r, params, err := d.find(req.Method, path)
	if err != nil {
		return nil, err
	}
	clone := req.Clone(context.Background())
	clone.Body = http.NoBody
	if len(body) > 0 {
		clone.Body = io.NopCloser(bytes.NewReader(body))
		clone.ContentLength = int64(len(body))
	}
	// The document asks for a body where Discord takes none: a ban, for one, has only optional
	// fields.
	opts := options()
	if len(body) == 0 && r.Operation.RequestBody != nil {
		opts.ExcludeRequestBody = true
	}
	return &openapi3filter.RequestValidationInput{Request: clone, PathParams: params, QueryParams: req.URL.Query(),
		Route: r, Options: opts}, nil
}
