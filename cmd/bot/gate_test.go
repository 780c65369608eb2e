//go:build unix

package main

import (
	"net"
	"sync"
	"testing"
)

// gate is the way to a server, which a test shuts and opens. While it is shut, what was sent waits in it, as in a network that is cut
// off: it arrives when the gate is opened, also what was sent by a process that has gone meanwhile.
type gate struct {
	Address string

	t  testing.TB
	l  net.Listener
	to string
	of logServer // whose appends are counted; zero counts none

	mu      sync.Mutex
	passing chan struct{} // closed while the gate is open
	waiting int           // appends that wait in it
	late    int           // appends that were refused
	conns   map[net.Conn]bool
	all     sync.WaitGroup
}

func newGate(t testing.TB, to string, of logServer) *gate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Address: l.Addr().String(), t: t, l: l, to: to, of: of, passing: make(chan struct{}), conns: map[net.Conn]bool{}}
	close(g.passing)
	g.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.all.Go(func() { g.carry(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		g.open()
		g.mu.Lock()
		for c := range g.conns {
			c.Close()
		}
		g.conns = nil
		g.mu.Unlock()
		g.all.Wait()
	})
	return g
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.passing:
		g.passing = make(chan struct{})
	default:
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.passing:
	default:
		close(g.passing)
	}
}

// pass waits until the gate is open.
func (g *gate) pass(change bool) {
	g.mu.Lock()
	passing := g.passing
	if change {
		g.waiting++
	}
	g.mu.Unlock()
	<-passing
	if change {
		g.mu.Lock()
		g.waiting--
		g.mu.Unlock()
	}
}

// holds returns how many appends wait in the gate.
func (g *gate) holds() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// tooLate returns how many appends came too late so far.
func (g *gate) tooLate() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.late
}

// add keeps a connection, so that the end of the test ends it.
func (g *gate) add(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns == nil {
		c.Close()
		return false
	}
	g.conns[c] = true
	return true
}

func (g *gate) drop(c net.Conn) {
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
	c.Close()
}

// carry carries one connection.
func (g *gate) carry(client net.Conn) {
	if !g.add(client) {
		return
	}
	defer g.drop(client)
	g.pass(false)
	server, err := net.Dial("tcp", g.to)
	if err != nil {
		return // it is not there
	}
	if !g.add(server) {
		return
	}
	defer g.drop(server)
	var last struct {
		sync.Mutex
		append bool // whether the request is one
	}
	var both sync.WaitGroup
	both.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if n > 0 {
				is := g.of.append != nil && g.of.append(buf[:n])
				last.Lock()
				last.append = is
				last.Unlock()
				g.pass(is)
				if _, err := server.Write(buf[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		g.pass(false) // the end comes as late as all the rest
		if c, ok := server.(*net.TCPConn); ok {
			_ = c.CloseWrite() // the server may have ended it
		}
	})
	both.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 {
				last.Lock()
				late := last.append && g.of.refused(buf[:n])
				last.Unlock()
				if late {
					g.mu.Lock()
					g.late++
					g.mu.Unlock()
				}
				g.pass(false)
				if _, err := client.Write(buf[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		g.pass(false)
		client.Close()
		server.Close()
	})
	both.Wait()
}
