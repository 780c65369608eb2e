// Package protocoltest tests what speaks the words of package protocol.
//
// [Run] is the conformance suite that every adapter passes: it drives a network as people would, by the [Harness] of
// that network, and checks by a recording Admitter what the adapter makes of it. What a network cannot do is left
// out: abilities are small interfaces that a harness may have. A check waits for what must come and never for some
// time to pass; that nothing comes is known from what was said later in the same room.
//
// [Script] is the other side: a scripted network for a bot in a child process, over pipes, that stands SIGKILL of the
// bot at any moment and knows afterwards what people saw.
package protocoltest
