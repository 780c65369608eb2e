package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"maunium.net/go/mautrix"
)

// maxWellKnown is the longest answer of a server about itself in bytes; mautrix has the same limit.
const maxWellKnown = 64 << 10

// discover finds the address of the homeserver: the given one, or the one that the server of that name tells (spec,
// Client-Server API, "Server Discovery"). It makes sure that a Matrix server answers there.
func discover(ctx context.Context, hc *http.Client, homeserver string) (string, error) {
	base, guessed := homeserver, false
	if !strings.Contains(homeserver, "://") {
		told, err := wellKnown(ctx, hc, homeserver)
		if err != nil {
			return "", err
		}
		if base = told; base == "" {
			// The server has nothing to say: "use the default", which is the server itself.
			base, guessed = "https://"+homeserver, true
		}
	}
	base = strings.TrimRight(base, "/")
	err := isHomeserver(ctx, hc, base)
	if f, ok := errors.AsType[*Fault](err); ok && guessed && strings.Contains(f.What, "is no Matrix homeserver") {
		err = &Fault{f.What + ", and " + homeserver + " names no other", nameIt, f.Err}
	}
	return base, err
}

// nameIt is what to do where the name of a server does not lead to its homeserver.
const nameIt = "name the address of the homeserver itself, as in homeserver = \"https://matrix.example.org\" in [matrix]"

// wellKnown asks a server by name for the address of its homeserver; zero means that it does not say.
func wellKnown(ctx context.Context, hc *http.Client, name string) (string, error) {
	host := (&url.URL{Host: name}).Hostname() // the file is served at the host, whatever the port of the server name
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	at := "https://" + host + "/.well-known/matrix/client"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "", &Fault{fmt.Sprintf("%s is not the name of a server", name), "correct homeserver or user in [matrix]", err}
	}
	resp, err := hc.Do(req)
	if err != nil {
		return "", diagnose("https://"+host, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return "", nil
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return "", busy{fmt.Errorf("%w: %s answers %s", ErrUnreachable, at, resp.Status)}
	case resp.StatusCode != http.StatusOK:
		return "", &Fault{fmt.Sprintf("%s does not tell its homeserver: %s answers %s", name, at, resp.Status), nameIt, nil}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxWellKnown+1))
	if err != nil {
		return "", diagnose("https://"+host, err)
	}
	base, err := parseWellKnown(body)
	if err != nil {
		return "", &Fault{fmt.Sprintf("%s does not tell its homeserver: in %s %v", name, at, err), nameIt, nil}
	}
	return base, nil
}

// parseWellKnown finds the address in what a server says about itself.
func parseWellKnown(body []byte) (string, error) {
	var told struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	if len(body) > maxWellKnown {
		return "", fmt.Errorf("there is more than %d bytes", maxWellKnown)
	}
	if err := json.Unmarshal(body, &told); err != nil {
		return "", fmt.Errorf("there is no JSON")
	}
	if told.Homeserver.BaseURL == "" {
		return "", fmt.Errorf("there is no m.homeserver with a base_url")
	}
	u, err := url.Parse(told.Homeserver.BaseURL)
	if err == nil && u.Scheme == "http" {
		// Whoever can change that file, or the way to it, would be given the password. An operator may write http:// themselves.
		return "", fmt.Errorf("base_url begins with http://, over which the bot gives no password")
	}
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("base_url is not the address of a server")
	}
	return u.String(), nil
}

// isHomeserver makes sure that a Matrix server answers at the address.
func isHomeserver(ctx context.Context, hc *http.Client, base string) error {
	cli, err := newClient(hc, base)
	if err != nil {
		return err
	}
	versions, err := cli.Versions(ctx)
	switch {
	case err != nil && strings.Contains(err.Error(), "failed to unmarshal response body"), err == nil && len(versions.Versions) == 0:
		return &Fault{base + " is no Matrix homeserver: it does not say which versions of the protocol it speaks", "correct homeserver in [matrix]", err}
	case err != nil:
		return diagnose(base, err)
	}
	return nil
}

// newClient returns a client that makes each request once.
func newClient(hc *http.Client, base string) (*mautrix.Client, error) {
	cli, err := mautrix.NewClient(base, "", "")
	if err != nil {
		return nil, &Fault{base + " is not the address of a server", "correct homeserver in [matrix]", err}
	}
	stays := *hc
	stays.CheckRedirect, stays.Transport = staysThere, NoNull(hc.Transport)
	cli.Client = &stays
	return cli, nil
}

// staysThere lets a request be led on within one server only. Go would hand the token of the login on to whatever listens under the
// same name, on another port, and in clear where the way there was sealed. The error makes the answer itself the response.
func staysThere(to *http.Request, from []*http.Request) error {
	if at := from[0].URL; to.URL.Scheme != at.Scheme || to.URL.Host != at.Host || len(from) >= 5 {
		return http.ErrUseLastResponse
	}
	return nil
}
