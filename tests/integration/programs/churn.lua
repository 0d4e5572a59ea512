-- Tables, strings, closures, coroutines, sorting, weak tables. Argument: rounds.
local rounds = tonumber(arg[1]) or 10
local state = 42
local function random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state % n
end

local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end

local function nodes(t)
  local n = 1
  for _, child in ipairs(t) do n = n + nodes(child) end
  return n
end

for round = 1, rounds do
  local words, list = {}, {}
  for i = 1, 20000 do
    local word = string.char(97 + random(26), 97 + random(26), 97 + random(26)) .. random(50)
    words[word] = (words[word] or 0) + 1
    list[#list + 1] = word .. string.rep("-", random(40))
  end
  table.sort(list)
  local joined = table.concat(list, " ", 1, 5000)
  local swapped, count = joined:gsub("(%a)(%a)", "%2%1")

  local adders = {}
  for i = 1, 5000 do
    local total = i
    adders[i] = function(n) total = total + n; return total end
  end
  local sum = 0
  for _, add in ipairs(adders) do sum = sum + add(random(10)) end

  local producer = coroutine.wrap(function()
    for i = 1, 2000 do coroutine.yield("item " .. i .. string.rep("x", i % 100)) end
  end)
  local length = 0
  for _ = 1, 2000 do length = length + #producer() end

  local weak = setmetatable({}, { __mode = "v" })
  for i = 1, 1000 do weak[i] = { i } end
  collectgarbage()
  local alive = 0
  for _ in pairs(weak) do alive = alive + 1 end

  local distinct = 0
  for _ in pairs(words) do distinct = distinct + 1 end
  print(round, distinct, list[1], list[#list], count, #swapped, sum, length, alive, nodes(tree(13)))
end
