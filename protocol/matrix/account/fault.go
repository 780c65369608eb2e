package account

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"maunium.net/go/mautrix"

	"moot/protocol"
)

// Fault is what keeps the bot from its account, and does not pass by itself.
type Fault struct {
	What string // the matter, a sentence without its full stop
	Do   string // what to do, as an instruction
	Err  error  // the cause, for errors.Is; may be nil. Its text is no part of the sentence
}

// Error says what is the matter and what to do.
func (f *Fault) Error() string { return f.What + "; " + f.Do }

func (f *Fault) Unwrap() error { return f.Err }

// ErrUnreachable is in the chain of the errors that may pass: the server does not answer, or is busy or broken.
var ErrUnreachable = errors.New("the homeserver cannot be reached")

// busy marks an ErrUnreachable of a server that is there: it has answered that it is busy or broken.
type busy struct{ error }

func (b busy) Unwrap() error { return b.error }

// diagnose says of a failed request what is the matter with the server at base. The result is a *Fault, an error with
// ErrUnreachable in it, or that of the context.
func diagnose(base string, err error) error {
	var fault *Fault
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var answer mautrix.HTTPError
	switch {
	case errors.As(err, &fault), errors.Is(err, context.Canceled), errors.Is(err, ErrUnreachable):
		return err
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verify):
		return &Fault{fmt.Sprintf("the certificate of %s is not valid: %s", base, bare(err)), "correct the address of the homeserver, or have its certificate mended; if an authority of your own has signed it, name the file with that in the environment variable SSL_CERT_FILE", err}
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return &Fault{base + " does not speak TLS", "correct the address of the homeserver: one without TLS begins with http://", err}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Fault{fmt.Sprintf("there is no server %s", dns.Name), "correct homeserver or user in [matrix]", err}
	case errors.As(err, &answer) && answer.Response != nil && answer.IsStatus(http.StatusBadRequest) && answer.RespError == nil && strings.HasPrefix(base, "http://"):
		// So servers answer in clear that are written in Go, or stand behind nginx.
		return &Fault{base + " speaks TLS, or is no Matrix homeserver: it answers " + said(answer), "correct the address of the homeserver: one with TLS begins with https://", err}
	case errors.As(err, &answer) && answer.Response != nil && strings.Contains(err.Error(), "failed to read response body"):
		return busy{fmt.Errorf("%w: %s breaks off in the middle of an answer: %s", ErrUnreachable, base, bare(err))}
	case errors.As(err, &answer) && answer.Response != nil:
		return diagnoseAnswer(base, answer)
	case strings.HasPrefix(base, "http://") && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		// So servers end that speak TLS and hear something else; one that is being started may, too.
		return fmt.Errorf("%w: %s hangs up, as a server does that speaks TLS, whose address begins with https://", ErrUnreachable, base)
	}
	return fmt.Errorf("%w: %s: %s", ErrUnreachable, base, bare(err))
}

// diagnoseAnswer is diagnose for what the server has answered.
func diagnoseAnswer(base string, answer mautrix.HTTPError) error {
	code, status := "", answer.Response.StatusCode
	if answer.RespError != nil {
		code = answer.RespError.ErrCode
	}
	switch {
	case code == "M_UNKNOWN_TOKEN", code == "M_MISSING_TOKEN", code == "invalid_grant", code == "invalid_client":
		return &Fault{"the homeserver does not know the login of the bot any more", "log in anew", answer}
	case code == "M_USER_LOCKED":
		return &Fault{"the account of the bot is locked: " + said(answer), "ask those who run the homeserver to unlock it; the bot then goes on by itself", answer}
	case code == "M_USER_DEACTIVATED", code == "M_USER_SUSPENDED":
		return &Fault{"the homeserver has closed the account of the bot: " + said(answer), "ask those who run it, or take another account", answer}
	case status == http.StatusTooManyRequests, status >= 500, code == "M_LIMIT_EXCEEDED":
		return busy{fmt.Errorf("%w: %s answers %s", ErrUnreachable, base, said(answer))}
	case status >= 300 && status < 400:
		to, err := answer.Response.Location()
		if err != nil {
			to = new(url.URL)
		}
		return &Fault{fmt.Sprintf("%s leads on to %s", base, protocol.Quoted(to.Scheme+"://"+to.Host, 100)), "name that as homeserver in [matrix], if it is the server of the account", answer}
	case code == "":
		return &Fault{fmt.Sprintf("%s is no Matrix homeserver: it answers %s", base, said(answer)), "correct homeserver in [matrix]", answer}
	}
	return &Fault{fmt.Sprintf("the homeserver %s refuses: %s", base, said(answer)), "do what it says, or ask those who run it", answer}
}

// said is what a server says about an error, which may be anything, cut to what a line holds.
func said(answer mautrix.HTTPError) string {
	status := fmt.Sprintf("%d %s", answer.Response.StatusCode, http.StatusText(answer.Response.StatusCode))
	if answer.RespError == nil {
		return strings.TrimSpace(status)
	}
	text := protocol.Shorten(protocol.OneLine(answer.RespError.ErrCode+" "+answer.RespError.Err), 200)
	return fmt.Sprintf("%s (%d)", text, answer.Response.StatusCode)
}

// bare is the text of an error of net/http without the method and the address, which is said before it.
func bare(err error) string {
	var answer mautrix.HTTPError
	for errors.As(err, &answer) && answer.WrappedError != nil {
		err, answer = answer.WrappedError, mautrix.HTTPError{}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return protocol.Shorten(protocol.OneLine(err.Error()), 200)
}

// isPassing reports whether a diagnosed error may pass by itself.
func isPassing(err error) bool { return errors.Is(err, ErrUnreachable) }
