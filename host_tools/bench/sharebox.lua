-- Wireshark dissector of the Sharebox protocol: GATT payloads, serial frames, and records when a key log is given.
--
-- Wireshark 4.0 or later. The key log is the preference `sharebox.keylog`, or else the variable SHAREBOX_KEYLOG.
-- Section numbers are those of protocol/SPEC.md. Nothing here may fail on bytes from the air: what cannot be read
-- is shown as bytes with an expert note.

local sharebox = Proto("sharebox", "Sharebox")
local serial = Proto("sharebox_serial", "Sharebox serial frame")

sharebox.prefs.keylog = Pref.string("Key log", "", "File with SHAREBOX_SESSION lines (SHAREBOX_KEYLOG of phone or module)")

-- ---------------------------------------------------------------- names
local TYPES = { [1] = "EDHOC", [2] = "RECORD", [3] = "ERROR" }
local DIRECTIONS = { [0] = "to module", [1] = "from module" }
local OPERATIONS = {
  [1] = "UNLOCK", [2] = "LOCK", [3] = "ENABLE_DRIVE", [4] = "DISABLE_DRIVE", [5] = "END_BOOKING", [6] = "STATUS",
  [7] = "PUT", [8] = "KEYS", [9] = "GET_NONCE", [11] = "LOCATE", [12] = "OUTCOME", [13] = "OPEN_BOOT",
  [14] = "SELF_TEST",
}
local CODES = {
  [0] = "OK", [1] = "MALFORMED", [2] = "UNKNOWN_OPERATION", [3] = "NOT_ADMITTED", [4] = "PERMISSION_MISSING",
  [5] = "UNKNOWN_ISSUER", [6] = "SIGNATURE_INVALID", [7] = "TOKEN_MALFORMED", [8] = "WRONG_VEHICLE",
  [9] = "HOLDER_KEY_MISMATCH", [10] = "WRONG_KEY_EPOCH", [11] = "NOT_YET_VALID", [12] = "BOOKING_OVER",
  [13] = "CLOCK_UNCERTAIN", [14] = "VEHICLE_IN_USE", [15] = "BOOKING_ENDED", [16] = "BOOKING_CUT_OFF",
  [17] = "BOOKING_SUPERSEDED", [18] = "BOOKING_CANCELLED", [19] = "TOKEN_REVOKED", [20] = "DEVICE_REPLACED",
  [21] = "NOT_PARKED", [22] = "DOORS_OPEN", [23] = "END_NOT_POSSIBLE", [24] = "VEHICLE_NO_RESPONSE",
  [25] = "OUTCOME_UNKNOWN", [26] = "COMMAND_ID_REUSED", [27] = "POSITION_UNKNOWN", [28] = "STORAGE_FAILED",
  [29] = "BUSY", [30] = "HANDSHAKE_FAILED", [31] = "TOO_MANY_HANDSHAKES", [32] = "NONCE_UNKNOWN", [33] = "ORDER_LATE",
  [34] = "ORDER_UNSUPPORTED", [35] = "LIST_OUTDATED", [36] = "MESSAGE_TOO_LARGE", [37] = "FRAMING",
  [38] = "SESSION_OVER", [39] = "SUBSCRIPTION_EXPIRED", [40] = "REMOTE_INACTIVE", [41] = "SUBSCRIPTION_OUTDATED",
  [42] = "ACTIVATION_REQUIRED", [43] = "CODE_WRONG", [44] = "CODE_EXPIRED", [45] = "CODE_DEAD", [46] = "CODE_PAUSED",
  [47] = "CODE_UNEXPECTED", [48] = "KEY_DEACTIVATED", [49] = "KEY_DELETED", [50] = "KEY_LIST_FULL",
  [51] = "SHARE_INVALID", [52] = "OUTSIDE_HOURS", [53] = "KEYS_UNAVAILABLE", [54] = "NOT_COUPLED",
  [55] = "NOT_PREPARED", [56] = "NO_MODULE", [57] = "ALREADY_OWNED", [58] = "VIN_INVALID", [59] = "KEYS_MISSING",
  [60] = "NOT_CONNECTED", [61] = "TAKEOVER_INTERRUPTED", [62] = "DRIVER_LIST_FULL", [63] = "SERVICE_INACTIVE",
  [64] = "SIM_BLOCKED", [65] = "OUT_OF_TERRITORY", [66] = "ROLE_REQUIRED", [67] = "ORDER_OUTDATED",
  [128] = "OVERDUE", [129] = "OUTSIDE_HOME_AREA",
}
local BODIES = {
  [0] = "refusal", [1] = "done", [2] = "ended", [3] = "status", [4] = "nonce", [5] = "position", [6] = "accepted",
  [7] = "outcome", [8] = "keys", [9] = "self-test",
}
local PUSHES = { [1] = "access", [2] = "notice" }
local NOTICES = { [1] = "overdue", [2] = "cutoff soon", [3] = "cut off", [4] = "ended by order",
  [5] = "key accepted", [6] = "key activated" }
local PHASES = { [0] = "none", [1] = "active", [2] = "overdue", [3] = "cutoff pending", [4] = "cut off", [5] = "ended" }
local VEHICLE = {
  "locked", "doors open", "boot open", "ignition on", "drive enabled", "parked", "fuel %", "odometer m", "from home m",
}
local KEY = { "number", "token", "name", "permissions", "until", "activated", "deleted" }
local KINDS = { [1] = "OPEN", [2] = "OPENED", [3] = "FRAGMENT", [4] = "CLOSE", [5] = "CLOSED", [6] = "INFO" }

-- ---------------------------------------------------------------- fields
local fields = {}
do
  local all = {}
  local function field(kind, name, label, ...)
    fields[name] = ProtoField[kind]("sharebox." .. name, label, ...)
    all[#all + 1] = fields[name]
  end
  local function decimal(kind, name, label, names) field(kind, name, label, base.DEC, names) end

  decimal("uint8", "direction", "Direction", DIRECTIONS)
  field("bool", "fragment.first", "First", 8, nil, 0x80)
  field("bool", "fragment.last", "Last", 8, nil, 0x40)
  field("uint8", "fragment.sequence", "Sequence number", base.DEC, nil, 0x3f)
  decimal("uint16", "fragment.total", "Total length")
  field("bytes", "fragment.payload", "Payload")
  field("bool", "fragment.repeated", "Repeated")
  decimal("uint32", "message.fragments", "Fragments")
  decimal("uint32", "message.length", "Length")
  decimal("uint8", "message.type", "Type", TYPES)
  decimal("uint8", "edhoc.message", "Handshake message")
  decimal("uint8", "edhoc.method", "Method")
  field("string", "edhoc.suites", "Suites")
  field("bytes", "edhoc.g_x", "Ephemeral key of the phone (G_X)")
  field("bytes", "edhoc.g_y", "Ephemeral key of the module (G_Y)")
  field("bytes", "edhoc.c_i", "Connection identifier (C_I)")
  field("bytes", "edhoc.ciphertext", "Ciphertext")
  decimal("uint32", "record.counter", "Counter")
  field("bytes", "record.ciphertext", "Ciphertext")
  field("bool", "record.decrypted", "Decrypted")
  field("bytes", "record.plaintext", "Plaintext")
  field("string", "cbor", "CBOR")
  decimal("uint16", "request.id", "Request")
  decimal("uint8", "request.operation", "Operation", OPERATIONS)
  field("bytes", "request.command_id", "Command identifier")
  field("bytes", "request.object", "Object")
  decimal("uint16", "reply.id", "Reply to request")
  decimal("uint8", "reply.code", "Code", CODES)
  decimal("uint8", "reply.body", "Body", BODIES)
  decimal("uint8", "push.kind", "Push", PUSHES)
  decimal("uint8", "notice.kind", "Notice", NOTICES)
  field("string", "notice.left_ms", "Left (ms)")
  field("bool", "done.already", "Already so")
  field("bool", "accepted.pending", "Takes effect once parked")
  field("bool", "access.granted", "Granted")
  decimal("uint8", "access.phase", "Phase", PHASES)
  decimal("uint16", "access.permissions", "Permissions")
  field("absolute_time", "access.ends_at", "Ends at", base.UTC)
  field("absolute_time", "access.cutoff_at", "Cutoff at", base.UTC)
  field("absolute_time", "access.now", "Now", base.UTC)
  field("string", "vehicle", "Vehicle")
  field("absolute_time", "ended.at", "Ended at", base.UTC)
  field("string", "ended.home_distance_m", "Distance from home (m)")
  field("bytes", "ended.receipt", "Receipt")
  field("bytes", "nonce.nonce", "Nonce")
  field("bytes", "nonce.module", "Module")
  field("double", "position.latitude", "Latitude")
  field("double", "position.longitude", "Longitude")
  field("string", "position.age_ms", "Age (ms)")
  decimal("uint8", "outcome.operation", "Operation", OPERATIONS)
  decimal("uint8", "outcome.code", "Code", CODES)
  field("bool", "outcome.may_have_succeeded", "May have succeeded")
  field("string", "key", "Shared key")
  field("bytes", "self_test.report", "Report")
  decimal("uint8", "refusal.code", "Refused", CODES)
  field("string", "refusal.rule", "Rule")
  field("string", "refusal.numbers", "Numbers")
  field("bool", "refusal.temporary", "Temporary")
  field("bool", "refusal.may_have_succeeded", "May have succeeded")
  field("string", "refusal.remedy", "Remedy")
  decimal("uint8", "info.version", "Version")
  decimal("uint16", "info.longest_message", "Longest message")
  decimal("uint16", "info.longest_list", "Longest revocation list")
  field("string", "info.suites", "Cipher suites")
  field("string", "info.methods", "Methods")
  sharebox.fields = all

  local own = {}
  local function add_serial(kind, name, label, ...)
    fields["serial." .. name] = ProtoField[kind]("sharebox_serial." .. name, label, ...)
    own[#own + 1] = fields["serial." .. name]
  end
  add_serial("uint8", "direction", "Direction", base.DEC, DIRECTIONS)
  add_serial("uint8", "kind", "Kind", base.DEC, KINDS)
  add_serial("uint8", "channel", "Channel", base.DEC)
  add_serial("uint16", "largest", "Largest fragment", base.DEC)
  add_serial("bytes", "payload", "Payload")
  add_serial("uint32", "crc", "CRC-32", base.HEX)
  add_serial("bool", "crc_good", "CRC is right")
  serial.fields = own
end

local note = ProtoExpert.new("sharebox.note", "Sharebox", expert.group.PROTOCOL, expert.severity.WARN)
sharebox.experts = { note }

-- ---------------------------------------------------------------- 32-bit operations on any Lua
local xor, rotate
if bit32 then
  xor, rotate = bit32.bxor, bit32.lrotate
else
  xor, rotate = load([[
    return function(a, b) return a ~ b end,
           function(a, n) a = a & 0xffffffff return ((a << n) | (a >> (32 - n))) & 0xffffffff end]])()
end
local floor = math.floor
local WORD = 4294967296

-- ---------------------------------------------------------------- ChaCha20-Poly1305 (RFC 8439)
local function little(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return a + b * 256 + c * 65536 + d * 16777216
end

local function quarter(s, a, b, c, d)
  s[a] = (s[a] + s[b]) % WORD; s[d] = rotate(xor(s[d], s[a]), 16)
  s[c] = (s[c] + s[d]) % WORD; s[b] = rotate(xor(s[b], s[c]), 12)
  s[a] = (s[a] + s[b]) % WORD; s[d] = rotate(xor(s[d], s[a]), 8)
  s[c] = (s[c] + s[d]) % WORD; s[b] = rotate(xor(s[b], s[c]), 7)
end

local function block(key, nonce, counter)
  local start = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }
  for word = 0, 7 do start[5 + word] = little(key, 1 + 4 * word) end
  start[13] = counter
  for word = 0, 2 do start[14 + word] = little(nonce, 1 + 4 * word) end
  local s = {}
  for word = 1, 16 do s[word] = start[word] end
  for _ = 1, 10 do
    quarter(s, 1, 5, 9, 13); quarter(s, 2, 6, 10, 14); quarter(s, 3, 7, 11, 15); quarter(s, 4, 8, 12, 16)
    quarter(s, 1, 6, 11, 16); quarter(s, 2, 7, 12, 13); quarter(s, 3, 8, 9, 14); quarter(s, 4, 5, 10, 15)
  end
  local out = {}
  for word = 1, 16 do
    local value = (s[word] + start[word]) % WORD
    for byte = 1, 4 do
      out[4 * (word - 1) + byte] = floor(value % 256)
      value = floor(value / 256)
    end
  end
  return out
end

-- Limbs of 13 bits: no product or sum of them leaves what a double holds exactly.
local function limbs(bytes)
  local out, value, bits = {}, 0, 0
  for at = 1, 17 do
    value = value + (bytes[at] or 0) * 2 ^ bits
    bits = bits + 8
    while bits >= 13 do
      out[#out + 1] = floor(value % 8192)
      value, bits = floor(value / 8192), bits - 13
    end
  end
  return out, value
end

local function carried(h)
  for _ = 1, 2 do
    local carry = 0
    for limb = 1, 10 do
      local value = h[limb] + carry
      h[limb], carry = floor(value % 8192), floor(value / 8192)
    end
    h[1] = h[1] + 5 * carry
  end
end

local function poly1305(one_time, text)
  local r = {}
  for at = 1, 16 do r[at] = one_time[at] end
  for _, at in ipairs({ 4, 8, 12, 16 }) do r[at] = r[at] % 16 end
  for _, at in ipairs({ 5, 9, 13 }) do r[at] = r[at] - r[at] % 4 end
  r = limbs(r)
  local h = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
  for start = 1, #text, 16 do
    local bytes = { text:byte(start, math.min(start + 15, #text)) }
    bytes[#bytes + 1] = 1
    local m = limbs(bytes)
    local product = {}
    for at = 1, 10 do product[at] = 0 end
    for i = 1, 10 do
      for j = 1, 10 do
        local at, times = i + j - 1, 1
        if at > 10 then at, times = at - 10, 5 end
        product[at] = product[at] + (h[i] + m[i]) * r[j] * times
      end
    end
    h = product
    carried(h)
  end
  carried(h)
  local less, carry = {}, 5
  for limb = 1, 10 do
    local value = h[limb] + carry
    less[limb], carry = floor(value % 8192), floor(value / 8192)
  end
  if carry > 0 then h = less end
  local out, value, bits, limb, add = {}, 0, 0, 1, 0
  for at = 1, 16 do
    while bits < 8 do
      value = value + (h[limb] or 0) * 2 ^ bits
      limb, bits = limb + 1, bits + 13
    end
    local sum = floor(value % 256) + one_time[16 + at] + add
    out[at], add = string.char(floor(sum % 256)), floor(sum / 256)
    value, bits = floor(value / 256), bits - 8
  end
  return table.concat(out)
end

-- The plaintext, or nil when the tag is wrong.
local function open(key, nonce, sealed, aad)
  if #sealed < 16 then return nil end
  local text, tag = sealed:sub(1, -17), sealed:sub(-16)
  local function padding(part) return ("\0"):rep(-#part % 16) end
  local function size(part)
    local length = #part
    return string.char(length % 256, floor(length / 256) % 256, floor(length / 65536) % 256) .. ("\0"):rep(5)
  end
  local covered = aad .. padding(aad) .. text .. padding(text) .. size(aad) .. size(text)
  if poly1305(block(key, nonce, 0), covered) ~= tag then return nil end
  local out = {}
  for start = 0, #text - 1, 64 do
    local stream = block(key, nonce, 1 + start / 64)
    for at = 1, math.min(64, #text - start) do
      out[start + at] = string.char(xor(text:byte(start + at), stream[at]))
    end
  end
  return table.concat(out)
end

-- ---------------------------------------------------------------- CBOR (section 2), only what is allowed
-- A node is { kind, value, from, to }; from and to are offsets into the bytes, `to` is behind the last one.
local function decode(text, at, depth)
  local first = text:byte(at + 1)
  if not first or depth > 8 then return nil end
  local major, low = floor(first / 32), first % 32
  local from, argument = at, low
  at = at + 1
  if low >= 24 then
    local size = ({ [24] = 1, [25] = 2, [26] = 4, [27] = 8 })[low]
    if not size or #text < at + size then return nil end
    argument = 0
    for byte = 1, size do argument = argument * 256 + text:byte(at + byte) end
    at = at + size
  end
  if major == 0 then return { "int", argument, from, at } end
  if major == 1 then return { "int", -1 - argument, from, at } end
  if major == 2 or major == 3 then
    if #text < at + argument then return nil end
    return { major == 2 and "bytes" or "text", text:sub(at + 1, at + argument), from, at + argument }
  end
  if major == 4 or major == 5 then
    local items, count = {}, major == 4 and argument or argument * 2
    if count > #text - at then return nil end
    for number = 1, count do
      local item = decode(text, at, depth + 1)
      if not item then return nil end
      items[number], at = item, item[4]
    end
    return { major == 4 and "array" or "map", items, from, at }
  end
  if major == 7 and low >= 20 and low <= 22 then
    if low == 22 then return { "null", nil, from, at } end
    return { "bool", low == 21, from, at }
  end
  return nil
end

local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function printable(text) return (text:gsub("[^\32-\126]", ".")) end

-- Diagnostic notation.
local function words(node)
  local kind, value = node[1], node[2]
  if kind == "int" then return ("%.0f"):format(value) end
  if kind == "bytes" then return "h'" .. hex(value) .. "'" end
  if kind == "text" then return '"' .. printable(value) .. '"' end
  if kind == "bool" then return tostring(value) end
  if kind == "null" then return "null" end
  local parts = {}
  for number, item in ipairs(value) do
    if kind == "array" then
      parts[number] = words(item)
    elseif number % 2 == 1 then
      parts[#parts + 1] = words(item) .. ": " .. (value[number + 1] and words(value[number + 1]) or "")
    end
  end
  local inside = table.concat(parts, ", ")
  return kind == "array" and "[" .. inside .. "]" or "{" .. inside .. "}"
end

-- Whole items only: a CBOR sequence, or nil.
local function sequence(text)
  local items, at = {}, 0
  while at < #text do
    local item = decode(text, at, 1)
    if not item or #items == 16 then return nil end
    items[#items + 1], at = item, item[4]
  end
  return items
end

local function at_key(map, key)
  for number = 1, #map[2], 2 do
    local name = map[2][number]
    if name[1] == "int" and name[2] == key then return map[2][number + 1] end
  end
end

-- ---------------------------------------------------------------- the key log
local keys = {}

local function unhex(text) return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)) end

local function read_keys()
  keys = {}
  local path = sharebox.prefs.keylog
  if not path or path == "" then path = os.getenv("SHAREBOX_KEYLOG") end
  local file = path and path ~= "" and io.open(path, "r")
  if not file then return end
  local count = 0
  for line in file:lines() do
    local session, key_to, iv_to, key_from, iv_from =
      line:match("^SHAREBOX_SESSION (%x+) (%x+) (%x+) (%x+) (%x+)%s*$")
    if session and #session == 64 and #key_to == 64 and #iv_to == 24 and #key_from == 64 and #iv_from == 24 then
      keys[unhex(session)] = {
        [0] = { unhex(key_to), unhex(iv_to) }, [1] = { unhex(key_from), unhex(iv_from) },
      }
    end
    count = count + 1
    if count == 100000 then break end
  end
  file:close()
end

-- ---------------------------------------------------------------- what is remembered of a capture
local links, seen

local function begin()
  links, seen = {}, {}
  read_keys()
end
begin()
sharebox.init = begin

local function link_of(name)
  if not links[name] then
    links[name] = { [0] = { message = "", total = 0 }, [1] = { message = "", total = 0 }, edhoc = 0 }
  end
  return links[name]
end

-- One fragment, as a receiver takes it (section 4). What came of it: { message, fragments, trouble, repeated }.
local function take(way, text)
  if text == way.previous then return { repeated = true } end
  local before = way.previous
  way.previous = text
  local head = text:byte(1)
  local data, trouble
  if head >= 128 then
    if way.total > 0 then trouble = "a message began inside another" end
    way.total, way.message, way.count = 0, "", 0
    if #text < 4 then return { trouble = "a first fragment without a length or without content" } end
    way.total = text:byte(2) * 256 + text:byte(3)
    data = text:sub(4)
  else
    if way.total == 0 then return { trouble = "a fragment that belongs to no message" } end
    if before and head % 64 ~= (before:byte(1) + 1) % 64 then
      way.total = 0
      return { trouble = "a fragment is missing or out of order" }
    end
    data = text:sub(2)
  end
  way.message, way.count = way.message .. data, way.count + 1
  local last = head % 128 >= 64
  if last ~= (#way.message == way.total) or #way.message > way.total then
    way.total = 0
    return { trouble = "the length and the last fragment disagree" }
  end
  if not last then return { trouble = trouble } end
  way.total = 0
  return { message = way.message, fragments = way.count, trouble = trouble }
end

-- What can be said about a message only while the capture is read in order: which handshake message, which keys.
local function understand(link, direction, found)
  local kind, body = found.message:byte(1), found.message:sub(2)
  if kind == 1 then
    local items = sequence(body)
    if direction == 0 and body ~= "" and body:byte(1) <= 0x17 then
      found.edhoc, link.edhoc, link.session = 1, 1, nil
      local g_x = items and items[3]
      if g_x and g_x[1] == "bytes" then link.session = g_x[2] end
    elseif direction == 0 then
      found.edhoc, link.edhoc = 3, 3
    else
      found.edhoc = link.edhoc <= 1 and 2 or 4
    end
  elseif kind == 2 then
    local record = sequence(body)
    record = record and #record == 1 and record[1]
    if not record or record[1] ~= "array" or #record[2] ~= 3 or record[2][2][1] ~= "map" then return end
    local counter, sealed = at_key(record[2][2], 6), record[2][3]
    if not counter or counter[1] ~= "bytes" or sealed[1] ~= "bytes" or #counter[2] > 3 then return end
    found.counter, found.sealed = 0, sealed
    for at = 1, #counter[2] do found.counter = found.counter * 256 + counter[2]:byte(at) end
    if link.session and not keys[link.session] then read_keys() end
    local secrets = link.session and keys[link.session]
    if not secrets then return end
    local key, iv = secrets[direction][1], secrets[direction][2]
    local nonce = iv:sub(1, 9)
    for at, shift in ipairs({ 65536, 256, 1 }) do
      nonce = nonce .. string.char(xor(iv:byte(9 + at), floor(found.counter / shift) % 256))
    end
    found.plain = open(key, nonce, sealed[2], "\131\104Encrypt0\64\64")
    found.wrong_key = found.plain == nil
  end
end

-- ---------------------------------------------------------------- showing
local function bytes_tvb(text, name) return ByteArray.new(text, true):tvb(name) end

local function whole(node, most) return node and node[1] == "int" and node[2] >= 0 and node[2] <= most end

local function put(tree, name, tvb, node, kind, most)
  if not node or node[1] ~= kind or (kind == "int" and not whole(node, most)) then return false end
  local value = node[2]
  if kind == "bytes" then
    tree:add(fields[name], tvb(node[4] - #value, #value))
  else
    tree:add(fields[name], tvb(node[3], node[4] - node[3]), value)
  end
  return true
end

local function put_time(tree, name, tvb, node)
  if whole(node, 2 ^ 50) and node[2] > 0 then
    local seconds = floor(node[2] / 1000)
    tree:add(fields[name], tvb(node[3], node[4] - node[3]), NSTime.new(seconds, floor(node[2] - seconds * 1000) * 1000000))
  end
end

local function put_words(tree, name, tvb, node)
  if node then tree:add(fields[name], tvb(node[3], node[4] - node[3]), words(node)) end
end

local function put_degrees(tree, name, tvb, node)
  if node and node[1] == "int" then tree:add(fields[name], tvb(node[3], node[4] - node[3]), node[2] / 1e7) end
end

local function put_vehicle(tree, tvb, node)
  if not node or node[1] ~= "map" then return end
  local parts = {}
  for key, name in ipairs(VEHICLE) do
    local value = at_key(node, key)
    if value then parts[#parts + 1] = name .. " " .. words(value) end
  end
  tree:add(fields["vehicle"], tvb(node[3], node[4] - node[3]), table.concat(parts, ", "))
end

local function put_key(tree, tvb, node)
  if node[1] ~= "map" then return end
  local parts = {}
  for at, name in ipairs(KEY) do
    local value = at_key(node, at)
    if value then parts[#parts + 1] = name .. " " .. words(value) end
  end
  tree:add(fields["key"], tvb(node[3], node[4] - node[3]), table.concat(parts, ", "))
end

local function show_refusal(tree, tvb, node)
  if not node or node[1] ~= "map" then return end
  put(tree, "refusal.rule", tvb, at_key(node, 1), "text")
  put_words(tree, "refusal.numbers", tvb, at_key(node, 2))
  put(tree, "refusal.temporary", tvb, at_key(node, 3), "bool")
  put(tree, "refusal.may_have_succeeded", tvb, at_key(node, 4), "bool")
  put(tree, "refusal.remedy", tvb, at_key(node, 5), "text")
end

local function show_access(tree, tvb, node)
  if not node or node[1] ~= "map" then return end
  put(tree, "access.granted", tvb, at_key(node, 1), "bool")
  put(tree, "access.phase", tvb, at_key(node, 2), "int", 255)
  put(tree, "access.permissions", tvb, at_key(node, 3), "int", 65535)
  put_time(tree, "access.ends_at", tvb, at_key(node, 4))
  put_time(tree, "access.cutoff_at", tvb, at_key(node, 5))
  put_time(tree, "access.now", tvb, at_key(node, 6))
  local why = at_key(node, 7)
  if why and why[1] == "array" and #why[2] == 2 then
    put(tree, "refusal.code", tvb, why[2][1], "int", 255)
    show_refusal(tree, tvb, why[2][2])
  end
end

local function show_body(tree, tvb, kind, node)
  if node[1] ~= "map" then return end
  if kind == 0 then
    show_refusal(tree, tvb, node)
  elseif kind == 1 then
    put(tree, "done.already", tvb, at_key(node, 1), "bool")
  elseif kind == 2 then
    put_time(tree, "ended.at", tvb, at_key(node, 1))
    put_words(tree, "ended.home_distance_m", tvb, at_key(node, 2))
    put(tree, "ended.receipt", tvb, at_key(node, 4), "bytes")
  elseif kind == 3 then
    show_access(tree, tvb, at_key(node, 1))
    put_vehicle(tree, tvb, at_key(node, 2))
  elseif kind == 4 then
    put(tree, "nonce.nonce", tvb, at_key(node, 1), "bytes")
    put(tree, "nonce.module", tvb, at_key(node, 2), "bytes")
  elseif kind == 5 then
    put_degrees(tree, "position.latitude", tvb, at_key(node, 1))
    put_degrees(tree, "position.longitude", tvb, at_key(node, 2))
    put_words(tree, "position.age_ms", tvb, at_key(node, 3))
  elseif kind == 6 then
    put(tree, "accepted.pending", tvb, at_key(node, 1), "bool")
  elseif kind == 7 then
    put(tree, "outcome.operation", tvb, at_key(node, 1), "int", 255)
    put(tree, "outcome.code", tvb, at_key(node, 2), "int", 255)
    put(tree, "outcome.may_have_succeeded", tvb, at_key(node, 3), "bool")
  elseif kind == 8 then
    local keys = at_key(node, 1)
    for _, key in ipairs(keys and keys[1] == "array" and keys[2] or {}) do put_key(tree, tvb, key) end
  elseif kind == 9 then
    put(tree, "self_test.report", tvb, at_key(node, 1), "bytes")
  end
end

-- A request, reply or push (section 8); returns what the list of packets shows.
local function show_plain(tree, tvb, text, direction)
  local items = sequence(text)
  local node = items and #items == 1 and items[1]
  if not node then
    tree:add_proto_expert_info(note, "the plaintext is not CBOR")
    return "?"
  end
  tree:add(fields["cbor"], tvb(), words(node))
  local parts = node[1] == "array" and node[2] or {}
  if direction == 0 then
    put(tree, "request.id", tvb, parts[1], "int", 65535)
    local known = put(tree, "request.operation", tvb, parts[2], "int", 255)
    local operation = known and parts[2][2]
    put(tree, operation == 7 and "request.object" or "request.command_id", tvb, parts[3], "bytes")
    return "request " .. (operation and (OPERATIONS[operation] or operation) or "?")
  end
  if #parts == 3 then
    if not put(tree, "push.kind", tvb, parts[2], "int", 255) then return "push ?" end
    if parts[2][2] == 1 then
      show_access(tree, tvb, parts[3])
    elseif parts[3][1] == "map" then
      put(tree, "notice.kind", tvb, at_key(parts[3], 1), "int", 255)
      put_words(tree, "notice.left_ms", tvb, at_key(parts[3], 2))
    end
    return "push " .. (PUSHES[parts[2][2]] or parts[2][2])
  end
  put(tree, "reply.id", tvb, parts[1], "int", 65535)
  local known = put(tree, "reply.code", tvb, parts[2], "int", 255)
  if put(tree, "reply.body", tvb, parts[3], "int", 255) and parts[4] then show_body(tree, tvb, parts[3][2], parts[4]) end
  return "reply " .. (known and (CODES[parts[2][2]] or parts[2][2]) or "?")
end

local function show_edhoc(tree, tvb, body, found)
  tree:add(fields["edhoc.message"], tvb(0, 1), found.edhoc):set_generated()
  local items = sequence(body)
  if not items or #items == 0 then
    tree:add_proto_expert_info(note, "a handshake message that is not CBOR")
    return
  end
  local inner = tvb(1):tvb()
  if found.edhoc == 1 then
    put(tree, "edhoc.method", inner, items[1], "int", 255)
    put_words(tree, "edhoc.suites", inner, items[2])
    put(tree, "edhoc.g_x", inner, items[3], "bytes")
    if items[4] then tree:add(fields["edhoc.c_i"], inner(items[4][3], items[4][4] - items[4][3])) end
  elseif items[1][1] == "bytes" then
    local start, size = items[1][4] - #items[1][2], #items[1][2]
    if found.edhoc == 2 and size > 32 then
      tree:add(fields["edhoc.g_y"], inner(start, 32))
      start, size = start + 32, size - 32
    end
    tree:add(fields["edhoc.ciphertext"], inner(start, size))
  end
end

local function show_record(tree, tvb, direction, found)
  if not found.sealed then
    tree:add_proto_expert_info(note, "not a record")
    return "RECORD ?"
  end
  local inner = tvb(1):tvb()
  tree:add(fields["record.counter"], inner(2, found.sealed[3] - 2), found.counter)
  put(tree, "record.ciphertext", inner, found.sealed, "bytes")
  tree:add(fields["record.decrypted"], found.plain ~= nil):set_generated()
  if found.wrong_key then tree:add_proto_expert_info(note, "the key log's key does not open this record") end
  if not found.plain then return "RECORD " .. found.counter end
  if found.plain == "" then return "RECORD " .. found.counter .. " empty" end
  local plain = bytes_tvb(found.plain, "Decrypted record")
  tree:add(fields["record.plaintext"], plain())
  return "RECORD " .. found.counter .. " " .. show_plain(tree, plain, found.plain, direction)
end

local function show_error(tree, tvb, body)
  local items = sequence(body)
  local node = items and #items == 1 and items[1]
  if not node or node[1] ~= "array" or #node[2] ~= 2 then
    tree:add_proto_expert_info(note, "not an error message")
    return "ERROR ?"
  end
  local inner = tvb(1):tvb()
  tree:add(fields["cbor"], inner(), words(node))
  local known = put(tree, "refusal.code", inner, node[2][1], "int", 255)
  show_refusal(tree, inner, node[2][2])
  return "ERROR " .. (known and (CODES[node[2][1][2]] or node[2][1][2]) or "?")
end

local function show_message(root, direction, found)
  local text = found.message
  local tvb = bytes_tvb(text, "Sharebox message")
  local kind, body = text:byte(1), text:sub(2)
  local tree = root:add(tvb(), "Message: " .. (TYPES[kind] or "unknown type"))
  tree:add(fields["message.fragments"], found.fragments):set_generated()
  tree:add(fields["message.length"], #text):set_generated()
  tree:add(fields["message.type"], tvb(0, 1))
  if kind == 1 then
    show_edhoc(tree, tvb, body, found)
    return "EDHOC message_" .. found.edhoc
  elseif kind == 2 then
    return show_record(tree, tvb, direction, found)
  elseif kind == 3 then
    return show_error(tree, tvb, body)
  end
  tree:add_proto_expert_info(note, "unknown type of message")
  return "message of unknown type"
end

-- One fragment of a link; `place` tells fragments of one packet apart.
local function fragment(tvb, pinfo, root, direction, link_name)
  pinfo.cols.protocol = "Sharebox"
  local tree = root:add(sharebox, tvb(), "Sharebox, " .. DIRECTIONS[direction])
  tree:add(fields["direction"], direction):set_generated()
  local text = tvb:raw()
  tree:add(fields["fragment.first"], tvb(0, 1))
  tree:add(fields["fragment.last"], tvb(0, 1))
  tree:add(fields["fragment.sequence"], tvb(0, 1))
  local head = 1
  if text:byte(1) >= 128 and #text >= 3 then
    tree:add(fields["fragment.total"], tvb(1, 2))
    head = 3
  end
  if #text > head then tree:add(fields["fragment.payload"], tvb(head)) end
  local place = pinfo.number .. "/" .. direction
  if not seen[place] then
    local link = link_of(link_name)
    seen[place] = take(link[direction], text)
    if seen[place].message then understand(link, direction, seen[place]) end
  end
  local found = seen[place]
  local arrow = direction == 0 and "> " or "< "
  if found.repeated then tree:add(fields["fragment.repeated"], true):set_generated() end
  if found.trouble then tree:add_proto_expert_info(note, found.trouble) end
  if found.message then
    pinfo.cols.info = arrow .. show_message(tree, direction, found)
  else
    pinfo.cols.info = arrow .. (found.trouble or found.repeated and "fragment, repeated" or "fragment")
  end
  return tvb:len()
end

-- ---------------------------------------------------------------- Bluetooth (section 3)
local handle_of, interface_of = Field.new("bthci_acl.chandle"), Field.new("frame.interface_id")

local function ble_link()
  local handle, interface = handle_of(), interface_of()
  return "ble " .. tostring(interface and interface.value or 0) .. " " .. tostring(handle and handle.value or 0)
end

local function characteristic(name, description, direction)
  local made = Proto(name, description)
  function made.dissector(tvb, pinfo, root)
    if tvb:len() == 0 then return 0 end
    return fragment(tvb, pinfo, root, direction, ble_link())
  end
  return made
end

local function show_info(tvb, root)
  local text = tvb:raw()
  local tree = root:add(sharebox, tvb(), "Sharebox, public information")
  local items = sequence(text)
  local node = items and #items == 1 and items[1]
  if not node or node[1] ~= "map" then
    tree:add_proto_expert_info(note, "not public information")
    return
  end
  tree:add(fields["cbor"], tvb(), words(node))
  put(tree, "info.version", tvb, at_key(node, 1), "int", 255)
  put(tree, "info.longest_message", tvb, at_key(node, 2), "int", 65535)
  put(tree, "info.longest_list", tvb, at_key(node, 3), "int", 65535)
  put_words(tree, "info.suites", tvb, at_key(node, 4))
  put_words(tree, "info.methods", tvb, at_key(node, 5))
end

local to_module = characteristic("sharebox_to_module", "Sharebox, to module", 0)
local from_module = characteristic("sharebox_from_module", "Sharebox, from module", 1)
local public = Proto("sharebox_info", "Sharebox, public information")
function public.dissector(tvb, pinfo, root)
  if tvb:len() == 0 then return 0 end
  pinfo.cols.protocol = "Sharebox"
  pinfo.cols.info = "< public information"
  show_info(tvb, root)
  return tvb:len()
end

local by_uuid = DissectorTable.get("bluetooth.uuid")
by_uuid:add("70800001-d425-4edf-b29a-d496fbc27847", to_module)
by_uuid:add("70800002-d425-4edf-b29a-d496fbc27847", from_module)
by_uuid:add("70800003-d425-4edf-b29a-d496fbc27847", public)
-- For "Decode As", in captures that begin after the phone has looked at the GATT table.
local by_handle = DissectorTable.get("btatt.handle")
for _, made in ipairs({ to_module, from_module, public }) do by_handle:add_for_decode_as(made) end

-- ---------------------------------------------------------------- the serial line
local CRC = {}
for byte = 0, 255 do
  local value = byte
  for _ = 1, 8 do
    local odd = value % 2
    value = floor(value / 2)
    if odd == 1 then value = xor(value, 0xEDB88320) end
  end
  CRC[byte] = value
end

local function crc32(text)
  local value = 0xFFFFFFFF
  for at = 1, #text do value = xor(CRC[xor(value % 256, text:byte(at))], floor(value / 256)) end
  return xor(value, 0xFFFFFFFF)
end

function serial.dissector(tvb, pinfo, root)
  pinfo.cols.protocol = "Sharebox serial"
  local tree = root:add(serial, tvb())
  if tvb:len() < 7 or tvb(0, 1):uint() > 1 then
    tree:add_proto_expert_info(note, "not a serial frame")
    pinfo.cols.info = "not a serial frame"
    return tvb:len()
  end
  local direction, kind, channel = tvb(0, 1):uint(), tvb(1, 1):uint(), tvb(2, 1):uint()
  local size = tvb:len() - 7
  tree:add(fields["serial.direction"], tvb(0, 1))
  tree:add(fields["serial.kind"], tvb(1, 1))
  tree:add(fields["serial.channel"], tvb(2, 1))
  if (kind == 1 or kind == 2) and size == 2 then tree:add(fields["serial.largest"], tvb(3, 2)) end
  if size > 0 then tree:add(fields["serial.payload"], tvb(3, size)) end
  tree:add(fields["serial.crc"], tvb(3 + size, 4))
  local good = crc32(tvb:raw(1, size + 2)) == tvb(3 + size, 4):uint()
  tree:add(fields["serial.crc_good"], good):set_generated()
  pinfo.cols.info = ("%s %s, channel %d"):format(direction == 0 and ">" or "<", KINDS[kind] or kind, channel)
  if not good then
    tree:add_proto_expert_info(note, "wrong CRC: the frame is dropped")
    return tvb:len()
  end
  local interface = interface_of()
  local link = ("serial %s %d"):format(tostring(interface and interface.value or 0), channel)
  if kind == 1 and not pinfo.visited then links[link] = nil end
  if kind == 3 and size > 0 then
    fragment(tvb(3, size):tvb(), pinfo, root, direction, link)
  elseif kind == 6 and direction == 1 and size > 0 then
    show_info(tvb(3, size):tvb(), root)
  end
  return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, serial)
