# Completion of uvrelay for bash 4.2 or newer, with the package bash-completion or sourced by itself. Installed as
# uvrelay and uvrelay.exe in share/bash-completion/completions.
#
# Readline splits words at =, : and other characters of COMP_WORDBREAKS. So the words are joined again first, candidates
# are made for the whole word, and what readline takes for words of their own is cut off their beginning at last.
# test/integration/linux/test_completions.py compares the flags with what the program says and takes.
# shellcheck disable=SC2005,SC2046,SC2086,SC2088,SC2116 # lists of words; and a ~ that is meant to be one

# The flags of a command ("" is the program without one); those that take a value end in =.
_uvrelay_flags()
{
  local route="--timeout= --linger= --idle= --max= --perm= --mode= --impersonation= --eof= --absent= --owner=
    --peer-uid="
  local serve="--config= --allow-remote --allow-remote-files --drain= --via= --eager --window-total= --status= --check
    --control= --log-file= --log-size= --timestamps --background --json -v --verbose --version -V --help"
  case $1 in
    "")
      echo "-p -s -ep -ei -a -bg -v --verbose --impersonation= --owner= --timeout= --allow-remote-files --timestamps
        --version -V --help"
      ;;
    serve | doctor) echo "$route $serve" ;;
    mux) echo "--allow= --allow-remote-files --window-total= --timestamps -v --verbose --version -V --help" ;;
    setup)
      if [[ $program == *.exe ]]; then
        echo "--logon --remove --dry-run --help"
      else
        echo "-y --yes -n --dry-run --remove --windows-program= --version -V --help"
      fi
      ;;
    status) echo "--json --watch --help" ;;
    env) echo "--shell= --help" ;;
    presets) echo "--json --help" ;;
    reload | facts) echo "--help" ;;
  esac
}

# Joins the words up to the cursor into the caller's `words`.
_uvrelay_join_words()
{
  local i piece blanks rest=${COMP_LINE:0:COMP_POINT}
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=${COMP_WORDS[i]}
    blanks=${rest%%[![:space:]]*}
    rest=${rest#"$blanks"}
    [[ ${#piece} -le ${#rest} ]] || piece=$rest # the cursor is inside of it
    if ((i == 0)) || [[ -n $blanks ]]; then
      words+=("$piece")
    else
      words[${#words[@]} - 1]+=$piece
    fi
    rest=${rest:${#piece}}
  done
}

# Offers the words that begin with `value`; they follow `base`, which is in the line already. A word gets a blank behind
# it unless something is missing at its end.
_uvrelay_offer()
{
  local word
  for word; do
    [[ $word == "$value"* ]] || continue
    case $word in
      *[=/:,]) ;;
      *) word+=$end ;;
    esac
    COMPREPLY+=("$base$word")
  done
}

# Offers files whose names begin with `value`.
_uvrelay_offer_files()
{
  local name shown path=${value//\\/} home=""
  if [[ $path == "~/"* ]]; then
    home="~/"
    path=$HOME/${path#"~/"}
  fi
  while IFS= read -r name; do
    shown=$name
    [[ -z $home ]] || shown=${name#"$HOME/"}
    [[ -n $quote ]] || printf -v shown %q "$shown"
    if [[ -d $name ]]; then
      shown+=/
    else
      shown+=$end
    fi
    COMPREPLY+=("$base$home$shown")
  done < <(compgen -f -- "$path")
}

# Offers one more of a list with commas in it.
_uvrelay_offer_list()
{
  local end=""
  if [[ $value == *,* ]]; then
    base+=${value%,*},
    value=${value##*,}
  fi
  _uvrelay_offer "$@"
}

# The names of presets, with $1 before each.
_uvrelay_presets()
{
  local line
  while IFS= read -r line; do
    line=${line%%:*}
    [[ $line != @* ]] || echo "$1${line#@}"
  done < <("$program" presets 2>/dev/null)
}

# Offers values of a flag, or of an option behind an address.
_uvrelay_offer_values()
{
  case $1 in
    config | log-file | windows-program) _uvrelay_offer_files ;;
    impersonation) _uvrelay_offer anonymous identification impersonation delegation ;;
    owner) _uvrelay_offer_list user system admins root ;;
    peer-uid) _uvrelay_offer_list user root any ;;
    mode) _uvrelay_offer byte message ;;
    eof) _uvrelay_offer auto marker none ;;
    absent) _uvrelay_offer wait fail ;;
    control) _uvrelay_offer on off ;;
    perm) _uvrelay_offer 0600 0660 0666 ;;
    shell) _uvrelay_offer sh bash zsh dash ksh fish csh tcsh powershell pwsh cmd ;;
    log-size) _uvrelay_offer 1M 10M 100M ;;
    window-total) _uvrelay_offer 16M 64M 256M ;;
    allow) end="" && _uvrelay_offer_address target ;;
  esac
}

# Offers what an address may go on with. $1: listen or target.
_uvrelay_offer_address()
{
  local scheme end=$end
  [[ $1 == target ]] || end=""
  case $value in
    *\?*)
      base+=${value%"${value##*[?&]}"}
      value=${value##*[?&]}
      if [[ $value == *=* ]]; then
        base+=${value%%=*}=
        scheme=${value%%=*}
        value=${value#*=}
        end="" _uvrelay_offer_values "$scheme"
      elif [[ $1 == listen ]]; then
        _uvrelay_offer timeout= linger= idle= max= perm= mode= eof= peer-uid= name=
      else
        _uvrelay_offer timeout= linger= idle= max= impersonation= absent= owner= eof= name=
      fi
      ;;
    unix:* | assuan:*)
      scheme=${value%%:*}:
      [[ $value != "$scheme//"* ]] || scheme+=//
      base+=$scheme
      value=${value#"$scheme"}
      _uvrelay_offer_files
      ;;
    via:*)
      base+=via:
      value=${value#via:}
      _uvrelay_offer unix:/// tcp:// //./pipe/ assuan:/// abstract:
      ;;
    @*) ;;
    *)
      if [[ $program == *.exe ]]; then
        _uvrelay_offer //./pipe/ tcp://
        [[ $1 == listen ]] || _uvrelay_offer assuan:%LOCALAPPDATA%/gnupg/
      else
        _uvrelay_offer unix:/// tcp:// abstract:
        if [[ $1 == target ]]; then
          _uvrelay_offer assuan:///
        else
          _uvrelay_offer fd://
        fi
      fi
      ;;
  esac
}

# Offers what a route may go on with: @PRESET, LISTEN, or behind LISTEN= a target.
_uvrelay_offer_route()
{
  local option="[a-z-]+=[^=&]*"
  local listen="^([^=?@][^=?]*(\\?$option(&$option)*)?=)(.*)$"
  if [[ $value =~ $listen ]]; then
    base+=${BASH_REMATCH[1]}
    value=${BASH_REMATCH[4]}
    [[ $value == *\?* ]] || _uvrelay_offer $(_uvrelay_presets @)
    [[ $value == @* ]] || _uvrelay_offer via:
    [[ $program == *.exe || $value == @* ]] || _uvrelay_offer //./pipe/
    _uvrelay_offer_address target
  elif [[ $value == @*\?* ]]; then
    _uvrelay_offer_address target
  else
    _uvrelay_offer $(_uvrelay_presets @)
    _uvrelay_offer_address listen
  fi
}

# The numbers of the processes that serve.
_uvrelay_servers()
{
  local line
  while IFS= read -r line; do
    [[ ! $line =~ ^\{\"(process|pid)\":([0-9]+) ]] || echo "${BASH_REMATCH[2]}"
  done < <("$program" status --json 2>/dev/null)
}

# Offers what a command takes besides flags. `others`: how many such words are there already.
_uvrelay_offer_argument()
{
  case $command in
    "")
      ((others == 0)) || return
      if [[ " ${words[*]} " == *" -a "* ]]; then
        _uvrelay_offer_files
      else
        _uvrelay_offer_address target
      fi
      ;;
    serve | doctor) _uvrelay_offer_route ;;
    setup) [[ $program == *.exe ]] || _uvrelay_offer $(_uvrelay_presets "") ;;
    reload) ((others > 0)) || _uvrelay_offer $(_uvrelay_servers) ;;
    help) ((others > 0)) || _uvrelay_offer $commands ;;
  esac
}

_uvrelay()
{
  local commands="serve mux setup doctor status reload env presets facts help version"
  local words=() command="" flags word name i others=0 ended="" takes="" base="" value quote="" stem breaks end=" "
  local IFS=$' \t\n'
  _uvrelay_join_words
  local program=${words[0]//[\\\"\']/} last=$((${#words[@]} - 1))
  [[ $program != "~/"* ]] || program=$HOME/${program#"~/"}
  ((last > 0)) || return
  if ((last > 1)) && [[ " $commands " == *" ${words[1]} "* ]]; then
    command=${words[1]}
  fi
  flags=" $(echo $(_uvrelay_flags "$command")) "
  i=1
  [[ -z $command ]] || i=2
  for (( ; i < last; i++)); do
    word=${words[i]}
    name=${word#-}
    name=${name#-}
    if [[ -n $takes ]]; then
      takes=""
    elif [[ -n $ended || $word != -?* ]]; then
      others=$((others + 1))
    elif [[ $word == -- ]]; then
      ended=1
    elif [[ $flags == *" --$name= "* ]]; then
      takes=$name
    fi
  done

  value=${words[last]}
  if [[ $value == [\"\']* ]]; then
    quote=${value:0:1}
    value=${value:1}
  fi
  breaks=${COMP_WORDBREAKS//[[:space:]]/}
  stem=""
  [[ -n $quote ]] || stem=${value%"${value##*["$breaks"]}"}
  stem=${stem%@} # readline leaves this one at the beginning of a word

  if [[ -n $takes ]]; then
    _uvrelay_offer_values "$takes"
  elif [[ -z $ended && $value == -*=* ]]; then
    name=${value%%=*}
    base=$name=
    value=${value#*=}
    name=${name#-}
    name=${name#-}
    [[ $flags != *" --$name= "* ]] || _uvrelay_offer_values "$name"
  elif [[ -z $ended && $value == -* ]]; then
    [[ -z $command ]] && ((others > 0)) || _uvrelay_offer $flags
  else
    ((last > 1)) || _uvrelay_offer $commands
    _uvrelay_offer_argument
  fi
  for i in "${!COMPREPLY[@]}"; do
    COMPREPLY[i]=${COMPREPLY[i]#"$stem"}
  done
} && complete -o nospace -F _uvrelay uvrelay uvrelay.exe
