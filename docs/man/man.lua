-- A filter for pandoc that turns a page for the web, in GitHub's Markdown, into a manual page:
--
--   # uvrelay(1)                             nothing: this is the page's title
--   ## Exit status                           .SH EXIT STATUS
--   - `--idle=SECONDS`\                      .TP, a paragraph with a hanging tag, if each item of the list begins with
--     End a connection ...                   a line that ends in a backslash
--   `--idle=SECONDS`                         bold, with the placeholder in it (see below) in italics
--   [uvrelay-mux(1)](uvrelay-mux.1.md)       uvrelay-mux(1)
--   [Owner](uvrelay-routes.conf.5.md#owner)  Owner in uvrelay-routes.conf(5)
--   [Owner](#owner)                          Owner
--   [Security](../security.md#pipes)         Security (security.md)
--   a block of code                          indented, in the usual font, as groff may not have another one

-- Words that stand for what the user writes.
local placeholders = {}
for word in ([[ADDRESS COMMAND FILE HOST HOW LEVEL LISTEN MODE NAME NUMBER OCTAL PATH PATTERN PORT PRESET PROCESS
               SECONDS SIZE TARGET VALUE WHO]]):gmatch('%u+') do
  placeholders[word] = true
end

-- A roff line must not begin with a dot; `-`, `~`, `^`, '`' and `'` would become typographic characters.
local escapes = {['\\'] = '\\e', ['-'] = '\\-', ['~'] = '\\(ti', ['^'] = '\\(ha', ['`'] = '\\(ga', ["'"] = '\\(aq'}

local function escape(text)
  return (text:gsub('[\\~^`\'-]', escapes))
end

-- Text that is to be typed or copied as it is.
local function exact(text)
  return pandoc.RawInline('man', '\\&' .. escape(text))
end

-- Code becomes bold, and the placeholders in it italic. A word is a placeholder only if no part of an identifier adjoins
-- it, and if it is not alone: `PATH` is a variable of the environment.
local function Code(code)
  if placeholders[code.text] then
    return pandoc.Strong(exact(code.text))
  end
  local result, literal, at = pandoc.List(), '', 1
  local function flush()
    if literal ~= '' then
      result:insert(pandoc.Strong(exact(literal)))
      literal = ''
    end
  end
  while at <= #code.text do
    local word = code.text:match('^[%w_]+', at) or code.text:sub(at, at)
    local enclosed = code.text:sub(at - 1, at - 1):match('[%%$]') or code.text:sub(at - 2, at - 1) == '${'
    if placeholders[word] and not enclosed then
      flush()
      result:insert(pandoc.Emph(pandoc.Str(word)))
    else
      literal = literal .. word
    end
    at = at + #word
  end
  flush()
  return result
end

local function CodeBlock(block)
  local text = ('\n' .. escape(block.text)):gsub('\n%.', '\n\\&.'):sub(2)
  return pandoc.RawBlock('man', '.PP\n.RS 2\n.EX\n' .. text .. '\n.EE\n.RE')
end

local function Link(link)
  local name, section = link.target:match('^([%w.-]+)%.(%d)%.md')
  if name then
    local page = pandoc.List({pandoc.Strong(exact(name)), pandoc.Str('(' .. section .. ')')})
    if pandoc.utils.stringify(link) == name .. '(' .. section .. ')' then
      return page
    end
    return pandoc.List({pandoc.Emph(link.content), pandoc.Space(), pandoc.Str('in'), pandoc.Space()}) .. page
  end
  local guide = link.target:match('^%.%./([%w.-]+%.md)')
  if guide then
    return link.content .. {pandoc.Space(), pandoc.Str('('), pandoc.Emph(pandoc.Str(guide)), pandoc.Str(')')}
  end
  return link.target:match('^#') and pandoc.Emph(link.content) or link.content
end

local function LineBreak()
  return pandoc.RawInline('man', '\n.br\n')
end

local function Header(header)
  if header.level == 1 then
    return {}
  end
  if header.level == 2 then
    header = header:walk({Str = function(str) return pandoc.Str(pandoc.text.upper(str.text)) end})
  end
  header.level = header.level - 1
  return header
end

-- The first line of an item, if a hard line break ends it, and the rest of the item.
local function split(item)
  local first = item[1]
  if not first or (first.t ~= 'Para' and first.t ~= 'Plain') then
    return nil
  end
  for i, inline in ipairs(first.content) do
    if inline.t == 'LineBreak' then
      local rest = pandoc.List({table.unpack(item, 2)})
      rest:insert(1, pandoc.Para({table.unpack(first.content, i + 1)}))
      return {table.unpack(first.content, 1, i - 1)}, rest
    end
  end
end

local function BulletList(list)
  local definitions = pandoc.List()
  for _, item in ipairs(list.content) do
    local term, rest = split(item)
    if not term then
      return nil
    end
    definitions:insert({term, {rest}})
  end
  return pandoc.DefinitionList(definitions)
end

-- Lists first, while line breaks are still such.
return {
  {BulletList = BulletList},
  {Code = Code, CodeBlock = CodeBlock, Link = Link, LineBreak = LineBreak, Header = Header},
}
