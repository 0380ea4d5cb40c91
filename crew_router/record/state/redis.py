"""Shared numbers in Redis or Valkey: many machines.

Keys are ``{namespace}:{project}:…``: figures under ``{model}:{task}`` as hashes with named fields, everything else under a word
that no percent-encoded model can be. Each script is one round trip and atomic; none runs longer than what one process saw in
half a second, or what changed since it last asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import quote

from crew_router.errors import MissingDependencyError
from crew_router.record.state.statistics import EXPIRY_S, FIELDS, LIVE_S, WEEK_S, Vector
from crew_router.record.state.store import LAST_DECISIONS, SCHEMA, START_WEIGHT, Batch, Document, Image, Key, Kind, StoreError
from crew_router.record.state.windows import Claim

if TYPE_CHECKING:
    from redis import Redis

_T = TypeVar("_T")
_TIMEOUT_S: Final = 0.5
_NAMES: Final[dict[Kind, tuple[str, ...]]] = {"perf": FIELDS, "live": FIELDS, "weight": ("value", "count"), "sum": ()}

# KEYS: meta, changed, providers, batch. ARGV: epoch, entries (JSON), providers (JSON), constants (JSON).
# A row that is missing though it is known to have changed was evicted: it is not begun anew but reported as lost.
_MERGE: Final = """
local c = cjson.decode(ARGV[4])
if tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') ~= tonumber(ARGV[1]) then return false end
if not redis.call('SET', KEYS[4], '1', 'NX', 'EX', '3600') then return {} end
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
local lost = {}
for _, e in ipairs(cjson.decode(ARGV[2])) do
  local kind, key, member, names, add = e[1], e[2], e[3], e[4], e[5]
  local old = redis.call('HMGET', key, unpack(names))
  if not old[1] and redis.call('ZSCORE', KEYS[2], member) then
    lost[#lost + 1] = member
  else
    local new = {}
    if kind == 'weight' then
      new = {(tonumber(old[1]) or c.start) * add[1] + add[2], (tonumber(old[2]) or 0) + add[3]}
    elseif not old[1] then
      new = add
    elseif kind == 'sum' then
      for i = 1, #add do new[i] = (tonumber(old[i]) or 0) + add[i] end
    else
      local half = kind == 'live' and c.live or c.week
      local was = tonumber(old[1])
      local keep_old, keep_new = 1, 1
      if was <= add[1] then keep_old = 2 ^ ((was - add[1]) / half) else keep_new = 2 ^ ((add[1] - was) / half) end
      new[1] = math.max(was, add[1])
      for i = 2, #add do new[i] = (tonumber(old[i]) or 0) * keep_old + add[i] * keep_new end
    end
    local flat = {}
    for i, name in ipairs(names) do flat[2 * i - 1] = name; flat[2 * i] = string.format('%.17g', new[i]) end
    redis.call('HSET', key, unpack(flat))
    redis.call('EXPIRE', key, c.expiry)
    redis.call('ZADD', KEYS[2], version, member)
  end
end
local shares = cjson.decode(ARGV[3])
if #shares > 0 then
  redis.call('RPUSH', KEYS[3], unpack(shares))
  redis.call('LTRIM', KEYS[3], -c.last, -1)
end
return lost
"""

# KEYS: meta, changed, providers. ARGV: version, prefix. Returns epoch, version, schema, seconds, micros, providers, rows.
_LOAD: Final = """
local time = redis.call('TIME')
local rows = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf')) do
  local kind, name = string.match(member, '^(%a+)|(.*)$')
  local key = ARGV[2] .. (kind == 'perf' and '' or kind .. ':') .. name
  rows[#rows + 1] = {member, redis.call('HGETALL', key)}
end
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'schema')
return {meta[1] or '0', meta[2] or '0', meta[3] or '0', time[1], time[2], redis.call('LRANGE', KEYS[3], 0, -1), rows}
"""

# KEYS: meta, changed. ARGV: epoch, entries (JSON), expiry, schema.
_SEED: Final = """
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
redis.call('HSETNX', KEYS[1], 'schema', ARGV[4])
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
local there = {}
for _, e in ipairs(cjson.decode(ARGV[2])) do
  if redis.call('EXISTS', e[1]) == 1 then
    there[#there + 1] = e[2]
  else
    local flat = {}
    for i, name in ipairs(e[3]) do flat[2 * i - 1] = name; flat[2 * i] = string.format('%.17g', e[4][i]) end
    redis.call('HSET', e[1], unpack(flat))
    redis.call('EXPIRE', e[1], ARGV[3])
  end
  redis.call('ZADD', KEYS[2], version, e[2])
end
return there
"""

# KEYS: meta, changed, document. ARGV: member, expected, text.
_SWAP: Final = """
if tonumber(redis.call('HGET', KEYS[3], 'version') or '0') ~= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[3], 'version', tonumber(ARGV[2]) + 1, 'text', ARGV[3])
redis.call('ZADD', KEYS[2], redis.call('HINCRBY', KEYS[1], 'version', 1), ARGV[1])
return 1
"""

# KEYS: windows. ARGV: window in milliseconds, then amount and limit of each. By the server's clock. Takes all or nothing, and returns
# milliseconds to wait for each.
_TAKE: Final = """
local t = redis.call('TIME')
local now, span = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1])
local slot_ms = span / 10
local slot = math.floor(now / slot_ms)
local function wait_for(key, amount, limit)
  local over, live = amount - limit, {}
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local number = tonumber(all[i])
    if number > slot - 10 then
      live[#live + 1] = {number, tonumber(all[i + 1])}
      over = over + tonumber(all[i + 1])
    else
      redis.call('HDEL', key, all[i])
    end
  end
  if over <= 0 then return 0 end
  table.sort(live, function(a, b) return a[1] < b[1] end)
  for _, one in ipairs(live) do
    over = over - one[2]
    if over <= 0 then return math.max(math.ceil((one[1] + 10) * slot_ms - now), 1) end
  end
  return math.ceil(span)
end
local waits, longest = {}, 0
for i, key in ipairs(KEYS) do
  waits[i] = wait_for(key, tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1]))
  longest = math.max(longest, waits[i])
end
if longest > 0 then return waits end
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, slot, ARGV[2 * i])
  redis.call('PEXPIRE', key, math.ceil(span) * 2)
end
return waits
"""

# KEYS: places. ARGV: token, limit, lease in milliseconds. By the server's clock.
_ACQUIRE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[3]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) * 2)
return 1
"""

# KEYS: meta, changed, providers. ARGV: prefix.
_BEGIN: Final = """
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local kind, name = string.match(member, '^(%a+)|(.*)$')
  if kind ~= 'doc' then
    redis.call('DEL', ARGV[1] .. (kind == 'perf' and '' or kind .. ':') .. name)
    redis.call('ZREM', KEYS[2], member)
  end
end
redis.call('DEL', KEYS[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return redis.call('HINCRBY', KEYS[1], 'epoch', 1)
"""


class RedisStore:
    """A store in Redis; needs the extra ``redis``.

    Args:
        url: ``redis://user:password@host:port/db``, ``rediss://…`` for TLS, with the options of redis-py.
        project: Name space of everything in it.
        namespace: First part of every key.
    """

    def __init__(self, url: str, *, project: str, namespace: str = "moe:perf") -> None:
        try:
            import redis  # only installed and needed with this store
        except ImportError as error:
            raise MissingDependencyError("redis", extra="redis") from error
        self._library, self._url = redis, url
        self._prefix = f"{namespace}:{quote(project, safe='')}:"
        self._meta, self._changed, self._providers = (self._prefix + name for name in ("meta", "changed", "providers"))
        self._client = self._connected()

    @property
    def exclusive(self) -> bool:
        """Tell whether nobody else can see the store."""
        return False

    def load(self, *, since: int) -> Image:
        """Return what changed after a version."""
        keys = [self._meta, self._changed, self._providers]
        epoch, version, schema, seconds, micros, providers, found = self.run_script(_LOAD, keys, [since, self._prefix])
        if int(schema) > SCHEMA:
            raise StoreError(f"schema {schema} is newer than this version of crew-router knows ({SCHEMA}); update crew-router")
        vectors: dict[Key, Vector] = {}
        documents: dict[str, Document] = {}
        for member, flat in found:
            word, _, name = member.partition("|")
            cells: dict[str, str] = dict(zip(flat[::2], flat[1::2], strict=True))
            if word == "doc" and cells:
                documents[name] = Document(int(cells["version"]), cells["text"])
            elif cells:
                kind = cast("Kind", word)
                vectors[kind, name] = _vector(kind, cells)
        return Image(
            int(epoch),
            int(version),
            vectors=vectors,
            documents=documents,
            providers=tuple(providers),
            time_s=int(seconds) + int(micros) / 1e6,
        )

    def merge(self, batch: Batch) -> tuple[Key, ...] | None:
        """Take a batch in, once; return what the server had evicted, or ``None`` when the batch is of another epoch."""
        entries = [
            [kind, self._key(kind, name), f"{kind}|{name}", _names(kind, added), added] for (kind, name), added in batch.vectors.items()
        ]
        constants = {"start": START_WEIGHT, "week": WEEK_S, "live": LIVE_S, "expiry": int(EXPIRY_S), "last": LAST_DECISIONS}
        keys = [self._meta, self._changed, self._providers, f"{self._prefix}batch:{batch.id}"]
        lost = self.run_script(_MERGE, keys, [batch.epoch, json.dumps(entries), json.dumps(batch.providers), json.dumps(constants)])
        return None if lost is None else _keys(lost, batch.vectors)

    def seed(self, image: Image) -> tuple[Key, ...]:
        """Put lost rows back; return those that are there."""
        entries = [
            [self._key(kind, name), f"{kind}|{name}", _names(kind, vector), vector] for (kind, name), vector in image.vectors.items()
        ]
        arguments: list[str | int] = [max(image.epoch, 1), json.dumps(entries), int(EXPIRY_S), SCHEMA]
        return _keys(self.run_script(_SEED, [self._meta, self._changed], arguments), image.vectors)

    def document(self, name: str) -> Document:
        """Read a document."""
        cells: Any = self._ask(lambda client: client.hgetall(f"{self._prefix}doc:{name}"))
        return Document(int(cells["version"]), cells["text"]) if cells else Document()

    def swap(self, name: str, text: str, *, expected: int) -> bool:
        """Write a document if its version still is the expected one."""
        keys = [self._meta, self._changed, f"{self._prefix}doc:{name}"]
        return bool(self.run_script(_SWAP, keys, [f"doc|{name}", expected, text]))

    def take(self, claims: Sequence[Claim], *, window_s: float, at: float) -> tuple[float, ...]:  # noqa: ARG002 - the server's clock counts
        """Take amounts from sliding windows."""
        figures = [figure for claim in claims for figure in (claim.amount, claim.limit)]
        waits = self.run_script(_TAKE, [f"{self._prefix}window:{claim.name}" for claim in claims], [window_s * 1000, *figures])
        return tuple(float(wait) / 1000 for wait in waits)

    def acquire(self, name: str, token: str, *, limit: int, lease_s: float, at: float) -> bool:  # noqa: ARG002 - as above
        """Take a place."""
        return bool(self.run_script(_ACQUIRE, [f"{self._prefix}lease:{name}"], [token, limit, int(lease_s * 1000)]))

    def give_back(self, name: str, token: str) -> None:
        """Free a place."""
        self._ask(lambda client: client.zrem(f"{self._prefix}lease:{name}", token))

    def begin_epoch(self) -> int:
        """Forget all vectors and shares."""
        return int(self.run_script(_BEGIN, [self._meta, self._changed, self._providers], [self._prefix]))

    def reopen(self) -> None:
        """Connect anew in a forked child."""
        self._client = self._connected()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _connected(self) -> Redis:
        client: Redis = self._library.Redis.from_url(
            self._url, decode_responses=True, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        return client

    def _key(self, kind: Kind, name: str) -> str:
        return self._prefix + (name if kind == "perf" else f"{kind}:{name}")

    def run_script(self, script: str, keys: Sequence[str], arguments: Sequence[str | int | float]) -> Any:
        """Run a script on the server, and return what it returns.

        Raises:
            StoreError: The server did not answer or refused.
        """
        return self._ask(lambda client: client.register_script(script)(keys=list(keys), args=list(arguments)))

    def _ask(self, ask: Callable[[Redis], _T]) -> _T:
        try:
            return ask(self._client)
        except (self._library.RedisError, OSError) as error:
            # After a failover the old primary may still answer here, as a replica that takes no writes; the next call looks it up anew.
            if isinstance(error, (self._library.exceptions.ReadOnlyError, self._library.exceptions.MasterDownError)):
                self._client.connection_pool.disconnect(inuse_connections=False)  # those of other threads find out by themselves
            raise StoreError(str(error) or type(error).__name__) from error


def _keys(members: Iterable[str], known: Iterable[Key]) -> tuple[Key, ...]:
    by_member: dict[str, Key] = {f"{kind}|{name}": (kind, name) for kind, name in known}
    return tuple(by_member[member] for member in members)


def _names(kind: Kind, vector: Vector) -> tuple[str, ...]:
    return _NAMES[kind] or tuple(str(number) for number in range(len(vector)))


def _vector(kind: Kind, cells: Mapping[str, str]) -> Vector:
    names = _NAMES[kind] or tuple(str(number) for number in range(len(cells)))
    return tuple(float(cells.get(name, "0")) for name in names)
