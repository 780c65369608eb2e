package discord

import (
	"errors"
	"fmt"

	"moot/protocol"
	"moot/protocol/discord/gateway"
	"moot/protocol/discord/rest"
)

// ending says of an error of Run whether another one can help, and what the operator can do.
func (a *Adapter) ending(err error) error {
	f, fatal := errors.AsType[*gateway.FatalError](err)
	switch {
	case fatal:
		retry := protocol.RetrySlowly
		if f.Code >= 4010 && f.Code <= 4013 { // shards, version and intents are of this process
			retry = protocol.RetryNever
		}
		if do := a.remedy(f.Code); !errors.Is(err, rest.ErrToken) {
			err = fmt.Errorf("%s (%w)", do, err)
		}
		return protocol.Ends(retry, err)
	case errors.Is(err, rest.ErrToken):
		return protocol.Ends(protocol.RetrySlowly, err)
	}
	return err
}

// remedy is what to change after the gateway has closed the connection with a code, in one sentence.
// https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
func (a *Adapter) remedy(code int) string {
	switch code {
	case 4004:
		return rest.ErrToken.Error()
	case 4010:
		return fmt.Sprintf("Discord does not accept the shards: set shards in [discord] to 0, so that Discord says how "+
			"many there are, instead of %d", a.count.Load())
	case 4011:
		return fmt.Sprintf("the bot is in too many servers for %d shards: set shards in [discord] to 0, so that Discord "+
			"says how many are needed", a.count.Load())
	case 4012:
		return "Discord no longer speaks version 10 of its gateway: install a newer moot, or see which proxy gateway_url in " +
			"[discord] names"
	case 4013:
		return fmt.Sprintf("Discord does not know one of the intents in %d: install a newer moot", Intents(a.cfg.MessageContent))
	case 4014:
		also := ""
		if a.cfg.MessageContent {
			also = " or “Message Content Intent”"
		}
		return "Discord does not allow this bot “Server Members Intent”" + also + ": switch it on at " + rest.Portal +
			" → your application → Bot → Privileged Gateway Intents, and save"
	}
	return fmt.Sprintf("Discord has closed the connection for good, with code %d", code)
}
