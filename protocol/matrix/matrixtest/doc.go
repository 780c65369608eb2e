// Package matrixtest is a homeserver within the test: it speaks the part of the Client-Server API that the adapter uses, over
// HTTP on the loopback interface, behaves as was observed of real ones (replays after a rejoin, timelines that are cut
// short, changes that come only as state), and misbehaves on demand.
//
// People act by the methods of [Server]; the bot acts by HTTP. It carries the keys and secrets of devices without looking
// into them, and does not check who may do what beyond what tests need. Do not rely on it to tell what a real server does.
package matrixtest
