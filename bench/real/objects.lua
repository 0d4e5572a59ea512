-- Tables, closures and strings that come and go. Stands for games and embedded scripts.
local scale = tonumber(arg[1])
local state = 12345
local function random(limit)
    state = (state * 1103515245 + 12345) % 2147483648
    return state // 65536 % limit
end

local live, check = {}, 0
for number = 1, 1200000 * scale // 100 do
    local slot = random(20000) + 1
    local kind = number % 4
    if kind == 0 then
        live[slot] = {x = number, y = random(100), name = "object " .. number}
    elseif kind == 1 then
        live[slot] = string.rep(string.char(97 + random(26)), random(120))
    elseif kind == 2 then
        local list = {}
        for i = 1, random(12) do list[i] = i * number end
        live[slot] = list
    else
        local old = live[slot]
        if type(old) == "table" then check = check + #old + (old.y or 0)
        elseif type(old) == "string" then check = check + #old end
    end
end
local keys = {}
for key in pairs(live) do keys[#keys + 1] = key end
table.sort(keys)
print("check", check, #keys)
