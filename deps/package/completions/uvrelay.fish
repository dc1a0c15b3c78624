# Completion of uvrelay for fish 3. Installed as uvrelay.fish and uvrelay.exe.fish in share/fish/vendor_completions.d.
# test/integration/linux/test_completions.py compares the flags with what the program says and takes.
# Flags of one letter are declared by -o, not -s, as the program does not take them joined.

# The command on the line, if it is one of $argv, or `none` for the program without a command.
function __uvrelay_is
    set -l words (commandline -opc)
    set -l command none
    if contains -- "$words[2]" serve mux setup doctor status reload env presets facts help version
        set command $words[2]
    end
    contains -- $command $argv
end

# Whether the program without a command still lacks its TARGET.
function __uvrelay_lacks_target
    __uvrelay_is none; or return 1
    set -l words (commandline -opc)
    set -l value no
    for word in $words[2..-1]
        if test $value = yes
            set value no
        else if string match -qr -- '^--?(impersonation|owner|timeout)$' $word
            set value yes
        else if not string match -q -- '-*' $word
            return 1
        end
    end
    return 0
end

function __uvrelay_has_words
    set -l words (commandline -opc)
    test (count $words) -gt $argv[1]
end

# The names of presets, and what they are, with $argv[1] before each.
function __uvrelay_presets
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    $program presets 2>/dev/null | string replace -rf '^@([^:]*): (.*)' "$argv[1]\$1\t\$2"
end

function __uvrelay_servers
    set -l words (commandline -opc)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    $program status --json 2>/dev/null |
        string replace -rf '^\{"(?:process|pid)":(\d+),.*' '$1\ta running uvrelay serve'
end

function __uvrelay_windows
    set -l words (commandline -opc)
    string match -q -- '*.exe' $words[1]
end

# One option behind an address, as NAME=VALUE. $argv: listen or target, what is in the line already, and the option.
function __uvrelay_option
    set -l values
    switch $argv[3]
        case 'impersonation=*'
            set values anonymous identification impersonation delegation
        case 'owner=*'
            set values user system admins root
        case 'peer-uid=*'
            set values user root any
        case 'mode=*'
            set values byte message
        case 'eof=*'
            set values auto marker none
        case 'absent=*'
            set values wait fail
        case 'perm=*'
            set values 0600 0660 0666
        case '*=*'
            return
        case '*'
            set -l names timeout linger idle max eof name
            if test $argv[1] = listen
                set -a names perm mode peer-uid
            else
                set -a names impersonation absent owner
            end
            printf '%s\n' $argv[2]$names=
            return
    end
    printf '%s\n' $argv[2](string replace -r '=.*' = -- $argv[3])$values
end

# Files, where an address is a path. $argv: what is in the line before the path, and the path.
function __uvrelay_files
    set -l path $argv[2]
    set -l home
    if string match -q '~/*' -- $path
        set home '~/'
        set path $HOME/(string sub -s 3 -- $path)
    end
    for file in $path*
        set -l end ''
        test -d $file; and set end /
        if set -q home[1]
            set file '~/'(string replace -- "$HOME/" '' $file)
        end
        echo $argv[1]$file$end
    end
end

# An address. $argv: listen or target, what is in the line before it, and the address.
function __uvrelay_address
    set -l role $argv[1]
    set -l base $argv[2]
    set -l address $argv[3]
    if string match -q '*\?*' -- $address
        set -l option (string replace -r '.*[?&]' '' -- $address)
        set -l before (math (string length -- $address) - (string length -- $option))
        __uvrelay_option $role $base(string sub -l $before -- $address) $option
        return
    end
    if string match -q 'via:*' -- $address
        set base {$base}via:
        set address (string sub -s 5 -- $address)
    end
    set -l scheme (string match -r '^(?:unix|assuan):(?://)?' -- $address)
    if set -q scheme[1]
        __uvrelay_files $base$scheme (string sub -s (math (string length -- $scheme) + 1) -- $address)
        return
    end
    if __uvrelay_windows
        printf '%s\t%s\n' $base//./pipe/ 'a named pipe' {$base}tcp:// 'a TCP port'
        test $role = target; and printf '%s\t%s\n' {$base}assuan:%LOCALAPPDATA%/gnupg/ 'a GnuPG socket file'
    else
        printf '%s\t%s\n' {$base}unix:/// 'a Unix socket' {$base}tcp:// 'a TCP port' \
            {$base}abstract: 'an abstract Unix socket'
        if test $role = target
            printf '%s\t%s\n' {$base}assuan:/// 'a GnuPG socket file'
        else
            printf '%s\t%s\n' {$base}fd:// 'a listening socket from systemd'
        end
    end
end

# @PRESET, or LISTEN=TARGET.
function __uvrelay_routes
    set -l word (commandline -ct | string unescape)
    test (count $word) -gt 0; or set word ''
    set -l option '[a-z-]+=[^=&]*'
    set -l parts (string match -r "^([^=?@][^=?]*(?:\?$option(?:&$option)*)?=)(.*)\$" -- $word)
    if set -q parts[1]
        set -l target "$parts[3]"
        string match -q '*\?*' -- $target; or __uvrelay_presets $parts[2]@
        string match -qr '^@[^?]*$' -- $target; and return
        __uvrelay_address target $parts[2] "$target"
        string match -qr '^via:|\?' -- $target; and return
        printf '%s\t%s\n' {$parts[2]}via: 'an address that the far end connects to'
        __uvrelay_windows; or printf '%s\t%s\n' {$parts[2]}//./pipe/ 'a named pipe of Windows'
    else if string match -q '@*\?*' -- $word
        __uvrelay_address target '' $word
    else
        string match -q '*\?*' -- $word; or __uvrelay_presets @
        string match -q '@*' -- $word; or __uvrelay_address listen '' "$word"
    end
end

function __uvrelay_targets
    set -l words (commandline -opc)
    set -l word (commandline -ct | string unescape)
    if contains -- -a $words
        __uvrelay_files '' "$word"
    else
        __uvrelay_address target '' "$word"
    end
end

# What --allow may be.
function __uvrelay_patterns
    set -l pattern (commandline -ct | string replace -r '^-.*?=' '')
    __uvrelay_address target '' "$pattern"
end

for program in uvrelay uvrelay.exe
    complete -c $program -e
    set -l c complete -c $program
    $c -f
    $c -n '__uvrelay_is none; and not __uvrelay_has_words 1' -a '
        serve\t"listen, and relay many connections"
        setup\t"make Windows agents and Docker reachable from WSL"
        doctor\t"find out why something does not work"
        status\t"show the state of a running serve"
        reload\t"make a running serve read its configuration again"
        env\t"print environment variables for the shell"
        presets\t"list the routes that have a name"
        mux\t"run the far end of serve --via"
        facts\t"print what the program knows about this system"
        help\t"print help for a command"
        version\t"print the version"'
    $c -n '__uvrelay_is help; and not __uvrelay_has_words 2' \
        -a 'serve setup doctor status reload env presets mux facts help version'
    $c -n __uvrelay_lacks_target -a '(__uvrelay_targets)'
    $c -n __uvrelay_lacks_target -o p -d 'retry while the target does not exist or is busy'
    $c -n __uvrelay_lacks_target -o s -d 'send a zero-byte message at the end of standard input'
    $c -n __uvrelay_lacks_target -o ep -d 'exit when the target ends'
    $c -n __uvrelay_lacks_target -o ei -d 'exit at the end of standard input'
    $c -n __uvrelay_lacks_target -o a -d 'TARGET is the path of a GnuPG socket file'
    $c -n __uvrelay_lacks_target -o bg -d 'hide the console window'
    $c -n '__uvrelay_is serve doctor' -a '(__uvrelay_routes)'

    set -l connects '__uvrelay_is serve doctor; or __uvrelay_lacks_target'
    $c -n $connects -x -l impersonation -a 'anonymous identification impersonation delegation' \
        -d 'how far a server may act as you'
    $c -n $connects -x -l owner -a "(__fish_complete_list , 'printf %s\\n user system admins root')" \
        -d 'relay only to targets of these users'
    $c -n $connects -x -l timeout -d 'stop trying to connect after this time'
    $c -n "$connects; or __uvrelay_is mux" -l allow-remote-files -d 'allow socket files on other computers'
    $c -n "$connects; or __uvrelay_is mux" -o v -d 'log more of what happens'
    $c -n "$connects; or __uvrelay_is mux" -l verbose -d 'log more of what happens'

    set -l serves '__uvrelay_is serve doctor'
    $c -n $serves -x -l linger -d 'end a half-ended connection after this time without a byte'
    $c -n $serves -x -l idle -d 'end a connection after this time without a byte'
    $c -n $serves -x -l max -d 'connections at a time'
    $c -n $serves -x -l perm -a '0600 0660 0666' -d 'permissions of a listening Unix socket'
    $c -n $serves -x -l mode -a 'byte message' -d 'mode of a listening pipe'
    $c -n $serves -x -l eof -a 'auto marker none' -d 'how one side is notified of the end of the other'
    $c -n $serves -x -l absent -a 'wait fail' -d 'what to do while a target does not exist'
    $c -n $serves -x -l peer-uid -a "(__fish_complete_list , 'printf %s\\n user root any')" \
        -d 'accept only these users on Unix sockets'
    $c -n $serves -r -F -l config -d 'read routes from a file'
    $c -n $serves -l allow-remote -d 'let TCP listeners accept other computers'
    $c -n $serves -x -l drain -d 'when stopped, let open connections go on this long'
    $c -n $serves -x -l via -d 'the command line of the far end'
    $c -n $serves -l eager -d 'start the far end at once'
    $c -n $serves -x -l status -d 'print the table of routes at this interval'
    $c -n $serves -l check -d 'print what would be served, and exit'
    $c -n $serves -x -l control -a 'on off' -d 'whether to answer status, env and reload'
    $c -n $serves -r -F -l log-file -d 'write the log to a file'
    $c -n $serves -x -l log-size -a '1M 10M 100M' -d 'the maximum size of the log file'
    $c -n $serves -l background -d 'detach from the terminal once all routes listen'
    $c -n '__uvrelay_is serve doctor mux' -x -l window-total -a '16M 64M 256M' \
        -d 'buffer at most this much undelivered data'
    $c -n "$connects; or __uvrelay_is mux" -l timestamps -d 'begin each line with its time (UTC)'
    $c -n '__uvrelay_is serve doctor status presets' -l json -d 'print JSON'

    $c -n '__uvrelay_is mux' -x -l allow -a '(__uvrelay_patterns)' -d 'connect only to addresses that match'

    $c -n '__uvrelay_is setup; and not __uvrelay_windows' -a '(__uvrelay_presets "")'
    $c -n '__uvrelay_is setup; and not __uvrelay_windows' -o y -d 'answer yes to each question'
    $c -n '__uvrelay_is setup; and not __uvrelay_windows' -l yes -d 'answer yes to each question'
    $c -n '__uvrelay_is setup; and not __uvrelay_windows' -o n -d 'change nothing; show what would be done'
    $c -n '__uvrelay_is setup; and not __uvrelay_windows' -r -F -l windows-program -d 'use this uvrelay.exe'
    $c -n '__uvrelay_is setup; and __uvrelay_windows' -l logon -d 'make the scheduled task'
    $c -n '__uvrelay_is setup' -l dry-run -d 'change nothing; show what would be done'
    $c -n '__uvrelay_is setup' -l remove -d 'undo what setup has done'

    $c -n '__uvrelay_is status' -l watch -d 'print it again at an interval'
    $c -n '__uvrelay_is reload; and not __uvrelay_has_words 2' -a '(__uvrelay_servers)'
    $c -n '__uvrelay_is env' -x -l shell -a 'sh bash zsh dash ksh fish csh tcsh powershell pwsh cmd' \
        -d 'for which shell'

    set -l asked '__uvrelay_is serve doctor mux; or __uvrelay_lacks_target'
    set asked "$asked; or __uvrelay_is setup; and not __uvrelay_windows"
    $c -n $asked -o V -d 'print the version and exit'
    $c -n $asked -l version -d 'print the version and exit'
    $c -n 'not __uvrelay_is none help version; or __uvrelay_lacks_target' -l help -d 'print help and exit'
end
