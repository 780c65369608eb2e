// Package homeserver runs a real Matrix homeserver, Dendrite, for tests: a process of its own in a folder of its own, on a
// free port of the loopback interface, that knows nobody at first and federates with nobody.
//
// # Promises
//
//   - It is reachable when [Start] returns, and gone, with its folder, when the test ends: also when the test is killed.
//   - Everybody may register, nobody is limited, and passwords are hashed as cheaply as can be.
package homeserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Name is the name of every server, which its users have behind the colon.
const Name = "moot.test"

// patience is how long a server may take to start and to stop; it takes a second.
const patience = time.Minute

// Server is a running homeserver.
type Server struct {
	URL string // of the client-server API, without a slash at its end
	// Direct is the same without the shield that lets tests kill at any moment: for what is measured.
	Direct string

	shield *shield
	cmd    *exec.Cmd
	log    *os.File
	done   chan struct{} // closed when the process has ended
}

// Start starts a server. The folder is that of its data; the caller removes it after Stop.
func Start(dir string) (*Server, error) {
	bin, err := program()
	if err != nil {
		return nil, err
	}
	// The port may be taken by another between its choice and its use; then another one is chosen.
	for try := 0; ; try++ {
		s, err := startOnce(bin, dir)
		if err == nil || try == 3 {
			return s, err
		}
	}
}

// StartT is Start for a test, which stops it at its end.
func StartT(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// program returns the homeserver, which is built where it is not there yet.
func program() (string, error) {
	_, root, err := Root()
	if err != nil {
		return "", err
	}
	build := exec.Command(filepath.Join(root, "dendrite", "build"))
	var out, errs bytes.Buffer
	build.Stdout, build.Stderr = &out, &errs
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("build the homeserver: %w\n%s", err, errs.String())
	}
	return filepath.Join(strings.TrimSpace(out.String()), "dendrite"), nil
}

// Root returns the folders of moot and of its module of end-to-end tests.
func Root() (moot, e2e string, err error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", "", fmt.Errorf("look for the module: %w", err)
	}
	e2e = filepath.Dir(strings.TrimSpace(string(out)))
	return filepath.Dir(e2e), e2e, nil
}

func startOnce(bin, dir string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := write(dir); err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	s := &Server{Direct: "http://" + address, done: make(chan struct{})}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(bin, "-config", "dendrite.yaml", "-http-bind-address", address, "-https-bind-address", "127.0.0.1:0", "-really-enable-open-registration")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, s.log, s.log
	DieWithParent(s.cmd)
	if err := StartProcess(s.cmd); err != nil {
		return nil, fmt.Errorf("start the homeserver: %w", err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait() // that it was killed is no error, and what else it may say stands in its log
	}()
	if err := s.ready(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.Log())
	}
	if s.shield, s.URL, err = startShield(s.Direct); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// ready waits until the server answers.
func (s *Server) ready() error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get(s.Direct + "/_matrix/client/versions")
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.done:
			return fmt.Errorf("the homeserver has ended at once")
		case <-deadline.C:
			_ = s.cmd.Process.Kill()
			<-s.done
			return fmt.Errorf("the homeserver does not answer: %v", err)
		case <-tick.C:
		}
	}
}

// Stop stops the server.
func (s *Server) Stop() error {
	defer s.log.Close()
	if s.shield != nil {
		s.shield.stop()
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the homeserver was not there any more\n%s", s.Log())
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("the homeserver does not stop")
	}
	return nil
}

// Log returns the end of what the server logged.
func (s *Server) Log() string {
	data, _ := os.ReadFile(s.log.Name())
	if len(data) > 4000 {
		data = data[len(data)-4000:]
	}
	return string(data)
}

// Account is what a registration brings.
type Account struct {
	UserID   string `json:"user_id"`
	Token    string `json:"access_token"`
	DeviceID string `json:"device_id"`
	Password string `json:"-"`
}

// Register makes an account.
func (s *Server) Register(ctx context.Context, name string) (Account, error) {
	a := Account{Password: rand.Text()}
	err := s.post(ctx, "register", "", map[string]any{
		"username": name, "password": a.Password, "auth": map[string]string{"type": "m.login.dummy"},
	}, &a)
	return a, err
}

// Login makes another login of an account, with a device of its own.
func (s *Server) Login(ctx context.Context, a Account) (Account, error) {
	other := Account{Password: a.Password}
	err := s.post(ctx, "login", "", map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": a.UserID}, "password": a.Password,
	}, &other)
	return other, err
}

// ForgetData empties what an account keeps under a type.
func (s *Server) ForgetData(ctx context.Context, a Account, kind string) error {
	return s.call(ctx, http.MethodPut, "user/"+a.UserID+"/account_data/"+kind, a.Token, map[string]any{}, &struct{}{})
}

// LogoutAll ends every login of an account.
func (s *Server) LogoutAll(ctx context.Context, a Account) error {
	var login Account
	err := s.post(ctx, "login", "", map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": a.UserID}, "password": a.Password,
	}, &login)
	if err != nil {
		return err
	}
	return s.post(ctx, "logout/all", login.Token, map[string]any{}, &struct{}{})
}

// post makes a request of the client-server API.
func (s *Server) post(ctx context.Context, path, token string, with, answer any) error {
	return s.call(ctx, http.MethodPost, path, token, with, answer)
}

func (s *Server) call(ctx context.Context, method, path, token string, with, answer any) error {
	body, err := json.Marshal(with)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Direct+"/_matrix/client/v3/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %s %w", path, resp.Status, said, err)
	}
	return json.Unmarshal(said, answer)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// write writes the key and the configuration.
func write(dir string) error {
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // it never fails: crypto/rand says so
	key := pem.EncodeToMemory(&pem.Block{Type: "MATRIX PRIVATE KEY", Headers: map[string]string{"Key-ID": "ed25519:test"}, Bytes: seed})
	if err := os.WriteFile(filepath.Join(dir, "matrix_key.pem"), key, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "dendrite.yaml"), []byte(configuration), 0o600)
}

const configuration = `version: 2
global:
  server_name: ` + Name + `
  private_key: matrix_key.pem
  disable_federation: true
  jetstream: {in_memory: true, storage_path: ./, topic_prefix: Dendrite}
  presence: {enable_inbound: false, enable_outbound: false}
  report_stats: {enabled: false}
app_service_api: {}
client_api:
  registration_disabled: false
  guests_disabled: true
  registration_shared_secret: ""
  rate_limiting: {enabled: false}
federation_api:
  key_perspectives: []
  database: {connection_string: "file:federation.db"}
key_server:
  database: {connection_string: "file:keyserver.db"}
media_api:
  base_path: ./media
  database: {connection_string: "file:media.db"}
mscs:
  mscs: []
  database: {connection_string: "file:mscs.db"}
relay_api:
  database: {connection_string: "file:relay.db"}
room_server:
  database: {connection_string: "file:room.db"}
sync_api:
  search: {enabled: false}
  database: {connection_string: "file:sync.db"}
user_api:
  bcrypt_cost: 4
  account_database: {connection_string: "file:account.db"}
  device_database: {connection_string: "file:device.db"}
tracing: {enabled: false}
logging:
  - {type: std, level: warn}
`
