// Package sealed keeps the events that cannot be read yet, because the key to them has not come.
//
// # Promises
//
//   - Such an event is kept as it came until its key comes, [Wait] has passed with the network in reach, [Lost] has passed
//     without, or the bot leaves the room. It is then gone from here, in the commit that gives it its disposition.
//   - At most [MaxRoom] events of one room wait; those that come when it is full are not kept.
//   - When events end without their key, their room is told in one message that names who wrote them, and nobody is named
//     again within [Silence].
//
// The bytes: bucket "sealed", room ␟ event → time since when it waits, then the event as JSON; bucket "sealed-told",
// room ␟ user → time when the room was told of them last; bucket "sealed-reach", network and a colon → time since when the
// network is in reach, absent while it is not.
package sealed
