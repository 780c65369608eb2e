package redis

import goredis "github.com/redis/go-redis/v9"

// What scripts say.
const (
	saidFenced = "fenced"
	saidHeld   = "held"
	saidGap    = "gap"
	saidOther  = "other"
)

// Keys: lead, log. The clock is the server's, in milliseconds.
const scriptNow = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

// scriptFull lets a script write also where the memory of the server is full: one whose first write takes no memory goes on, as
// Redis says in its introduction to scripts. Who leads is decided then too; it is what appends that is refused.
const scriptFull = `redis.call('PERSIST', KEYS[1])
`

var (
	// leadScript: node, ttl → term.
	leadScript = goredis.NewScript(scriptNow + scriptFull + `
if tonumber(redis.call('HGET', KEYS[1], 'until') or '0') > now then return redis.error_reply('` + saidHeld + `') end
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'until', string.format('%d', now + ARGV[2]))
return redis.call('HINCRBY', KEYS[1], 'term', 1)`)

	// renewScript: term, ttl.
	renewScript = goredis.NewScript(scriptNow + scriptFull + `
if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('` + saidFenced + `') end
redis.call('HSET', KEYS[1], 'until', string.format('%d', now + ARGV[2]))
return 1`)

	// releaseScript: term.
	releaseScript = goredis.NewScript(scriptFull + `
if redis.call('HGET', KEYS[1], 'term') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', '0') end
return 1`)

	// standScript → term, node, whether the lease runs, identity, base, last.
	standScript = goredis.NewScript(scriptNow + `
local h = redis.call('HMGET', KEYS[1], 'term', 'node', 'until', 'identity', 'base', 'last')
for i = 1, 6 do h[i] = h[i] or '' end
if tonumber(h[3] == '' and '0' or h[3]) > now then h[3] = '1' else h[3] = '' end
return h`)

	// appendScript: term, number, number before it, body. It also writes where the change is there already, so that
	// whoever waits for replicas waits for something.
	appendScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('` + saidFenced + `') end
local last = redis.call('HGET', KEYS[1], 'last')
if last == ARGV[2] then
	local entry = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
	if entry and entry[2][2] == ARGV[4] then
		redis.call('HSET', KEYS[1], 'last', last)
		return 1
	end
end
if last ~= ARGV[3] then return redis.error_reply('` + saidGap + ` ' .. (last or '')) end
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'body', ARGV[4])
redis.call('HSET', KEYS[1], 'last', ARGV[2])
return 1`)

	// touchScript changes something, so that who waits for it waits for all that was written before.
	touchScript = goredis.NewScript(scriptFull + `return redis.call('HINCRBY', KEYS[1], 'read', 1)`)

	// baseScript: term, identity, number, what the keys of bases begin with. Keys: lead, log, the base that was put aside,
	// and where it goes. The one before it is deleted in the same step: a leader that is killed leaves none behind.
	baseScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('` + saidFenced + `') end
local id, was = redis.call('HGET', KEYS[1], 'identity'), redis.call('HGET', KEYS[1], 'base')
if id and id ~= ARGV[2] then return redis.error_reply('` + saidOther + `') end
if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('the base that was put aside is gone') end
redis.call('PERSIST', KEYS[3])
redis.call('RENAME', KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'identity', ARGV[2], 'base', ARGV[3])
if not id then redis.call('HSET', KEYS[1], 'last', ARGV[3]) end
if was and was ~= ARGV[3] then redis.call('UNLINK', ARGV[4] .. was) end
return 1`)

	// trimScript: term, the first number that stays.
	trimScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'term') ~= ARGV[1] then return redis.error_reply('` + saidFenced + `') end
return redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2])`)
)
